"""Worker side. Slips in a record or a module, each told in one sentence with what was meant."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from suite.axes import OPEN, TASKS
from suite.spec import ModelSpec


class Slip(ValueError):
    """A mistake of the user's in a record or a module; the message says what was expected."""


def must_have_settings(spec: ModelSpec, size: str) -> None:
    """Raise Slip if the size's `inputs` lack an entry that the task needs."""
    given = spec.sizes[size].inputs
    missing = [key for key in TASKS[spec.task].settings if key not in given]
    if not missing:
        return
    unknown = [key for key in given if key not in TASKS[spec.task].settings]
    near = difflib.get_close_matches(missing[0], unknown, n=1, cutoff=0.6)
    mean = f", and has {near[0]!r}: did you mean {missing[0]!r}?" if near else ""
    raise Slip(
        f"model {spec.name!r}, size {size!r}: `inputs` lacks {missing[0]!r}{mean or ','} expected for {spec.task}:"
        f" {', '.join(TASKS[spec.task].settings)}"
    )


def must_take(spec: ModelSpec, module: Any, inputs: Mapping[str, Any]) -> None:
    """Raise Slip if the module's forward does not take the inputs by these names, or wants others."""
    try:
        parameters = inspect.signature(getattr(module, "forward", module)).parameters.values()
    except (TypeError, ValueError):  # written in C
        return
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = [p.name for p in parameters if p.kind in kinds]
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    unknown = [name for name in inputs if name not in named]
    if unknown and not takes_any:
        free = [name for name in named if name not in inputs]
        near = difflib.get_close_matches(unknown[0], free, n=1, cutoff=0.4)
        meant = near[0] if near else free[0] if len(free) == 1 else ""
        cure = (
            "name the inputs as forward does"
            if spec.task == OPEN
            else f'arguments={{"{unknown[0]}": "{meant or "..."}"}} on its record'
        )
        raise Slip(
            f"model {spec.name!r}: forward takes no `{unknown[0]}`; it takes {', '.join(named) or 'nothing by name'}."
            f" Next: {cure}"
        )
    required = [p.name for p in parameters if p.kind in kinds and p.default is p.empty]
    missing = [name for name in required if name not in inputs]
    if missing:
        raise Slip(
            f"model {spec.name!r}: forward needs `{missing[0]}`, which the {spec.task} task does not give; it gives"
            f" {', '.join(inputs)}. Next: a default in forward, or an open task with inputs= that has it"
        )
