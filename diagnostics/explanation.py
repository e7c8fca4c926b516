"""Explains the error text of one of the doctor's trials."""

from __future__ import annotations

from diagnostics.environment import Environment
from diagnostics.finding import Fix


def explained(text: str, environment: Environment) -> tuple[str, tuple[Fix, ...]] | None:
    """(cause, fixes) of the first message that the explainer knows, None when it knows none."""
    from diagnostics.explain.explainer import explain

    found = explain(text, source="trial", python=environment.python.executable)
    if not found:
        return None
    first = found[0]
    return first.cause or first.summary, first.fixes
