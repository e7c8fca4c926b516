"""The user error of the gate; shown without a traceback."""


class GateError(ValueError):
    """An option, a file or an arm is invalid; the message names it, what was expected, and the next step."""
