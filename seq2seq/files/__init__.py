"""What is in files of strangers: each is read in a process of its own, which imports little and is ended in time."""
