"""Models, tasks, data, stages, backends, cells, workers and records: does every model work, everywhere."""
