"""Looking back at a finished output: where the model looked, how sure it was, and what its words depend on."""
