"""Variants: the states of a model that stages make, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from suite.axes.backends import COMPILED, EAGER, ONNXRUNTIME, OPENVINO
from suite.axes.devices import CPU, CUDA, DEVICE_KINDS
from suite.axes.stages import FINETUNE, PARALLEL, PRUNE, QUANTIZE, TRAIN

ORIGINAL: Final = "original"
"""Variant of the model as built, before any stage."""
TRAINED: Final = "trained"
"""Variant from which others are made and to which they are compared."""
FULL: Final = "full"
PARTIAL: Final = "partial"
LAYERWISE: Final = "layerwise"
LORA: Final = "lora"
PRUNED: Final = "pruned"
INT8: Final = "int8"
PRUNED_INT8: Final = "pruned_int8"
PT2E: Final = "pt2e"
DDP: Final = "ddp"
FSDP: Final = "fsdp"
TENSOR: Final = "tensor"
BF16: Final = "bf16"
TORCHAO: Final = "torchao"
BUILT_PRUNED: Final = "built_pruned"
BUILT_INT8: Final = "built_int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """State of a model made by a stage: later stages can start from it and it can be measured."""

    name: str
    stage: str
    """Stage that makes it; empty for the model as built."""
    parent: str
    """Variant from which it is made; empty for the model as built."""
    backend: str = EAGER
    """Default backend."""
    backends: tuple[str, ...] = ()
    """Backends that can run it; empty = all."""
    devices: tuple[str, ...] = tuple(DEVICE_KINDS)
    exists: Callable[[Any], bool] = lambda size: True
    """Returns whether a model has it, given the `Size` of its record; a declared gap of the variant is shown
    regardless.
    """
    route: str = ""
    """Worker side: `package.module:function` that the stage calls to make this variant (for `finetune` the strategy,
    for `prune` the whole work, for `quantize` the recipe, for `parallel` the wrapper); empty if the stage makes one
    variant.
    """
    replaces: str = ""
    """Variant whose place it takes for models that are judged as built (`ModelSpec.is_judged_as_built`)."""
    is_exported: bool = False
    """Whether it goes through the export stage."""
    is_measured: bool = False
    """Whether `pytest bench --variant` accepts it."""
    is_summarized: bool = False
    """Whether its quality loss and speed appear in a report's summary of the model."""
    title: str = ""
    """Display name; empty = `name`."""
    meaning: str


