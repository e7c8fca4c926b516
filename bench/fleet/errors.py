"""Errors of a fleet that a user can cause or cure."""

from __future__ import annotations


class FleetError(ValueError):
    """Error raised if the fleet cannot be used as asked; shown in one sentence, without a traceback."""
