"""Records of a user's models file without the callables, so the parent need not execute the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from suite.catalog import specs_in
from suite.lifecycle import Finetuning, Pruning, Quantization, Training
from suite.results.step_output import StepOutput
from suite.results.step_result import StepResult
from suite.spec import Export, Gap, Metric, ModelSpec, Size, Tolerance
from suite.worker.protocol import Emit, Job

RUNNER = "suite.spec_codec:run"

LIFE = {
    "training": Training,
    "finetuning": Finetuning,
    "pruning": Pruning,
    "quantization": Quantization,
}
"""Field of a size -> its type."""


CALLABLES: Final = ("pretrained", "inputs", "batch", "loss")
"""Optional fields of a record that are functions; as JSON, whether they are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecsResult(StepResult):
    """The records of a models file, as returned by `to_dict`."""

    specs: tuple[dict[str, Any], ...] = ()


def run(job: Job, emit: Emit) -> StepOutput[SpecsResult]:
    """Worker side. Return the records of the job's models file; raise CatalogError."""
    emit("phase", name="import")
    specs = specs_in(Path(job.options.models_from))
    return StepOutput(result=SpecsResult(specs=tuple(map(to_dict, specs))))


def to_dict(spec: ModelSpec) -> dict[str, Any]:
    """Return the record without its functions; of the optional ones a flag says whether they are there."""
    export = replace(spec.export, translations={})
    metric = replace(spec.metric, function=_elsewhere, trivial=None) if spec.metric else None
    here = {name: _elsewhere if getattr(spec, name) else None for name in CALLABLES}
    data = asdict(replace(spec, build=_elsewhere, export=export, metric=metric, **here))  # type: ignore[arg-type]
    del data["build"]
    if data["metric"]:
        del data["metric"]["function"]
    return {**data, **{name: value is not None for name, value in here.items()}}


def from_dict(data: Mapping[str, Any]) -> ModelSpec:
    """Return the record for the parent; calling its `build` there raises AssertionError."""
    fields = dict(data)
    export = dict(fields["export"])
    # JSON has no integer keys.
    export["dynamic"] = {
        name: {int(axis): label for axis, label in axes.items()}
        for name, axes in export["dynamic"].items()
    }
    fields |= {
        "build": _elsewhere,
        **{name: _elsewhere if fields.get(name) else None for name in CALLABLES},
        "metric": Metric(**fields["metric"], function=_elsewhere) if fields.get("metric") else None,
        "sizes": {name: _size(size) for name, size in fields["sizes"].items()},
        "outputs": tuple(fields["outputs"]),
        "requires": tuple(fields["requires"]),
        "tags": tuple(fields["tags"]),
        "head": tuple(fields["head"]),
        "export": Export(**export),
        "tolerance": Tolerance(**fields["tolerance"]),
        "gaps": tuple(Gap(**gap) for gap in fields["gaps"]),
    }
    return ModelSpec(**fields)


def _size(data: Mapping[str, Any]) -> Size:
    """Return one size, with lists as tuples: JSON has no tuples."""
    parts = {
        name: kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in data[name].items()})
        for name, kind in LIFE.items()
    }
    return Size(**{**data, **parts})


def _elsewhere(**_: object) -> Any:
    raise AssertionError("a user's model is built in a worker only")
