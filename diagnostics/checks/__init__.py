"""The checks: pure functions from the facts of a machine to findings, one file per area."""
