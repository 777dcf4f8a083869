"""Checkpoints on disk and on the Hub: finding files, naming weights, loading and saving them."""
