"""ModelSpec: the record of a model, built-in or a user's.

Importing this file, or a file of records, must not import torch: the callables of a record do heavy imports when
called. A user's own file may import anything; it is only opened in a worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from diagnostics.did_you_mean import did_you_mean
from suite.axes import (
    BACKENDS,
    DTYPES,
    GENERATES,
    OPEN,
    ORIGINAL,
    SIZES,
    STAGES,
    TASKS,
    VARIANTS,
    scale_text,
)
from suite.lifecycle import Finetuning, Pruning, Quantization, Training
from suite.tolerance import Tolerance as Tolerance

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A combination known not to work, with the reason; it is skipped and shown, never hidden."""

    stage: str = ANY
    backend: str = ANY
    device: str = ANY
    dtype: str = ANY
    size: str = ANY
    variant: str = ANY
    data: str = ANY
    """Name of a data set (`coco`): a small model may learn from one and not from another."""
    kind: str = "unsupported"
    """unsupported (cannot work, not tried) or known_bug (tried, must fail: a strict xfail)."""
    reason: str
    url: str

    def __post_init__(self) -> None:
        if self.kind not in ("unsupported", "known_bug"):
            raise ValueError(f"Gap.kind is {self.kind!r}; expected 'unsupported' or 'known_bug'")
        if not self.reason or not self.url:
            raise ValueError("a Gap needs a reason and a url: a reader must be able to check it")

    def covers(
        self,
        *,
        stage: str,
        backend: str,
        device: str,
        dtype: str,
        size: str,
        variant: str = ORIGINAL,
        data: str = "",
    ) -> bool:
        """Return whether the combination is in this gap (device `cuda:1` matches `cuda`)."""
        asked = (stage, backend, device.partition(":")[0], dtype, size, variant, data)
        own = (self.stage, self.backend, self.device, self.dtype, self.size, self.variant)
        held = (*own, self.data)
        return all(h in (ANY, a) for h, a in zip(held, asked, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One size of a model: build arguments, inputs and life settings."""

    build: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of `ModelSpec.build`."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The task's settings for a batch, e.g. side, channels, classes, length, vocabulary."""
    training: Training = field(default_factory=Training)
    finetuning: Finetuning = field(default_factory=Finetuning)
    pruning: Pruning = field(default_factory=Pruning)
    quantization: Quantization = field(default_factory=Quantization)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Settings of the export to an ONNX graph."""

    recipe: str = "dynamo"
    """First recipe to try; a row of `suite.stages.export.recipes.RECIPES`."""
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    """Dynamic axes: input name -> axis -> axis name, e.g. {"input_ids": {0: "batch", 1: "sequence"}}."""
    second: Mapping[str, int] = field(default_factory=dict)
    """Axis name -> second extent at which parity is checked; missing = half the example's, at least 2."""
    static_reason: str = ""
    """Reason why an axis that a user would expect to be dynamic is static."""
    translations: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Worker side: operator unknown to ONNX, e.g. "mylib::soft_clip" -> a function that computes it with onnxscript's
    operators (torch.onnx.export's `custom_translation_table`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Quality metric of an open task."""

    name: str
    function: Callable[..., Any]
    """Worker side: `function(answers, targets) -> float` over all test samples; both as `ModelSpec.loss` takes them."""
    unit: str = "1"
    """"%" (changes are percentage points), "1" for a plain number, or a unit's name."""
    direction: str = "higher"
    """Which is better: higher or lower."""
    is_relative: bool = True
    """Whether changes are given in percent of the metric, not in its unit."""
    trivial: Callable[..., Any] | None = None
    """Worker side: `trivial(targets) -> float`, the metric of an answer that ignores the input; None = not compared."""

    def __post_init__(self) -> None:
        if self.direction not in ("higher", "lower"):
            raise ValueError(
                f"Metric.direction is {self.direction!r}; expected 'higher' or 'lower': which is better"
            )
        if not callable(self.function):
            raise ValueError(
                f"Metric.function is {self.function!r}; expected a function of (answers, targets)"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model of the catalogue."""

    name: str
    """Unique; letters, digits, '_', '.', '-'; becomes part of test ids and file names."""
    family: str = "own"
    """classic, vision, detection, segmentation, video, text, speech, generative, or a user's own."""
    task: str = OPEN
    """A row of `suite.axes.TASKS`; `open` = the record brings `inputs` or `batch`."""
    build: Callable[..., Any]
    """Worker side: `build(**sizes[size].build) -> torch.nn.Module` with random weights; seeded by the caller."""
    sizes: Mapping[str, Size]
    """`tiny`, `base` or both."""
    outputs: tuple[str, ...]
    """Names of the output tensors in their order in the model's (nested) result."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Input of the task -> argument of `forward`, if different, e.g. {"x": "pixel_values"}."""
    inputs: Callable[..., Any] | None = None
    """Open task, worker side: `inputs(**Size.inputs)` returns ready inputs, a tensor, a tuple or a dictionary of them
    by argument: for every measurement without targets. An axis that `export.dynamic` calls "batch" is cut to the
    cell's number of samples."""
    batch: Callable[..., Any] | None = None
    """Open task, worker side: `batch(num_samples=, seed=, split=, **Size.inputs) -> (inputs, targets)`, the sample
    first in every tensor; `split` is train, validation or test. Fewer samples may come back."""
    loss: Callable[..., Any] | None = None
    """Open task, worker side: `loss(answers, targets) -> scalar`. `answers` is what `answer` names, or the only output,
    or a dictionary of all outputs by name; `targets` as `batch` gives them."""
    metric: Metric | None = None
    """Open task: what `train`, `prune` and `quantize` are judged by."""
    answer: str = ""
    """Name of the output that loss and metric judge; empty = the task's own rule, which is mostly the first output."""
    judged_as_built: bool = False
    """Whether pruned and quantized models are made of the model as built and judged by their agreement with it, even
    if the model can be trained: for models that nobody has chosen training settings for."""
    parameters: int | None = None
    """Published number of parameters at `base`."""
    source: str = ""
    """Link to the source of the architecture and the parameter count."""
    pretrained: Callable[..., Any] | None = None
    """Worker side: `pretrained() -> Module` through the library's own loading code; None = no published weights."""
    requires: tuple[str, ...] = ()
    """Libraries the model itself needs besides torch: imported by the launcher before it forks, and counted as the
    model's import time. Imports of tasks and data sets are not listed here."""
    head: tuple[str, ...] = ()
    """Names of the output modules, e.g. ("fc",): trained alone by the strategy `partial`, never pruned. Empty = the
    last layer with weights run by a forward pass."""
    export: Export = field(default_factory=Export)
    tolerance: Tolerance = field(default_factory=Tolerance)
    gaps: tuple[Gap, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for value, known, what in (
            (self.task, TASKS, "task"),
            *((size, SIZES, "size") for size in self.sizes),
            *((g.stage, (ANY, *STAGES), "gap stage") for g in self.gaps),
            *((g.backend, (ANY, *BACKENDS), "gap backend") for g in self.gaps),
            *((g.dtype, (ANY, *DTYPES), "gap dtype") for g in self.gaps),
            *((g.variant, (ANY, *VARIANTS), "gap variant") for g in self.gaps),
        ):
            if value not in known:
                raise ValueError(
                    f"model {self.name!r}: {what} {value!r} is unknown{did_you_mean(value, known, is_listed=False)}"
                    f" (expected one of {', '.join(known)})"
                )
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"model name {self.name!r}: expected 1 to 64 letters, digits, '_', '.' or '-',"
                " starting with a letter or digit"
            )
        if not self.sizes:
            raise ValueError(f"model {self.name!r}: `sizes` is empty; give 'tiny', 'base' or both")
        if not self.outputs:
            raise ValueError(f"model {self.name!r}: `outputs` is empty; name the output tensors")
        self._check_task()

    def _check_task(self) -> None:
        """Raise ValueError for a field that contradicts the task."""
        if isinstance(self.outputs, str):
            raise ValueError(
                f"model {self.name!r}: `outputs` is the text {self.outputs!r}; expected a tuple of names:"
                f' outputs=("{self.outputs}",)'
            )
        if self.answer and self.answer not in self.outputs:
            raise ValueError(
                f"model {self.name!r}: `answer` is {self.answer!r}; expected one of its outputs:"
                f" {', '.join(self.outputs)}"
            )
        own = [n for n in ("inputs", "batch", "loss", "metric") if getattr(self, n) is not None]
        if self.task != OPEN:
            if own:
                raise ValueError(
                    f"model {self.name!r}: `{own[0]}` goes with an open task, and `task` is {self.task!r}, which has"
                    " its own; next: leave `task` out"
                )
            return
        if self.inputs is None and self.batch is None:
            raise ValueError(
                f"model {self.name!r}: no `task`, and neither `inputs` nor `batch`; expected one of the tasks"
                f" {', '.join(TASKS)}, or inputs=lambda: (tensor, ...)"
            )
        for name, needs in (("loss", "batch"), ("metric", "batch")):
            if getattr(self, name) is not None and getattr(self, needs) is None:
                raise ValueError(
                    f"model {self.name!r}: `{name}` needs `{needs}`: a function that gives inputs and targets"
                )

    @property
    def can_train(self) -> bool:
        """Whether the stages that train have what they need."""
        return self.task != OPEN or None not in (self.batch, self.loss, self.metric)

    @property
    def generates(self) -> bool:
        """Whether the model writes text token by token."""
        return TASKS[self.task].generates or GENERATES in self.tags

    @property
    def is_judged_as_built(self) -> bool:
        """Whether pruned and quantized models start from the model as built and are judged by agreement with it."""
        return self.judged_as_built or not self.can_train

    @property
    def scale(self) -> str:
        """The task with its metric, as the functions of `suite.quality` and records take it."""
        if self.metric is None:
            return self.task
        metric = self.metric
        return scale_text(
            self.task,
            name=metric.name,
            unit=metric.unit,
            direction=metric.direction,
            is_relative=metric.is_relative,
        )

    def gap_for(self, **combination: str) -> Gap | None:
        """Return the first declared gap that covers the combination (see Gap.covers), or None."""
        return next((gap for gap in self.gaps if gap.covers(**combination)), None)
