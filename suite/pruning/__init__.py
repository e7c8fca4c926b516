"""Worker side. Structured pruning as pure functions on modules: prune, verify, describe and restore."""
