"""A run folder read from disk: tolerant of every missing, cut-off or foreign file, and saying so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.summary.verdicts import GateTold, gate_of
from suite.record import Record, record_from_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run folder holds."""

    folder: Path
    records: tuple[Record, ...] = ()
    """In the order written; a later record of the same cell and step has replaced the earlier."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    """run.json: run_id, command, started_at, finished_at, options, planned, excluded."""
    gate: GateTold | None = None
    """The newest gate over the run's commit, where one lies beside the runs."""
    problems: tuple[str, ...] = ()
    """One sentence for everything that is missing or damaged."""


def load_run(folder: Path) -> Run:
    """The run in that folder. Never raises for a damaged one: `problems` says what is missing."""
    problems: list[str] = []
    environment = _document(folder / "environment.json", "the machine is not described", problems)
    return Run(
        folder=folder,
        records=_records(folder / "records.jsonl", problems),
        environment=environment,
        gate=gate_of(folder, environment),
        info=_document(
            folder / "run.json", "the command and what was planned are unknown", problems
        ),
        problems=tuple(problems),
    )


def _document(path: Path, loss: str, problems: list[str]) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        problems.append(f"{path.name} is missing: {loss}.")
    except (OSError, ValueError, RecursionError) as error:
        problems.append(f"{path.name} cannot be read ({_short(error)}): {loss}.")
    else:
        if isinstance(data, dict):
            return data
        problems.append(f"{path.name} holds a {type(data).__name__}, not an object: {loss}.")
    return {}


def _records(path: Path, problems: list[str]) -> tuple[Record, ...]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        problems.append(f"{path.name} is missing: no cell of this run was recorded.")
        return ()
    except OSError as error:
        problems.append(f"{path.name} cannot be read ({_short(error)}).")
        return ()
    lines = text.split("\n")
    ends_clean = lines[-1] == ""
    found: dict[str, Record] = {}
    dropped: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            if not isinstance(data, dict):
                raise ValueError(f"a {type(data).__name__}, not an object")
            record = record_from_dict(data)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            if number == len(lines) and not ends_clean:
                problems.append(
                    f"{path.name}: the last line ({number}) is cut off and was dropped;"
                    " the run was stopped while writing it."
                )
            else:
                dropped.append(f"line {number}: {_short(error)}")
            continue
        found.pop(record.key, None)
        found[record.key] = record
    if dropped:
        more = f" (and {len(dropped) - 3} more)" if len(dropped) > 3 else ""
        problems.append(
            f"{path.name}: {len(dropped)} line(s) could not be read and were dropped:"
            f" {'; '.join(dropped[:3])}{more}."
        )
    if not found and not dropped and ends_clean:
        problems.append(f"{path.name} is empty: no cell of this run was recorded.")
    return tuple(found.values())


def _short(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text if len(text) <= 160 else text[:159] + "…"
