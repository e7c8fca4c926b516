"""Results of self-tests of one environment, added up over runs: one JSON file per fingerprint and plan."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from bench.gate.errors import GateError
from bench.gate.power import probability_bound
from diagnostics.atomic_write import write_whole
from diagnostics.codec import decode_as

SCHEMA: Final = 1
PROCEDURE: Final = 2
"""Increased when turns, blocks or tests change: results of an earlier procedure do not hold for this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Number of rows with one known difference, by verdict."""

    rows: int = 0
    regressed: int = 0
    passed: int = 0
    """NO-REGRESSION or IMPROVED."""
    inconclusive: int = 0

    def plus(self, other: Tally) -> Tally:
        """Return the sum of both."""
        return Tally(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        )

    @property
    def recall(self) -> float | None:
        """Share of rows that were called REGRESSED; None without rows."""
        return self.regressed / self.rows if self.rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Sum of squared deviations of block effects from their row's estimate."""

    squares: float = 0.0
    degrees: int = 0

    def plus(self, other: Noise) -> Noise:
        """Return the sum of both."""
        return Noise(squares=self.squares + other.squares, degrees=self.degrees + other.degrees)

    @property
    def spread(self) -> float:
        """Standard deviation of block effects; infinite when unknown."""
        return math.sqrt(self.squares / self.degrees) if self.degrees else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestHistory:
    """All self-tests of one environment."""

    fingerprint: str
    runs: int = 0
    tallies: Mapping[int, Tally] = field(default_factory=dict)
    """Percent of additional work (0 = unchanged) -> verdicts."""
    noise: Mapping[str, Noise] = field(default_factory=dict)
    """Workload -> its noise."""

    def plus(self, other: SelftestHistory) -> SelftestHistory:
        """Return the sum of both; they have the same fingerprint."""
        keys = sorted({*self.tallies, *other.tallies})
        names = sorted({*self.noise, *other.noise})
        return SelftestHistory(
            fingerprint=self.fingerprint,
            runs=self.runs + other.runs,
            tallies={
                k: self.tallies.get(k, Tally()).plus(other.tallies.get(k, Tally())) for k in keys
            },
            noise={n: self.noise.get(n, Noise()).plus(other.noise.get(n, Noise())) for n in names},
        )

    @property
    def false_alarm_bound(self) -> float:
        """Upper 95% bound on the chance that an unchanged row is called REGRESSED."""
        same = self.tallies.get(0, Tally())
        return probability_bound(same.regressed, same.rows)


def load_history(folder: Path, fingerprint: str, plan: str) -> tuple[SelftestHistory, str]:
    """Return the stored history of that environment, and a note if the file is unreadable: then it is empty."""
    path = _path(folder, fingerprint, plan)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']!r}, this version reads {SCHEMA}")
        if (data["fingerprint"], data["procedure"]) != (fingerprint, PROCEDURE):
            raise ValueError("it is of another machine or another procedure")
        return _from(data), ""
    except FileNotFoundError:
        return SelftestHistory(fingerprint=fingerprint), ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        note = f"{path} could not be read ({error}); earlier self-tests are left out"
        return SelftestHistory(fingerprint=fingerprint), note


def save_history(folder: Path, ledger: SelftestHistory, plan: str) -> Path:
    """Write the file atomically. Raises GateError if it cannot be written."""
    path = _path(folder, ledger.fingerprint, plan)
    data = {"schema": SCHEMA, "procedure": PROCEDURE, **asdict(ledger)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(data, indent=1))
    except OSError as error:
        raise GateError(
            f"{path}: cannot be written ({error.strerror}); name another folder with --out"
        ) from error
    return path


C = TypeVar("C", Tally, Noise)


def _from(data: Mapping[str, Any]) -> SelftestHistory:
    return SelftestHistory(
        fingerprint=data["fingerprint"],
        runs=int(data["runs"]),
        tallies={int(k): _counts(Tally, v) for k, v in data["tallies"].items()},
        noise={k: _counts(Noise, v) for k, v in data["noise"].items()},
    )


def _counts(kind: type[C], data: object) -> C:
    """Return the record; raise ValueError for anything but numbers from 0 on."""
    found = decode_as(kind, data)
    values = [getattr(found, entry.name) for entry in fields(found)]
    if not all(0 <= value < math.inf for value in values):
        raise ValueError(f"{kind.__name__.lower()} of {values}; expected numbers from 0 on")
    return found


def _path(folder: Path, fingerprint: str, plan: str) -> Path:
    return folder / f"{fingerprint}-{plan}.json"
