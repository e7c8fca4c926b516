"""Worker side. Recipes tried in turn until one gives a graph that the checker and ONNX Runtime
take.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from suite.stages.export.clean import PathLeakError, refuse_paths
from suite.stages.export.recipes import Recipe, Request
from suite.stages.export.summary import files_of
from suite.worker.protocol import Emit


class ExportError(RuntimeError):
    """No recipe made a usable graph; the message lists every attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One recipe's try."""

    recipe: str
    seconds: float
    step: str = ""
    """Where it failed: export, check or session; empty = it worked."""
    error: str = ""


def first_that_works(
    recipes: Sequence[Recipe],
    request: Request,
    open_session: Callable[[Path], Any],
    emit: Emit,
) -> tuple[Recipe, Any, list[Attempt]]:
    """The recipe that made `request.path`, an open session of it, and all attempts in order.

    Phases `export`, `check` and `session`, again for every attempt. Raises ExportError when none
    works, and PathLeakError at once: a graph that names this machine's folders is our bug, not the
    model's.
    """
    attempts: list[Attempt] = []
    for recipe in recipes:
        begin = time.perf_counter()
        step = "export"
        try:
            emit("phase", name=step)
            recipe.export(request)
            refuse_paths(request.path)
            step = "check"
            emit("phase", name=step)
            check(request.path)
            step = "session"
            emit("phase", name=step)
            session = open_session(request.path)
        except PathLeakError:
            raise
        except Exception as error:
            traceback.print_exc()
            seconds = time.perf_counter() - begin
            message = f"{type(error).__name__}: {short(str(error))}"
            attempts.append(Attempt(recipe=recipe.name, seconds=seconds, step=step, error=message))
            for file in files_of(request.path):
                file.unlink(missing_ok=True)
        else:
            attempts.append(Attempt(recipe=recipe.name, seconds=time.perf_counter() - begin))
            return recipe, session, attempts
    tried = "\n".join(f"  {a.recipe} ({a.step}, {a.seconds:.1f} s): {a.error}" for a in attempts)
    raise ExportError(
        f"no exporter made a graph of this model; {len(attempts)} attempts:\n{tried}\nNext: the whole tracebacks are"
        " in the log; fix the model's forward, or declare a Gap(stage='export', ...) with its reason"
    )


def check(path: Path) -> None:
    """Raises onnx.checker's ValidationError when the graph is not valid ONNX. By path, so that
    size does not matter.
    """
    import onnx

    onnx.checker.check_model(str(path), full_check=True)


def short(text: str, limit: int = 400) -> str:
    """The first lines of an exporter's message: its cause, without the report it appends."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    joined = " ".join(lines)
    return joined if len(joined) <= limit else f"{joined[: limit - 1]}…"


def as_dicts(attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """The attempts as JSON-able data."""
    return [asdict(attempt) for attempt in attempts]
