"""Worker side. Open task: inputs, batches, loss and metric that a record brings itself, in the form of a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from suite.axes import OWN
from suite.data.sources import Source
from suite.data.splits import TRAIN_SPLIT
from suite.flat_tensors import flatten_outputs
from suite.quality import worst
from suite.results.step_result import DataSet
from suite.spec import Metric, ModelSpec
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples
from suite.tasks.ready_inputs import cut_or_repeated, named_inputs, rows_of
from suite.worker.errors import Unsupported

POOL: Final = 256
"""Samples of a split that are asked of `batch` at once; twice as many for training."""
TARGET: Final = "target"
"""Name of targets that are a single tensor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenParts:
    """What a record, or a task of this form, brings: see the fields of ModelSpec."""

    inputs: Callable[..., Any] | None = None
    batch: Callable[..., Any] | None = None
    loss: Callable[..., Any] | None = None
    metric: Metric | None = None
    data: str = OWN
    """Name of the data set, for reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """The functions of a task, made of the parts."""

    spec: ModelSpec
    parts: OpenParts

    def batch(
        self, inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
    ) -> Batch:
        """Return a batch of that many samples; raise ValueError naming what `inputs` or `batch` should return."""
        del source
        data = DataSet(name=self.parts.data, split=split, preprocessing="as the record gives them")
        if self.parts.batch is not None:
            values, targets = self._drawn(inputs, num_samples=num_samples, seed=seed, split=split)
            return Batch(
                inputs=rows_of(values, num_samples),
                targets=rows_of(targets, num_samples),
                num_samples=num_samples,
                data=data,
            )
        assert self.parts.inputs is not None, "a record has inputs or batch"
        given = {k: v for k, v in inputs.items() if k not in _extents(self.spec)}
        ready = named_inputs(self.spec, self.parts.inputs(**given))
        values = cut_or_repeated(self.spec, ready, num_samples=num_samples, seed=seed)
        return Batch(inputs=values, num_samples=num_samples, data=data)

    def examples(
        self, inputs: Mapping[str, Any], source: Source, *, seed: int, split: str
    ) -> Examples:
        """Return the samples of a split; raise Unsupported if the record has none with targets."""
        del source
        self._need("batch")
        count = POOL * (2 if split == TRAIN_SPLIT else 1)
        values, targets = self._drawn(inputs, num_samples=count, seed=seed, split=split)
        number = len(next(iter(values.values())))
        return Examples(data=(values, targets), make=_row, seed=seed, indices=range(number))  # type: ignore[arg-type]

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        """Return the record's loss of the module's answers; raise Unsupported without one."""
        self._need("loss")
        assert self.parts.loss is not None
        outputs = flatten_outputs(module(**batch.inputs), self.spec.outputs)
        found = self.parts.loss(self._answers(outputs), _plain(batch.targets))
        if not isinstance(found, Tensor) or found.numel() != 1:
            raise ValueError(
                f"model {self.spec.name!r}: `loss` returned {_shown(found)}; expected one number as a tensor"
            )
        return found

    def judge(
        self, outputs: Sequence[Tensor], batch: Batch, names: Sequence[str] = ()
    ) -> dict[str, Tensor]:
        """Return the answers and targets of the batch, for `summarize`."""
        del names
        found = {f"answer {n}": t for n, t in zip(self.spec.outputs, outputs, strict=False)}
        return {**found, **{f"target {n}": t.cpu() for n, t in batch.targets.items()}}

    def summarize(self, parts: Sequence[Mapping[str, Tensor]]) -> float:
        """Return the record's metric over all batches; raise Unsupported without one."""
        self._need("metric")
        assert self.parts.metric is not None
        whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        outputs = [whole[f"answer {n}"] for n in self.spec.outputs if f"answer {n}" in whole]
        targets = {
            n.removeprefix("target "): t for n, t in whole.items() if n.startswith("target ")
        }
        return float(self.parts.metric.function(self._answers(outputs), _plain(targets)))

    def trivial(self, batches: Sequence[Batch]) -> float:
        """Return the metric of an answer that ignores the input, or the worst value if the record gives none."""
        metric = self.parts.metric
        if metric is None or metric.trivial is None:
            return worst(self.spec.scale)
        names = batches[0].targets
        return float(
            metric.trivial(_plain({n: torch.cat([b.targets[n] for b in batches]) for n in names}))
        )

    def _need(self, part: str) -> None:
        have = [n for n in ("inputs", "batch", "loss", "metric") if getattr(self.parts, n)]
        if getattr(self.parts, part) is None:
            raise Unsupported(
                f"{self.spec.name} brings {' and '.join(f'`{n}`' for n in have)}; this step needs `batch`, `loss` and"
                " `metric` on its record: next: docs/your-models.md, A task of your own"
            )

    def _answers(self, outputs: Sequence[Tensor]) -> Any:
        """Return what loss and metric take: the output that `answer` names, the only one, or all by name."""
        spec = self.spec
        if len(outputs) < len(spec.outputs):
            raise ValueError(
                f"model {spec.name!r} returns {len(outputs)} tensors; its record names {len(spec.outputs)}:"
                f" {', '.join(spec.outputs)}"
            )
        if spec.answer:
            return outputs[spec.outputs.index(spec.answer)]
        if len(spec.outputs) == 1:
            return outputs[0]
        return dict(zip(spec.outputs, outputs, strict=False))

    def _drawn(
        self, inputs: Mapping[str, Any], *, num_samples: int, seed: int, split: str
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the inputs and targets that the record's `batch` gives, checked."""
        spec = self.spec
        assert self.parts.batch is not None
        found = self.parts.batch(num_samples=num_samples, seed=seed, split=split, **inputs)
        if not isinstance(found, tuple) or len(found) != 2:
            raise ValueError(
                f"model {spec.name!r}: `batch` returned {_shown(found)}; expected a tuple of two: inputs and targets"
            )
        values, targets = named_inputs(spec, found[0]), _named_targets(found[1])
        counts = {name: len(t) if t.ndim else 0 for name, t in {**values, **targets}.items()}
        if len(set(counts.values())) != 1 or not all(counts.values()):
            raise ValueError(
                f"model {spec.name!r}: `batch` returned tensors with {counts} samples; expected the same number, first"
                " in every tensor, at least 1"
            )
        return values, targets


def _extents(spec: ModelSpec) -> set[str]:
    """Return the names of the dynamic axes: `--length` and the like change them in the tensors, not in a call."""
    return {name for axes in spec.export.dynamic.values() for name in axes.values()}


def _row(data: Any, index: int, rng: np.random.Generator) -> Example:
    """Return one sample of the pool."""
    del rng
    values, targets = data
    return Example(
        inputs={name: tensor[index] for name, tensor in values.items()},
        targets={name: tensor[index] for name, tensor in targets.items()},
    )


def _named_targets(targets: Any) -> dict[str, Tensor]:
    if isinstance(targets, Tensor):
        return {TARGET: targets}
    if isinstance(targets, Mapping):
        return dict(targets)
    if isinstance(targets, (tuple, list)) and all(isinstance(t, Tensor) for t in targets):
        return {str(place): tensor for place, tensor in enumerate(targets)}
    raise ValueError(f"`batch` returned {_shown(targets)} as targets; expected tensors")


def _plain(targets: Mapping[str, Tensor]) -> Any:
    """Return targets in the form in which the record gave them."""
    if set(targets) == {TARGET}:
        return targets[TARGET]
    if all(name.isdigit() for name in targets):
        return tuple(targets.values())
    return dict(targets)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)}"
    return f"{type(value).__name__}" + (f" of {len(value)}" if hasattr(value, "__len__") else "")
