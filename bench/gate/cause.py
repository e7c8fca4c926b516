"""Likely causes of a confirmed regression, and the command that bisects to its commit."""

from __future__ import annotations

import itertools
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.gate.arm import Arm
from bench.gate.row import Cause, Row
from bench.gate.source_tree import SourceTree
from bench.instruments.options import LATENCY, GraphPairOptions, ProfileOptions
from bench.instruments.results import GraphPairResult, ProfileResult
from suite.axes import BACKENDS, ORIGINAL
from suite.engine.steps import graph_cell
from suite.import_root import PREFIX, TREE
from suite.origins.reference import Reference
from suite.record import Record
from suite.worker.job_options import JobOptions, Origin
from suite.worker.protocol import Job

PROFILE: Final = "bench.instruments.profile:run"
GRAPHS: Final = "bench.instruments.graph_pair:run"
MAX_OPERATORS: Final = 5
TIME: Final = "time"
"""The witness that every gate has, which needs no option."""
MAX_FILES: Final = 8
KEPT: Final = ("--weights", "--data", "--seed", "--train-on", "--max-drop", "--deadline")
"""Options that decide what a row is, besides those of its cell: a command for it alone gives them again."""
SOURCE_SUFFIXES: Final = (".py", ".toml", ".txt", ".json", ".yaml", ".cpp", ".cu", ".h")
UNLIKELY_FOLDERS: Final = ("tests/", "docs/", "bench/", "diagnostics/", ".github/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """What a command that compares one row again takes over from this gate."""

    plan: str
    witness: str = TIME
    threads: int = 0
    python: str = ""
    """Interpreter of the base arm; empty = the same as that of head."""
    options: tuple[tuple[str, str], ...] = ()
    """Further options and their values, see KEPT; those that are paths are absolute."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Model -> where it comes from, for those that `--models` names otherwise than by their name."""


def find_cause(row: Row, arms: Mapping[str, Arm], folder: Path, repeat: Repeat) -> Cause:
    """Collect what differs between the arms in that cell. Never raises: what could not be examined is in `problems`."""
    problems: list[str] = []
    snapshot = folder / f"{row.cell.file_stem}-memory.pickle"
    profiles = {}
    for name, arm in arms.items() if row.step == LATENCY else ():
        wanted = ProfileOptions(snapshot=str(snapshot) if name == "head" else "")
        record = arm.session.attempt(
            row.cell,
            "latency",
            runner=PROFILE,
            result=ProfileResult,
            label="profile",
            options=wanted,
        )
        if isinstance(record.result, ProfileResult):
            profiles[name] = record.result.operators
        else:
            problems.append(f"no profile of {name}: {_why(record)}")
    operators = operator_rows(profiles["base"], profiles["head"]) if len(profiles) == 2 else ()
    base = arms["base"].sources
    return Cause(
        operators=tuple(operators[:MAX_OPERATORS]),
        graph=_graphs(row, arms, problems) if row.step == LATENCY else "",
        files=tuple(likely_files(base.changed))[:MAX_FILES],
        snapshot=snapshot.name if snapshot.exists() else "",
        bisect=bisect_command(row, base, arms["head"].sources, repeat),
        again=gate_command(row, base, arms["head"].sources, repeat),
        problems=tuple(problems),
    )


def operator_rows(
    base: Mapping[str, Sequence[float]], head: Mapping[str, Sequence[float]]
) -> list[dict[str, Any]]:
    """Return operators with seconds and calls per pass, largest slowdown in head first."""
    rows = []
    for name in base.keys() | head.keys():
        before, after = base.get(name, (0.0, 0.0)), head.get(name, (0.0, 0.0))
        rows.append(
            {
                "operator": name,
                "base_seconds": before[0],
                "head_seconds": after[0],
                "base_calls": before[1],
                "head_calls": after[1],
            }
        )
    # Another number of calls is certain, a difference in time may be noise: so it comes first.
    return sorted(
        rows,
        key=lambda r: (
            -(round(r["head_calls"] - r["base_calls"], 3) > 0),
            r["base_seconds"] - r["head_seconds"],
        ),
    )


def likely_files(changed: Sequence[str]) -> list[str]:
    """Return the changed files that a model can depend on; all changed files if there is none.

    Both arms use head's instruments, so that a change of those cannot be the cause.
    """
    likely = [
        f for f in changed if f.endswith(SOURCE_SUFFIXES) and not f.startswith(UNLIKELY_FOLDERS)
    ]
    return likely or list(changed)


def gate_command(row: Row, base: SourceTree, head: SourceTree, repeat: Repeat) -> str:
    """Return the command that compares this cell alone with base's commit, to be run in the repository's root; empty if
    base is no commit.
    """
    if not base.sha:
        return ""
    cell = row.cell
    model, file = _model_of(cell.model, repeat.origins)
    own = head.models_from or file
    here = _repository(own) if own else TREE
    program = ("vitals", "bench") if PREFIX else ("pytest", _beside(TREE / "bench", here))
    if file is not None:
        model = f"{_beside(file, here)}{model}"
    words = [
        *(_beside(Path(sys.executable), here), "-m", *program, "-q"),
        *("--against", base.sha[:12]),
        *("--models", model, "--size", cell.size, "--backend", cell.backend),
        *("--device", cell.device, "--dtype", cell.dtype, "--batch", str(cell.batch)),
        *(("--length", str(cell.length)) if cell.length else ()),
        *(("--variant", cell.variant) if cell.variant != ORIGINAL else ()),
        *(("--threads", str(repeat.threads)) if repeat.threads else ()),
        *("--plan", repeat.plan),
        *(("--witness", repeat.witness) if repeat.witness != TIME else ()),
        *(("--gated", row.step) if row.step != LATENCY else ()),
        *(("--against-python", _beside(Path(repeat.python), here)) if repeat.python else ()),
        *(word for name, value in repeat.options for word in (name, _placed(value, here))),
    ]
    if base.models_from is not None:
        words += ["--models-from", _beside(base.models_from, _repository(base.models_from))]
    return shlex.join(words)


def bisect_command(row: Row, base: SourceTree, head: SourceTree, repeat: Repeat) -> str:
    """Return a `git bisect run` command line for the repository's root; empty if there are no commits to bisect.

    Exit codes above 1 do not judge the commit: it is skipped (125). So is one that wall time cannot judge, unless
    it was the work that grew: then that judges.
    """
    if not base.sha or base.uncommitted:
        return ""
    command = gate_command(row, base, head, repeat)
    strict = "" if row.has_more_work else " --strict"
    script = f"{command}{strict}; code=$?; [ $code -le 1 ] || code=125; exit $code"
    return (
        f"git bisect start HEAD {base.sha[:12]} && git bisect run sh -c {shlex.quote(script)}"
        "; git bisect reset"
    )


def kept_options(command: str, started_in: Path) -> tuple[tuple[str, str], ...]:
    """Return the options of KEPT that a command line gives, with their values; a path in it becomes an absolute one."""
    words = [part for word in shlex.split(command) for part in _parts(word)]
    found = []
    for name, value in itertools.pairwise(words):
        if name in KEPT:
            place = started_in / value
            found.append((name, str(place.resolve()) if place.exists() else value))
    return tuple(found)


def _parts(word: str) -> tuple[str, ...]:
    """Return `--seed=3` as its two words."""
    name, equals, value = word.partition("=")
    return (name, value) if equals and name in KEPT else (word,)


def _placed(value: str, folder: Path) -> str:
    return _beside(Path(value), folder) if Path(value).is_absolute() else value


def _model_of(model: str, origins: Mapping[str, Origin]) -> tuple[str, Path | None]:
    """Return what `--models` calls the model; for one of a file what stands behind the file's path, and the path."""
    if model not in origins:
        return model, None
    kind, _, target = origins[model].text.partition(":")
    path = Reference(kind=kind, target=target).path
    if path is None:
        return origins[model].text, None
    return target.removeprefix(str(path)), path


def _repository(path: Path) -> Path:
    """Return the root of the repository that contains the file; its folder if there is none."""
    return next((p for p in path.parents if (p / ".git").exists()), path.parent)


def _beside(path: Path, folder: Path) -> str:
    """Return the path relative to the folder if they share more than a root, else the absolute path."""
    try:
        shared = Path(os.path.commonpath([path, folder]))
    except ValueError:  # on another drive
        return str(path)
    return os.path.relpath(path, folder) if shared != Path(shared.anchor) else str(path)


def _graphs(row: Row, arms: Mapping[str, Arm], problems: list[str]) -> str:
    """Describe how the two arms' ONNX graphs differ; empty for a backend without graphs."""
    cell = graph_cell(row.cell)
    paths = [arm.session.graph_of(cell) for arm in arms.values()]
    if not BACKENDS[row.cell.backend].needs_graph or not all(p.is_file() for p in paths):
        return ""
    head = arms["head"]
    before, after = (arms[name].session.graph_of(cell) for name in ("base", "head"))
    answer = head.worker.run(
        Job(
            runner=GRAPHS,
            options=JobOptions().extended(GraphPairOptions(before=str(before), after=str(after))),
            deadline=head.session.request.deadline,
            log=str(head.session.folder.logs / "graphs.log"),
        )
    )
    if answer.failure is not None:
        problems.append(f"the graphs could not be compared: {answer.failure.message}")
        return ""
    return "; ".join(answer.read(GraphPairResult).lines)


def _why(record: Record) -> str:
    return record.failure.message.splitlines()[0] if record.failure else record.outcome.value
