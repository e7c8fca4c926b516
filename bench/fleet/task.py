"""What driver and nodes tell each other: plain data, never an object of a heavy library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.fleet.content import SentFile
from suite.cell import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One step of one cell."""

    cell: Cell
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTask:
    """One attempt at a unit, as a node gets it."""

    run_id: str
    unit: str
    attempt: int
    steps: tuple[PlannedStep, ...]
    is_timed: bool
    options: Mapping[str, Any]
    """JobOptions of the run, with the paths of inputs as they are on the driver's machine."""
    specs: Mapping[str, Mapping[str, Any]]
    """Model -> its record without functions, see `suite.spec_codec`."""
    preload: tuple[str, ...]
    """Modules that the node's launcher imports."""
    deadline: float
    cold_replicates: int
    environment_id: str
    """Fingerprint of the kind."""
    known: tuple[Mapping[str, Any], ...] = ()
    """Records of the unit's cells that are there already: of a resumed run, or of a lost attempt."""
    files: tuple[SentFile, ...] = ()
    worker: str = ""
    """`module:function` that makes the worker, called with the folder for logs; empty = the launcher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A part of a file of the run folder; the last one tells the hash of the whole."""

    path: str
    """Relative to the run folder."""
    number: int
    data: bytes
    sha256: str = ""
    """Empty in all parts but the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a node tells of an attempt: a record, a part of a file, that a step begins, or that everything is told."""

    run_id: str
    unit: str
    attempt: int
    node: str
    record: Mapping[str, Any] | None = None
    part: FilePart | None = None
    step: str = ""
    """Key of the step that begins; empty = the attempt does."""
    is_end: bool = False
    """Whether nothing else comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTask:
    """A job of a node that belongs to no cell, such as the machine's peaks."""

    job: str
    """`Job.to_json()`."""
    preload: tuple[str, ...] = ()
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTask:
    """A part of a gate's rows, measured in both arms on one node."""

    gate_id: str
    part: str
    attempt: int
    rows: tuple[Mapping[str, Any], ...]
    """Each a `bench.gate.row.Row` as data."""
    options: Mapping[str, Any]
    """JobOptions of the gate."""
    specs: Mapping[str, Mapping[str, Any]]
    """Model -> its record without functions."""
    preload: tuple[str, ...]
    plan: str
    deadline: float
    witness: str
    fingerprint: str
    base: Mapping[str, Any]
    """What the driver knows of base: label, sha, changed, uncommitted."""
    files: tuple[SentFile, ...]
    """The archive of base's source tree; head is what the node imports."""
    num_rows: int = 0
    """Rows of the whole gate."""
    judge: str = ""
    """`module:function` that judges, in tests; empty = `bench.gate.run.judge_here`."""
