"""Models, tasks, data, stages, backends, cells, workers and records, to check that every model works everywhere."""
