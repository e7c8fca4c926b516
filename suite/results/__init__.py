"""Results of the steps of a run: one frozen dataclass per step, written in the worker, read everywhere."""
