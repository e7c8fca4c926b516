"""Anatomy of a run's graphs, made after the run: content, distributions of values, and time per node."""
