"""Worker side. QuantizationError: quantization failed or changed nothing."""


class QuantizationError(RuntimeError):
    """Names what is missing, what was expected and what to do next."""
