"""Worker side. Structured pruning as pure functions on modules: prune, prove it, describe it, restore it."""
