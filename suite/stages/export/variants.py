"""Worker side. Inputs on which a graph is compared: the example, another input, and a second extent of every dynamic
axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suite.spec import ModelSpec
from suite.tracing.dynamic_axes import BATCH, axis_names

if TYPE_CHECKING:
    from torch import Tensor

Draw = Callable[[int, int], Mapping[str, Any]]
"""(number of samples, 0 or 1) -> the inputs of the first or of a second, different batch of real samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One input of the comparison."""

    axis: str
    """`example`, `input`, the axis whose extent differs from the example's, or the mask that was changed."""
    extent: int | None
    inputs: Mapping[str, Any]
    is_asked: bool = True
    """Whether the record promises this extent; if not, a module may reject it."""


def second_extent(example: int, asked: int | None) -> int:
    """Return the extent at which parity is checked again: the requested one, else half, at least 2.

    Differs from the example's own.
    """
    if asked is not None and asked != example:
        return asked
    half = max(2, example // 2)
    return half if half != example else example + 1


def variants(spec: ModelSpec, draw: Draw, num_samples: int) -> Iterator[Variant]:
    """Yield the example, then the second batch, then one variant per dynamic axis; the others keep the example's
    extent.
    """
    example, other = draw(num_samples, 0), draw(num_samples, 1)
    yield Variant(axis="example", extent=None, inputs=example)
    yield Variant(axis="input", extent=None, inputs=other)
    for name in axis_names(spec):
        asked = spec.export.second.get(name)
        if name == BATCH:
            count = second_extent(num_samples, asked)
            yield Variant(axis=name, extent=count, inputs=draw(count, 0))
        else:
            extent = second_extent(extent_of(spec, example, name), asked)
            inputs = resized(spec, example, name, extent)
            yield Variant(axis=name, extent=extent, inputs=inputs)


def masked(example: Mapping[str, Any]) -> Iterator[Variant]:
    """Yield the example with the end of a mask set to zero, for every mask without zeros there.

    A mask of ones, as of a text with full length, cannot detect a graph that ignores it.
    """
    import torch

    for name, value in example.items():
        if not isinstance(value, torch.Tensor) or value.is_floating_point() or value.ndim < 2:
            continue
        length = value.shape[-1]
        if length > 2 and bool((value == 1).all()):
            mask = value.clone()
            mask[..., length - length // 3 :] = 0
            yield Variant(axis=name, extent=None, inputs={**example, name: mask}, is_asked=False)


def at_extents(
    spec: ModelSpec, draw: Draw, num_samples: int, name: str, extents: Iterable[int]
) -> Iterator[Variant]:
    """Yield the example with axis `name` at those of the extents that `variants` does not try already.

    Forward may branch on an extent; extents on one side of a branch show nothing about the other.
    """
    example = draw(num_samples, 0)
    own = num_samples if name == BATCH else extent_of(spec, example, name)
    tried = {own, second_extent(own, spec.export.second.get(name))}
    for extent in sorted({extent for extent in extents if extent > 0} - tried):
        inputs = draw(extent, 0) if name == BATCH else resized(spec, example, name, extent)
        yield Variant(axis=name, extent=extent, inputs=inputs, is_asked=False)


def extent_of(spec: ModelSpec, inputs: Mapping[str, Any], name: str) -> int:
    """Return the extent of that axis in these inputs."""
    for key, axes in spec.export.dynamic.items():
        for axis, held in axes.items():
            if held == name:
                value = inputs[key]
                tensor = value[0] if isinstance(value, (list, tuple)) else value
                return int(tensor.shape[axis])
    raise KeyError(name)


def resized(spec: ModelSpec, inputs: Mapping[str, Any], name: str, extent: int) -> dict[str, Any]:
    """Return the inputs with axis `name` cut to `extent`, or padded with their own beginning if shorter.

    Real samples stay real, and axes that tasks always give one length (a source and its target) become different.
    """
    result = dict(inputs)
    for key, axes in spec.export.dynamic.items():
        for axis in (axis for axis, held in axes.items() if held == name):
            value = result[key]
            many = isinstance(value, (list, tuple))
            result[key] = (
                [_fit(v, axis, extent) for v in value] if many else _fit(value, axis, extent)
            )
    return result


def _fit(tensor: Tensor, axis: int, extent: int) -> Tensor:
    import torch

    times = -(-extent // tensor.shape[axis])
    whole = torch.cat([tensor] * times, dim=axis) if times > 1 else tensor
    return whole.narrow(axis, 0, extent).contiguous()
