"""Worker side. Stage `quantize`: fewer bits, proved by counts, bytes and the metric."""
