"""Worker side. Tasks: batches from raw samples, with a loss and a quality metric for each task."""
