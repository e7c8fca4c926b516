"""Worker side. What a model is for: how raw samples become a batch (and, later, a loss and a quality metric)."""
