"""Record: what one worker brought home, kept as data.

Schema history
  1  first version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from suite.cell import Cell
from suite.outcome import Outcome

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a cell did not pass."""

    kind: str
    """Exception class, signal name, `deadline`, `gap` ..."""
    message: str
    phase: str = ""
    """The phase the worker was in."""
    log_tail: str = ""
    """Last lines of the worker's own output, traceback included."""
    log: str = ""
    """The whole log, as a path relative to the run folder."""
    url: str = ""
    """For a gap: where it is discussed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Samples of one metric: data only, nothing derived."""

    metric: str
    """A row of `bench.metrics.METRICS`, e.g. `latency`."""
    unit: str
    """s, B, 1 (a count) ..."""
    samples: tuple[float, ...]
    """One per round, or a single value for a deterministic metric."""
    warmup: tuple[float, ...] = ()
    """Samples of the warm-up, kept, never used."""
    iterations_per_sample: int = 1
    """Inner repeats that each sample is already divided by."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else was seen while measuring: why it stopped, void rounds, sentinel, threads, throttling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that the work left in the run folder."""

    kind: str
    """onnx, log ..."""
    path: str
    """Relative to the run folder."""
    num_bytes: int
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One cell seen through one instrument (latency, memory, ...) or one stage (export, ...)."""

    run_id: str
    cell: Cell
    step: str
    """Instrument or stage: latency, memory, coldstart, size, export."""
    outcome: Outcome
    failure: Failure | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    """Phase -> seconds, in the order in which they ran."""
    measurements: tuple[Measurement, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the step says of itself: parity, threads, data set, ONNX summary ..."""
    environment_id: str = ""
    """Fingerprint of the machine and its software."""
    started_at: str = ""
    """UTC, ISO 8601."""
    seconds: float = 0.0
    """Wall time of the whole job, launch included; for planning, never a result."""
    schema: int = SCHEMA

    @property
    def key(self) -> str:
        """What is unique within a run."""
        return f"{self.cell.id}/{self.step}"

    def measurement(self, metric: str) -> Measurement | None:
        """The measurement of that metric, or None."""
        return next((m for m in self.measurements if m.metric == metric), None)

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON-able data."""
        return asdict(self)


def record_from_dict(data: Mapping[str, Any]) -> Record:
    """The record that `as_dict` gave; raises ValueError when its schema is newer or a field is off."""
    schema = data.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise ValueError(
            f"record schema is {schema!r}; this version reads up to {SCHEMA}: upgrade torch-vitals"
        )
    try:
        fields = dict(data)
        fields["cell"] = Cell(**fields["cell"])
        fields["outcome"] = Outcome(fields["outcome"])
        if fields.get("failure") is not None:
            fields["failure"] = Failure(**fields["failure"])
        fields["measurements"] = tuple(
            Measurement(
                **{**m, "samples": tuple(m["samples"]), "warmup": tuple(m.get("warmup", ()))}
            )
            for m in fields.get("measurements", ())
        )
        fields["artifacts"] = tuple(Artifact(**a) for a in fields.get("artifacts", ()))
        return Record(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a record of schema {schema}: {error}") from error
