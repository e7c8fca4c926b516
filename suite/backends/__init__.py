"""Worker side. Execution backends: one module with `load(job, emit) -> Runnable` each."""
