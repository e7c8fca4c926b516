"""Worker side. torchao: a module's Linear layers in float8 or int8, for torch.compile on a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from suite.axes import CPU, CUDA, QUANTIZE, TORCHAO
from suite.quantization.errors import QuantizationError
from suite.quantization.report import bytes_left
from suite.quantization.types import types_here
from suite.results.quantize import QuantizationReport
from suite.worker.errors import Unavailable

if TYPE_CHECKING:
    import torch
    from torch import nn

SOURCE: Final = "https://docs.pytorch.org/ao/stable/workflows/inference.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One way to quantize Linear layers."""

    name: str
    make: Callable[[bool], Any]
    """Builds torchao's configuration, with seven bits if the argument is True."""
    dtype: str = ""
    """Required dtype of the weights: a name in torch; empty = any floating-point type."""
    multiple: int = 1
    """On a GPU, layers whose widths are no multiple of it are skipped: its 8-bit products do not support them."""
    capability: tuple[int, int] | None = None
    """The GPU's minimum compute capability; None = it runs on a CPU too."""
    meaning: str


def _float8(is_reduced: bool) -> Any:
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow

    return Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())


def _int8_dynamic(is_reduced: bool) -> Any:
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig

    return Int8DynamicActivationInt8WeightConfig(reduce_range=is_reduced)


def _int8_weights(is_reduced: bool) -> Any:
    from torchao.quantization import Int8WeightOnlyConfig

    return Int8WeightOnlyConfig()


CONFIGS: Final = {
    row.name: row
    for row in (
        Config(
            name="float8_dynamic",
            make=_float8,
            dtype="bfloat16",
            multiple=16,
            capability=(8, 9),
            meaning=f"activations and weights in float8, a scale per row; Ada, Hopper and later; {SOURCE}",
        ),
        Config(
            name="int8_dynamic",
            make=_int8_dynamic,
            multiple=8,
            meaning=f"activations and weights in int8, a scale per token and per channel; {SOURCE}",
        ),
        Config(
            name="int8_weight_only",
            make=_int8_weights,
            meaning=(
                f"weights in int8, arithmetic in float: saves memory, slower on an H100 (0.65 to 0.91x); {SOURCE}"
            ),
        ),
    )
}
"""Name -> configuration: the values of `Quantization.torchao`."""


def first_that_runs(configs: Sequence[str], device: str) -> str:
    """Return the first of these configurations that the GPU `device` supports; raises Unavailable if there is none."""
    import torch

    capability = torch.cuda.get_device_capability(device)
    for name in configs:
        least = CONFIGS[name].capability
        if least is None or capability >= least:
            return name
    raise Unavailable(
        f"none of torchao's {', '.join(configs)} runs on a GPU of compute capability"
        f" {'.'.join(map(str, capability))}"
    )


def quantize_linear(module: nn.Module, config: str) -> QuantizationReport:
    """Quantize the module's Linear layers in place; no faster until it is compiled.

    Raises ValueError for an unknown configuration, Unavailable if the GPU is missing or too old, QuantizationError when
    the weights have the wrong type and when no layer was quantized.
    """
    from torchao.quantization import quantize_

    if config not in CONFIGS:
        raise ValueError(f"torchao configuration {config!r}; expected one of {', '.join(CONFIGS)}")
    row = CONFIGS[config]
    layers = linear_layers(module)
    weights = [layer.weight for layer in layers.values()]
    _must_suit(row, weights)
    unfit = {name: why for name, layer in layers.items() if (why := _unfit(row, layer))}
    before = bytes_of(module)
    begin = time.perf_counter()
    quantize_(
        module,
        row.make(_is_reduced(weights)),
        filter_fn=lambda _, name: name in layers and name not in unfit,
    )
    seconds = time.perf_counter() - begin
    left = {
        name: unfit.get(name, "torchao gave no reason")
        for name, layer in layers.items()
        if not is_quantized(layer.weight)
    }
    others = other_matrices(module)
    if len(left) == len(layers):
        raise QuantizationError(
            f"torchao ({config}) quantized none of {len(layers)} Linear layers"
            f" ({'; '.join(f'{n}: {r}' for n, r in list(left.items())[:3]) or 'there is none'}); other modules with a"
            f" matrix: {', '.join(others[:3]) or 'none'}; next: turn them into nn.Linear, or set `torchao`"
            " of the model's Quantization to ()"
        )
    return QuantizationReport(
        method=TORCHAO,
        config=config,
        num_quantized=len(layers) - len(left),
        left=left,
        others=tuple(others),
        bytes=bytes_left(before, bytes_of(module)),
        seconds={QUANTIZE: seconds},
    )