VARIANTS: Final = {
    row.name: row
    for row in (
        Variant(
            name=ORIGINAL,
            title="as built",
            stage="",
            parent="",
            is_measured=True,
            meaning="as built, with the weights that --weights says",
        ),
        Variant(
            name=TRAINED,
            stage=TRAIN,
            parent=ORIGINAL,
            is_exported=True,
            is_measured=True,
            meaning="trained briefly on its task",
        ),
        Variant(
            name=FULL,
            route="suite.training.strategies:full",
            stage=FINETUNE,
            parent=TRAINED,
            meaning="fine-tuned on a second task, all weights",
        ),
        Variant(
            name=PARTIAL,
            route="suite.training.strategies:partial",
            stage=FINETUNE,
            parent=TRAINED,
            meaning="fine-tuned on a second task, the head alone",
        ),
        Variant(
            name=LAYERWISE,
            route="suite.training.strategies:layerwise",
            title="layer-wise",
            stage=FINETUNE,
            parent=TRAINED,
            meaning="fine-tuned on a second task, unfrozen from the top, learning rates falling with depth",
        ),
        Variant(
            name=LORA,
            route="suite.training.strategies:lora",
            exists=lambda size: bool(size.finetuning.lora),
            title="LoRA",
            stage=FINETUNE,
            parent=TRAINED,
            meaning="fine-tuned on a second task by low-rank adapters, merged",
        ),
        Variant(
            name=PRUNED,
            route="suite.stages.prune:prune_trained",
            stage=PRUNE,
            parent=TRAINED,
            is_exported=True,
            is_measured=True,
            is_summarized=True,
            meaning="trained, channels or heads or units removed, recovered",
        ),
        Variant(
            name=INT8,
            route="suite.stages.quantize.graphs:quantize_graph",
            stage=QUANTIZE,
            parent=TRAINED,
            backend=ONNXRUNTIME,
            backends=(ONNXRUNTIME, OPENVINO),
            devices=(CPU,),
            is_exported=True,
            is_measured=True,
            is_summarized=True,
            meaning="trained, quantized to 8 bits by ONNX Runtime",
        ),
        Variant(
            name=PRUNED_INT8,
            route="suite.stages.quantize.graphs:quantize_graph",
            title="pruned + int8",
            stage=QUANTIZE,
            parent=PRUNED,
            backend=ONNXRUNTIME,
            backends=(ONNXRUNTIME, OPENVINO),
            devices=(CPU,),
            is_exported=True,
            is_measured=True,
            is_summarized=True,
            meaning="pruned, then quantized to 8 bits by ONNX Runtime",
        ),
        Variant(
            name=PT2E,
            exists=lambda size: bool(size.quantization.pt2e),
            route="suite.stages.quantize.modules:quantize_pt2e",
            title="PT2E int8",
            stage=QUANTIZE,
            parent=TRAINED,
            backend=COMPILED,
            backends=(COMPILED,),
            devices=(CPU,),
            is_summarized=True,
            meaning="trained, quantized to 8 bits by PT2E for the x86 Inductor backend, compiled",
        ),
        Variant(
            name=DDP,
            route="suite.stages.parallel.wrapping:ddp",
            exists=lambda size: DDP in size.training.parallel,
            title="DDP",
            stage=PARALLEL,
            parent=ORIGINAL,
            meaning="trained by several processes, each with the whole model and a share of every batch",
        ),
        Variant(
            name=FSDP,
            route="suite.stages.parallel.wrapping:fsdp",
            exists=lambda size: FSDP in size.training.parallel,
            title="FSDP2",
            stage=PARALLEL,
            parent=ORIGINAL,
            meaning="trained by several processes, each with a shard of the weights (FSDP2)",
        ),
        Variant(
            name=TENSOR,
            route="suite.stages.parallel.wrapping:tensor",
            exists=lambda size: TENSOR in size.training.parallel,
            stage=PARALLEL,
            parent=ORIGINAL,
            meaning="trained by several processes, each with a slice of every matrix",
        ),
        Variant(
            name=BF16,
            route="suite.stages.quantize.modules:convert_to_bfloat16",
            stage=QUANTIZE,
            parent=TRAINED,
            backend=COMPILED,
            backends=(COMPILED,),
            devices=(CUDA,),
            is_summarized=True,
            meaning="trained, in bfloat16, compiled",
        ),
        Variant(
            name=TORCHAO,
            exists=lambda size: bool(size.quantization.torchao),
            route="suite.stages.quantize.modules:quantize_torchao",
            stage=QUANTIZE,
            parent=TRAINED,
            backend=COMPILED,
            backends=(COMPILED,),
            devices=(CUDA,),
            is_summarized=True,
            meaning="trained, Linear layers in float8 or int8 by torchao, compiled",
        ),
        Variant(
            name=BUILT_PRUNED,
            route="suite.stages.prune:prune_as_built",
            title="pruned as built",
            stage=PRUNE,
            parent=ORIGINAL,
            replaces=PRUNED,
            is_exported=True,
            is_measured=True,
            meaning="as built, channels or heads or units removed; for models that no training of ours judges",
        ),
        Variant(
            name=BUILT_INT8,
            route="suite.stages.quantize.graphs:quantize_graph",
            title="int8 as built",
            stage=QUANTIZE,
            parent=ORIGINAL,
            replaces=INT8,
            backend=ONNXRUNTIME,
            backends=(ONNXRUNTIME, OPENVINO),
            devices=(CPU,),
            is_exported=True,
            is_measured=True,
            is_summarized=True,
            meaning="as built, quantized to 8 bits by ONNX Runtime, judged by agreement with float32",
        ),
    )
}
"""Name -> variant, in order of dependency."""

MEASURED: Final = tuple(row.name for row in VARIANTS.values() if row.is_measured)
"""Variants that `pytest bench --variant` accepts."""


def root_of(variant: str) -> str:
    """Return the state at the beginning of the variant's chain of parents, to which its speed is compared: the trained
    model, or the model as built for what is made from that.
    """
    while variant not in (ORIGINAL, TRAINED):
        variant = VARIANTS[variant].parent
    return variant


def load_route(variant: str) -> Callable[..., Any]:
    """Return the function with which the stage makes the variant; imports its module, so call it in a worker."""
    module, _, function = VARIANTS[variant].route.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def in_place_of(variant: str) -> str:
    """Return the variant that takes this one's place for a model that is judged as built; itself if there is none."""
    return next((row.name for row in VARIANTS.values() if row.replaces == variant), variant)
