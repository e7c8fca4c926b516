"""Engine of a run: turns cells and steps into jobs, worker answers into records, and assigns each record an outcome."""
