"""DataError: a user's data is invalid."""


class DataError(ValueError):
    """An error that names the file, what was expected and what to do; shown to the user without a traceback."""
