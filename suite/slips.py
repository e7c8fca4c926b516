"""Worker side. Slips in a record or a module, each told in one sentence with what was meant."""

from __future__ import annotations

import difflib
import inspect
import os
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from diagnostics.did_you_mean import did_you_mean
from suite.axes import OPEN, TASKS
from suite.spec import ModelSpec
from suite.worker.errors import Unavailable


class Slip(ValueError):
    """A mistake of the user's in a record or a module; the message says what was expected."""


NOT_THEIRS: Final = (Path(__file__).parent, Path(os.__file__).parent)
"""Folders of this project and of Python: a slip's place is outside of both, and of installed libraries."""
UNKNOWN_ARGUMENT: Final = re.compile(r"unexpected keyword argument '(\w+)'")


@contextmanager
def told_as_slip(spec: ModelSpec, what: str) -> Iterator[None]:
    """Raise a Slip in place of what is raised within the block: its kind, its first line, what was meant, and where."""
    try:
        yield
    except (Unavailable, ImportError):  # what is not here is no slip
        raise
    except Exception as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Slip(
            f"model {spec.name!r}: {what} {type(error).__name__}{_place(error)}: {line}{_meant(spec, error)}"
        ) from error


def _place(error: Exception) -> str:
    """Return the last line of the user's own code that the error passed through; empty if there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [
        frame
        for frame in frames
        if "site-packages" not in frame.filename
        and Path(frame.filename).is_file()
        and not any(Path(frame.filename).is_relative_to(folder) for folder in NOT_THEIRS)
    ]
    return f" in {Path(theirs[-1].filename).name}, line {theirs[-1].lineno}" if theirs else ""


def _meant(spec: ModelSpec, error: Exception) -> str:
    """Return a clause with the name that was meant, where the error is about one that does not exist."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if isinstance(error, NameError) and error.name and last is not None:
        known = (*last.tb_frame.f_locals, *last.tb_frame.f_globals)
        return did_you_mean(error.name, known, is_listed=False)
    if isinstance(error, AttributeError) and error.name:
        return did_you_mean(error.name, dir(error.obj), is_listed=False)
    if isinstance(error, TypeError) and (hit := UNKNOWN_ARGUMENT.search(str(error))):
        return did_you_mean(hit[1], inspect.signature(spec.build).parameters)
    return ""


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
