"""What `python -m seq2seq` does: the options of each command, what it reads and what it prints."""
