"""Worker side. What takes the numbers: latency, memory, cold start, size."""
