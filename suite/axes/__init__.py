"""Axes of the matrix: every stage, variant, backend, device, dtype, size and task, one row each."""

from __future__ import annotations

from typing import Final

from suite.axes.backends import (
    AOTINDUCTOR,
    BACKENDS,
    BACKENDS_OFFERED,
    COMPILED,
    DEFAULT_BACKENDS,
    DTYPES,
    EAGER,
    ONNXRUNTIME,
    OPENVINO,
    REFERENCE,
    Backend,
)
from suite.axes.devices import (
    AUTO,
    CPU,
    CUDA,
    DEVICE_FORMS,
    DEVICE_KINDS,
    DEVICES,
    DeviceKind,
    device_kind,
    is_accelerator,
)
from suite.axes.stages import (
    BUILD,
    EXPORT,
    FINETUNE,
    PARALLEL,
    PRUNE,
    QUANTIZE,
    STAGE_ROWS,
    TRAIN,
    Stage,
)
from suite.axes.tasks import GENERATES, OPEN, OWN, TASKS, Task, scale_text, task_row
from suite.axes.variants import (
    BF16,
    BUILT_INT8,
    BUILT_PRUNED,
    DDP,
    FSDP,
    FULL,
    INT8,
    LAYERWISE,
    LORA,
    MEASURED,
    ORIGINAL,
    PARTIAL,
    PRUNED,
    PRUNED_INT8,
    PT2E,
    TENSOR,
    TORCHAO,
    TRAINED,
    VARIANTS,
    Variant,
    in_place_of,
    load_route,
    root_of,
)

__all__ = [
    "AOTINDUCTOR",
    "AUTO",
    "BACKENDS",
    "BACKENDS_OFFERED",
    "BASE",
    "BENCH",
    "BF16",
    "BUILD",
    "BUILT_INT8",
    "BUILT_PRUNED",
    "COMPILED",
    "CPU",
    "CUDA",
    "DDP",
    "DEFAULT_BACKENDS",
    "DEVICES",
    "DEVICE_FORMS",
    "DEVICE_KINDS",
    "DTYPES",
    "EAGER",
    "EXPORT",
    "FINETUNE",
    "FOUNDATIONS",
    "FSDP",
    "FULL",
    "GENERATES",
    "INT8",
    "LAYERWISE",
    "LEARNED",
    "LIFE",
    "LORA",
    "MEASURED",
    "ONNXRUNTIME",
    "OPEN",
    "OPENVINO",
    "ORIGINAL",
    "OWN",
    "PARALLEL",
    "PARTIAL",
    "PRUNE",
    "PRUNED",
    "PRUNED_INT8",
    "PT2E",
    "QUANTIZE",
    "REFERENCE",
    "SIZES",
    "STAGES",
    "STAGE_ROWS",
    "TASKS",
    "TENSOR",
    "TINY",
    "TORCHAO",
    "TRAIN",
    "TRAINED",
    "VARIANTS",
    "Backend",
    "DeviceKind",
    "Stage",
    "Task",
    "Variant",
    "device_kind",
    "in_place_of",
    "is_accelerator",
    "load_route",
    "root_of",
    "scale_text",
    "task_row",
]

TINY: Final = "tiny"
BASE: Final = "base"
SIZES: Final = (TINY, BASE)
"""tiny: the same architecture, reduced to run in seconds on two cores. base: the published architecture."""

FOUNDATIONS: Final = "foundations"
"""The known-answer cases, on which every stage depends."""
BENCH: Final = "bench"
"""Name that a gap uses for all measurements."""

STAGES: Final = (*STAGE_ROWS, BENCH)
"""Steps of a model's lifecycle in order of dependency; bench stands for all measurements."""

LIFE: Final = (FOUNDATIONS, *STAGES[:-1])
"""Values of `pytest suite --stages`: the foundations and the stages."""

LEARNED: Final = tuple(name for name, row in STAGE_ROWS.items() if row.makes_weights)
"""Stages whose states are weights, which run on every device: `--train-on` selects where they are trained."""
