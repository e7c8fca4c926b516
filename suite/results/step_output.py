"""StepOutput: the return value of a runner and its serialization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from diagnostics.codec import decode, encode
from suite.measurement import Artifact, Measurement, measurement_from
from suite.results.schema1 import split_facts
from suite.results.step_result import DataSet, StepResult, UnknownResult

R = TypeVar("R", bound=StepResult)
K = TypeVar("K", bound=StepResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutput(Generic[R]):
    """Findings, measurements and files of a runner."""

    result: R
    measurements: tuple[Measurement, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    data: DataSet | None = None
    """Data set of the samples."""


def encode_result(result: StepResult | None) -> Any:
    """Return the result as JSON-able data, without empty fields."""
    return encode(result.data if isinstance(result, UnknownResult) else result, sparse=True)


def decode_result(kind: type[K], data: Any, problems: list[str] | None = None) -> K:
    """Return the result in that JSON data; see `diagnostics.codec.decode` for `problems` and errors."""
    if issubclass(kind, UnknownResult):
        return kind(data=dict(data))
    found: K = decode(kind, data, problems)
    return found


def encode_output(output: StepOutput[Any]) -> dict[str, Any]:
    """Return the output as JSON-able data."""
    return {
        "result": encode_result(output.result),
        "measurements": [encode(row, sparse=True) for row in output.measurements],
        "artifacts": encode(output.artifacts),
        **({"data": encode(output.data, sparse=True)} if output.data else {}),
    }


def decode_output(
    kind: type[K], data: Mapping[str, Any], problems: list[str] | None = None
) -> StepOutput[K]:
    """Return the output that `encode_output` gave, or that a worker of an older source tree returned as facts.

    Raises ValueError with the invalid field; fields of an older tree that do not fit are left out and named in
    `problems` if it is given.
    """
    problems = [] if problems is None else problems
    if "result" in data:
        result, source = decode_result(kind, data["result"]), data.get("data")
        measurements = tuple(measurement_from(row) for row in data.get("measurements", ()))
    else:
        split = split_facts(data.get("facts", {}))
        result, source = decode_result(kind, split.result, problems), split.data
        measurements = tuple(
            measurement_from(row, problems) for row in data.get("measurements", ())
        )
    return StepOutput(
        result=result,
        measurements=measurements,
        artifacts=decode(tuple[Artifact, ...], data.get("artifacts", ())),
        data=decode(DataSet | None, source),
    )


def widened(kind: type[K], base: object, **more: Any) -> K:
    """Return a `kind` with the fields of `base`, an instance of one of its base classes, and with `more`."""
    held = {item.name: getattr(base, item.name) for item in fields(base)}  # type: ignore[arg-type]
    return kind(**{**held, **more})