def linear_layers(module: nn.Module) -> dict[str, Any]:
    """Return the layers torchao supports, by name: nn.Linear, not the output projection of nn.MultiheadAttention."""
    from torch import nn

    skipped = nn.modules.linear.NonDynamicallyQuantizableLinear
    return {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear) and not isinstance(layer, skipped)
    }


def other_matrices(module: nn.Module) -> list[str]:
    """Return the names of the other modules that multiply by a matrix of their own, except embeddings.

    torchao ignores them: GPT-2's Conv1D, the packed projection of nn.MultiheadAttention.
    """
    from torch import nn

    known = set(linear_layers(module))
    return [
        name
        for name, part in module.named_modules()
        if name not in known
        and not isinstance(part, (nn.Embedding, nn.EmbeddingBag))
        and any(p.dim() == 2 for p in part.parameters(recurse=False))
    ]


def is_quantized(weight: torch.Tensor) -> bool:
    """Return True if the weight is one of torchao's tensor subclasses."""
    import torch

    return type(weight.data) is not torch.Tensor


def bytes_of(module: nn.Module) -> int:
    """Return the bytes of the parameters and buffers; for torchao's tensors, of their inner tensors."""
    return sum(
        _num_bytes(tensor.data)
        for group in (module.parameters(), module.buffers())
        for tensor in group
    )


def _num_bytes(tensor: Any) -> int:
    if not hasattr(tensor, "__tensor_flatten__"):
        return int(tensor.nbytes)
    names, _ = tensor.__tensor_flatten__()
    return sum(_num_bytes(getattr(tensor, name)) for name in names)


def _is_reduced(weights: list[Any]) -> bool:
    """Return True if eight bits would saturate: on CPUs without VNNI, never on a GPU."""
    types = types_here()
    return any(w.device.type == CPU for w in weights) and (types is None or types.reduce_range)


def _must_suit(row: Config, weights: list[Any]) -> None:
    """Raise if the weights have the wrong type, or are on a device where the configuration does not run."""
    import torch

    types = {str(weight.dtype).removeprefix("torch.") for weight in weights}
    if row.dtype and types - {row.dtype}:
        raise QuantizationError(
            f"torchao ({row.name}) takes weights in {row.dtype}; these are in {', '.join(sorted(types))};"
            f" next: module.to(torch.{row.dtype})"
        )
    if row.capability is None or not weights:
        return
    device = weights[0].device
    wanted = ".".join(map(str, row.capability))
    if device.type != CUDA:
        raise Unavailable(
            f"torchao ({row.name}) needs a GPU of compute capability {wanted}; got {device}"
        )
    if torch.cuda.get_device_capability(device) < row.capability:
        found = ".".join(map(str, torch.cuda.get_device_capability(device)))
        raise Unavailable(
            f"torchao ({row.name}) needs compute capability {wanted}; this GPU has {found}"
        )


def _unfit(row: Config, layer: Any) -> str:
    """Return why a layer cannot be quantized this way; empty if it can."""
    widths = (layer.in_features, layer.out_features)
    if layer.weight.is_cuda and any(width % row.multiple for width in widths):
        return f"{widths[0]} -> {widths[1]} is no multiple of {row.multiple}"
    return ""
