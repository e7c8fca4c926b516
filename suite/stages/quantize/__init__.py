"""Worker side. Stage `quantize`: quantization, checked by counts, bytes and the metric."""
