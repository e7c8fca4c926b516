"""Worker side. Recipes tried in turn until one gives a graph that agrees with eager."""

from __future__ import annotations

import mmap
import os
import re
import sysconfig
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.axes import EXPORT
from suite.onnx_summary import files_of
from suite.results.export import FAILED, Attempt, ShapeParity
from suite.scratch_folder import PREFIX
from suite.stages.export.failures import ExportError, Reason, one_line, reason_of, summary_line
from suite.stages.export.recipes import ExportRequest, Limits, Recipe
from suite.worker.protocol import Emit


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A graph that was made, and its attempts."""

    recipe: Recipe
    session: Any
    """ONNX Runtime session of the graph."""
    shapes: Sequence[ShapeParity]
    """Comparison of the graph with eager, shape by shape."""
    attempts: Sequence[Attempt]
    """All attempts in order; the last one made the graph unless all graphs failed the comparison."""


def first_that_works(
    recipes: Sequence[Recipe],
    request: ExportRequest,
    open_session: Callable[[Path], Any],
    compare: Callable[[Any, Limits], list[ShapeParity]],
    emit: Emit,
) -> Made:
    """Return the graph of the first recipe that the checker and ONNX Runtime accept and that passes the comparison.

    A graph that fails the comparison counts as a failed attempt, like an exception: exporters have written wrong graphs
    without an error (pytorch#169178). If every graph fails, the first of them is returned with its numbers. Phases
    `export`, `check`, `session` and `parity` repeat for every attempt. Raises ExportError if no graph was written at
    all, and PathLeakError at once: a graph that contains this machine's folders is a bug of this project.
    """
    attempts: list[Attempt] = []
    reasons: list[Reason] = []
    rejected: Made | None = None
    for recipe in recipes:
        begin = time.perf_counter()
        step = EXPORT
        try:
            emit("phase", name=step)
            limits = recipe.export(request)
            refuse_paths(request.path)
            step = "check"
            emit("phase", name=step)
            check(request.path)
            step = "session"
            emit("phase", name=step)
            session = open_session(request.path)
            step = "parity"
            emit("phase", name=step)
            shapes = compare(session, limits)
        except PathLeakError:
            raise
        except Exception as error:
            traceback.print_exc()
            message, shapes = summary_line(error), []
            reasons.append(reason_of(error, request.module))
        else:
            message = next((s.reason for s in shapes if s.verdict == FAILED), "")
        seconds = time.perf_counter() - begin
        attempts.append(
            Attempt(
                recipe=recipe.name,
                seconds=seconds,
                step=step if message else "",
                error=one_line(message),
            )
        )
        if not message:
            _discard(set_aside(request.path))
            return Made(recipe=recipe, session=session, shapes=shapes, attempts=attempts)
        if shapes and rejected is None:
            rejected = Made(recipe=recipe, session=session, shapes=shapes, attempts=attempts)
            for file in files_of(request.path):
                file.replace(set_aside(file))
        else:
            _discard(request.path)
    if rejected is not None:
        for file in (request.path, request.path.with_name(f"{request.path.name}.data")):
            if set_aside(file).exists():
                set_aside(file).replace(file)
        return rejected
    tried = "\n".join(f"  {a.recipe} ({a.step}, {a.seconds:.1f} s): {a.error}" for a in attempts)
    reason = next((reason for reason in reasons if reason.is_known), reasons[0])
    raise ExportError(
        f"no exporter made a graph of this model: {reason.cause}. Cure: {reason.cure}."
        # On a line of their own: the first one stands alone in the terminal.
        f"\n{len(attempts)} attempts:\n{tried}"
    )


def set_aside(path: Path) -> Path:
    """Return the path to which a graph that failed the comparison is moved until all exporters were tried."""
    return path.with_name(f"rejected-{path.name}")


def _discard(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}.data")):
        file.unlink(missing_ok=True)


def check(path: Path) -> None:
    """Raise onnx.checker's ValidationError if the graph is not valid ONNX. It is checked by path, so that its size does
    not matter.
    """
    import onnx

    onnx.checker.check_model(str(path), full_check=True)


# Search of a graph file's bytes for absolute paths of the build machine.


class PathLeakError(RuntimeError):
    """Error raised if a graph contains an absolute path of this machine."""


def machine_paths() -> tuple[str, ...]:
    """Return folders whose names must not be in a graph: source, home, site-packages, temporary and current folder."""
    folders = (
        str(Path(__file__).resolve().parents[3]),
        str(Path.home()),
        sysconfig.get_paths()["purelib"],
        *_temporary_folders(),
        str(Path.cwd()),
    )
    return tuple(dict.fromkeys(f for f in folders if Path(f) != Path(Path(f).anchor)))


def _temporary_folders() -> Iterator[str]:
    folder = Path(tempfile.gettempdir())
    yield str(folder)
    if folder.name.startswith(PREFIX):  # a worker's own, inside the one of the user
        yield str(folder.parent)


def find_paths(file: Path, folders: Iterable[str]) -> list[str]:
    """Return the paths below `folders` that occur in the file's bytes, each once.

    A match needs a separator and three more printable characters: five bytes like `/tmp/` alone occur by chance in half
    a gigabyte of weights.
    """
    found: dict[str, None] = {}
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for folder in folders:
            needle = (folder.rstrip(os.sep) + os.sep).encode()
            at = data.find(needle)
            while at >= 0:
                rest = re.match(
                    rb"[\x20-\x7e]{3,200}", data[at + len(needle) : at + len(needle) + 200]
                )
                if rest:
                    found[(needle + rest[0]).decode()] = None
                at = data.find(needle, at + len(needle))
    return list(found)


def refuse_paths(file: Path, folders: Iterable[str] | None = None) -> None:
    """Raise PathLeakError naming the paths of this machine inside the file."""
    if found := find_paths(file, machine_paths() if folders is None else folders):
        raise PathLeakError(
            f"{file.name} holds {len(found)} absolute paths of this machine, e.g. {found[0]!r}; expected none:"
            " add the metadata key that carries them to suite.stages.export.dynamo.LEAKS"
        )
