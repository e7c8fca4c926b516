"""Worker side. Channels that are followed by looking: which inputs of the next layers does each output reach?

Torch-Pruning reads the operators between two layers from autograd's nodes and does not know all of them (pixel shuffle,
a chunk that gates another, repeat, unfold). Here every output of one layer is set to NaN in a sample of its own and
the next layers note which of their inputs are NaN. Outputs that meet in one input go together; the weights that are
left are put in the order in which their channels arrive after the cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from suite.flat_tensors import flatten_outputs
from suite.pruning.proof import channel_axis
from suite.pruning.resize import is_passed, num_outputs, widen_to

AT_ONCE: Final = 32
"""Samples, each with one marked output, in one forward pass."""
MOST: Final = 1024
"""Outputs of a layer that are followed."""
AT_THE_END: Final = "it reaches the model's output"
"""Why the outputs of a last layer cannot be followed."""
Reached = tuple[frozenset[int], ...]
"""For each input of a layer the outputs that reach it."""


class NotTraced(RuntimeError):
    """Why the outputs of a layer cannot be followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Where the outputs of one layer arrive."""

    layers: dict[nn.Module, Reached]
    """Layer that is reached -> its inputs."""

    def classes(self, total: int) -> list[frozenset[int]]:
        """Return the sets of outputs that can only be removed together."""
        root = list(range(total))

        def find(at: int) -> int:
            while root[at] != at:
                root[at] = root[root[at]]
                at = root[at]
            return at

        for inputs in self.layers.values():
            for channels in inputs:
                first, *others = sorted(channels) or [0]
                for other in others:
                    root[find(other)] = find(first)
        found: dict[int, set[int]] = defaultdict(set)
        for channel in range(total):
            found[find(channel)].add(channel)
        return [frozenset(one) for one in found.values()]


def follow(
    module: nn.Module, root: nn.Module, inputs: Mapping[str, Any], *, widen: bool = False
) -> Trace:
    """Return where the outputs of `root` arrive.

    `widen`: give the layers on the way weights of the width that arrives (their values are lost). Raises NotTraced
    where a layer on the way is none of the known ones, where the model's output is reached, or where the forward pass
    fails.
    """
    total = num_outputs(root)
    if not 1 < total <= MOST:
        raise NotTraced(f"{total} outputs")
    parts = [
        _follow(module, root, range(low, min(low + AT_ONCE, total)), inputs, widen=widen)
        for low in range(0, total, AT_ONCE)
    ]
    layers = dict.fromkeys(layer for part in parts for layer in part)
    if not layers:
        raise NotTraced("no layer reads it")
    merged = {}
    for layer in layers:
        pieces = [part[layer] for part in parts if layer in part]
        if len(pieces) != len(parts) or len({len(piece) for piece in pieces}) != 1:
            raise NotTraced("another way for another sample")
        merged[layer] = tuple(frozenset().union(*sets) for sets in zip(*pieces, strict=True))
    return Trace(layers=merged)


def _follow(
    module: nn.Module,
    root: nn.Module,
    channels: range,
    inputs: Mapping[str, Any],
    *,
    widen: bool,
) -> dict[nn.Module, Reached]:
    found: dict[nn.Module, Tensor] = {}
    count = len(channels)

    def mark(layer: nn.Module, _args: Any, output: Any) -> Any:
        if not isinstance(output, Tensor):
            raise NotTraced(f"{type(layer).__name__} gives no tensor")
        marks = torch.zeros(count, num_outputs(layer), dtype=torch.bool)
        marks[torch.arange(count), torch.tensor(channels)] = True
        return _marked(output, marks, channel_axis(layer, output))

    def note(layer: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not args or not isinstance(args[0], Tensor) or not args[0].is_floating_point():
            return None
        x = args[0]
        axis = channel_axis(layer, x)
        marks = torch.isnan(_by_sample(x, count)).movedim(axis + 1, 1).flatten(2).any(2)
        if not marks.any():
            return None
        _refuse_unknown(layer)
        if layer in found and found[layer].shape != marks.shape:
            raise NotTraced(f"{type(layer).__name__} runs with several widths")
        found[layer] = marks | found[layer] if layer in found else marks
        if widen:
            widen_to(layer, x.shape[axis])
        return (torch.nan_to_num(x), *args[1:])

    def mark_again(layer: nn.Module, _args: Any, output: Any) -> Any:
        if layer not in found or not is_passed(layer):
            return None
        axis = channel_axis(layer, output)
        times = output.shape[axis] // found[layer].shape[1]
        return _marked(output, found[layer].repeat_interleave(times, 1), axis)

    handles = [root.register_forward_hook(mark)]
    for layer in module.modules():
        if any(True for _ in layer.parameters(recurse=False)) or is_passed(layer):
            handles.append(layer.register_forward_pre_hook(note))
            if layer is not root:
                handles.append(layer.register_forward_hook(mark_again))
    try:
        with torch.no_grad():
            results = flatten_outputs(module(**_repeated(inputs, count)))
    except NotTraced:
        raise
    except Exception as error:  # anything that the model's own forward raises
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NotTraced(f"it does not run: {text}") from error
    finally:
        for handle in handles:
            handle.remove()
    if any(t.is_floating_point() and bool(torch.isnan(t).any()) for t in results):
        raise NotTraced(AT_THE_END)
    return {
        layer: tuple(
            frozenset(channels[i] for i in column.nonzero().flatten().tolist())
            for column in marks.t()
        )
        for layer, marks in found.items()
    }


def _repeated(inputs: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the first sample `count` times."""
    if not all(isinstance(value, Tensor) and value.dim() for value in inputs.values()):
        raise NotTraced("its inputs are not all tensors")
    return {name: value[:1].repeat_interleave(count, 0) for name, value in inputs.items()}


def _by_sample(x: Tensor, count: int) -> Tensor:
    if x.shape[0] % count:
        raise NotTraced("samples are not on the first axis")
    return x.reshape(count, -1, *x.shape[1:])


def _marked(output: Tensor, marks: Tensor, axis: int) -> Tensor:
    """Return the output with NaN for these channels (samples x channels)."""
    split = _by_sample(output, len(marks)).clone()
    if axis == 0 or marks.shape[1] != output.shape[axis]:
        raise NotTraced("its channels are not where they are expected")
    shape = [1] * split.dim()
    shape[0], shape[axis + 1] = marks.shape
    return split.masked_fill_(marks.view(shape), torch.nan).view(output.shape)


def _refuse_unknown(layer: nn.Module) -> None:
    if parametrize.is_parametrized(layer):
        raise NotTraced(f"{type(layer).__name__}, whose weights a parametrization makes")
    if isinstance(layer, nn.Linear) or is_passed(layer):
        return
    if isinstance(layer, _ConvNd) and layer.groups == 1:
        return
    kind = type(layer).__name__
    raise NotTraced(f"{kind} in groups" if isinstance(layer, _ConvNd) else kind)
