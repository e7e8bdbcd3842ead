"""Documents: read, split into passages, indexed by word and by meaning, and searched."""
