"""Worker side. QuantizationError: what was to be quantized could not be, or came out as it was."""


class QuantizationError(RuntimeError):
    """Names what is missing, what was expected and what to do next."""
