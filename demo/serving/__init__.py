"""The page as a server: who is let in, what is kept of each visitor, what is told to proxies, monitors and logs."""
