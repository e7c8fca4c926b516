"""DataError: a user's data is not as it has to be."""


class DataError(ValueError):
    """Names the file, what was expected of it and what to do; shown to the user without a traceback."""
