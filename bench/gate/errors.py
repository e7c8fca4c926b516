"""What a user can do wrong with the gate; shown without a traceback."""


class GateError(ValueError):
    """An option, a file or an arm is not as it has to be; the message names it, what was expected, and what to do."""
