"""Loading of a run folder: tolerates and reports every missing, truncated or foreign file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.record import Record, record_from_dict
from suite.runs.machine import FILE as MACHINE
from suite.runs.machine import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Content of a run folder."""

    folder: Path
    records: tuple[Record, ...] = ()
    """Records in the order written; a later record of the same cell and step replaces the earlier."""
    machine: Machine | None = None
    """None if `environment.json` is missing or damaged."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """run.json: run_id, command, started_at, finished_at, options, planned, excluded."""
    problems: tuple[str, ...] = ()
    """One sentence for each missing or damaged item."""


def load_run(folder: Path) -> Run:
    """Return the run in that folder. Does not raise for a damaged one: `problems` lists what is missing."""
    problems: list[str] = []
    machine = _machine(folder / MACHINE, problems)
    return Run(
        folder=folder,
        records=_records(folder / "records.jsonl", problems),
        machine=machine,
        info=_document(
            folder / "run.json", "the command and what was planned are unknown", problems
        )
        or {},
        problems=tuple(problems),
    )


def _machine(path: Path, problems: list[str]) -> Machine | None:
    loss = "the machine is not described"
    data = _document(path, loss, problems)
    if data is None:
        return None
    try:
        return Machine.from_dict(data)
    except ValueError as error:
        problems.append(f"{path.name} does not describe a machine ({_short(error)}): {loss}.")
        return None


def _document(path: Path, loss: str, problems: list[str]) -> dict[str, Any] | None:
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
    return None


def _records(path: Path, problems: list[str]) -> tuple[Record, ...]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        problems.append(f"{path.name} is missing: no cell of this run was recorded.")
        return ()
    except OSError as error:
        problems.append(f"{path.name} cannot be read ({_short(error)}).")
        return ()
    found: dict[str, Record] = {}
    dropped: list[str] = []
    unread: list[str] = []
    is_cut_off = False
    with file:  # line by line: the text of a long run would take as much memory as its report
        for number, raw in enumerate(file, start=1):
            line = raw.decode("utf-8", "replace")
            if not line.strip():
                continue
            try:
                data = json.loads(line)
                if not isinstance(data, dict):
                    raise ValueError(f"a {type(data).__name__}, not an object")
                record = record_from_dict(data)
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                if raw.endswith(b"\n"):
                    dropped.append(f"line {number}: {_short(error)}")
                else:
                    is_cut_off = True
                    problems.append(
                        f"{path.name}: the last line ({number}) is cut off and was dropped;"
                        " the run was stopped while writing it."
                    )
                continue
            if record.unread:
                unread += [f"line {number}: {_shortened(text)}" for text in record.unread]
            key = record.key
            found.pop(key, None)
            found[key] = record
    if dropped:
        problems.append(
            f"{path.name}: {len(dropped)} line(s) could not be read and were dropped:"
            f" {_first_three(dropped)}."
        )
    if unread:
        problems.append(
            f"{path.name}: {len(unread)} field(s) could not be read and were left out:"
            f" {_first_three(unread)}."
        )
    if not found and not dropped and not is_cut_off:
        problems.append(f"{path.name} is empty: no cell of this run was recorded.")
    return tuple(found.values())


def _first_three(texts: list[str]) -> str:
    more = f" (and {len(texts) - 3} more)" if len(texts) > 3 else ""
    return f"{'; '.join(texts[:3])}{more}"


def _short(error: BaseException) -> str:
    return _shortened(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _shortened(text: str) -> str:
    return text if len(text) <= 160 else text[:159] + "…"
