"""What the steps of a run find out: one frozen dataclass per step, written in the worker, read by everybody."""
