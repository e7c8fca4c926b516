"""An independent proof of a pruning: the whole net again, with zeros where the pruned one has nothing.

It shares no code with `suite.pruning.proof`. Every weight of a net is given a value of its own, so that the weights of
the pruned net tell by themselves which channels are left. In a copy of the net the others are set to zero, and both
must answer the same in float64.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.utils import _pytree as pytree

ROUNDING = 1e-4
"""Of the largest value of an output; transformers' norms compute in float32 whatever the type of the weights."""

NOTHING = 1e-9
"""A difference of two answers in float64 that no cut, right or wrong, can be told from rounding by."""

FAR_ABOVE = 100
"""How many times the difference of the right cut that of a wrong one has to be."""

STATISTICS = ("running_mean", "running_var")


def make_distinct(module: nn.Module, seed: int = 0) -> None:
    """Give every element of a weight a value that no other of its elements has, at the weight's own scale."""
    dice = torch.Generator().manual_seed(seed)
    buffers = [
        b for n, b in module.named_buffers() if n.endswith(STATISTICS) and b.is_floating_point()
    ]
    for tensor in [*module.parameters(), *buffers]:
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        count = tensor.numel()
        spread = float(tensor.detach().std() * 3**0.5) if count > 1 else 0.0
        steps = (torch.randperm(count, generator=dice) + 0.5) / count * 2 - 1
        with torch.no_grad():
            tensor.copy_(
                tensor.mean() + (spread if spread > 1e-3 else 0.1) * steps.view(tensor.shape)
            )


def let_signals_through(module: nn.Module, inputs: dict[str, Any]) -> None:
    """Set the running statistics of batch normalizations to those of the inputs, as a training does.

    With the statistics of a fresh net every layer makes its signal smaller, and behind fifty of them a wrong column
    moves nothing that can be seen.
    """
    layers = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    module.eval()
    for layer in layers:
        layer.momentum = 1.0
        layer.train()
    with torch.no_grad():
        module(**inputs)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    module.eval()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the comparison says."""

    difference: float
    """Largest difference of an output, relative to the largest value of that output."""
    zeros_at: str
    """producers or readers: where the zeros stand in the copy that agrees best."""
    control: float
    """The same difference with the columns of the first or of the last narrowed layer moved by one, whichever is
    smaller: it has to be large."""

    @property
    def is_right(self) -> bool:
        """Whether the two agree to rounding."""
        return self.difference <= ROUNDING

    @property
    def can_tell(self) -> bool:
        """Whether the moved columns are seen, far above what is taken for rounding here."""
        return self.control > max(NOTHING, FAR_ABOVE * self.difference)


def prove(original: nn.Module, pruned: nn.Module, inputs: dict[str, Any]) -> Proof:
    """Compare a pruned net with the net that it was made from (whose weights are distinct)."""
    gone = {
        name: _gone(old, pruned.get_submodule(name)) for name, old in _narrowed(original, pruned)
    }
    x = pytree.tree_map(_as_double, inputs)
    given = _outputs(copy.deepcopy(pruned).double(), x)
    sides = {
        where: _difference(_outputs(_zeroed(original, pruned, gone, where), x), given)
        for where in ("producers", "readers")
    }
    best = min(sides, key=lambda where: sides[where])
    return Proof(
        difference=sides[best],
        zeros_at=best,
        control=min(
            (_difference(given, _outputs(wrong.double(), x)) for wrong in _moved(pruned, original)),
            default=0.0,
        ),
    )


def _as_double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _narrowed(original: nn.Module, pruned: nn.Module) -> list[tuple[str, nn.Module]]:
    found = []
    for name, old in original.named_modules():
        new = pruned.get_submodule(name)
        if any(t.shape != u.shape for t, u in _pairs(old, new).values()):
            found.append((name, old))
    return found


def _pairs(old: nn.Module, new: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """A layer's own weights and statistics, in both nets; a Conv1D of transformers is a Linear in the pruned one."""
    found = {}
    mine, theirs = ({**m._parameters, **m._buffers} for m in (old, new))
    for key, tensor in mine.items():
        other = theirs.get(key)
        if tensor is None or other is None:
            continue
        turned = type(old) is not type(new) and tensor.dim() == 2
        found[key] = (tensor, other.t() if turned else other)
    return found


def _gone(old: nn.Module, new: nn.Module) -> dict[str, dict[int, list[int]]]:
    """Weight -> axis -> the indices that the pruned net lacks."""
    found: dict[str, dict[int, list[int]]] = {}
    for key, (before, after) in _pairs(old, new).items():
        if before.shape == after.shape:
            continue
        kept = _kept(before, after)
        found[key] = {
            axis: sorted(set(range(before.shape[axis])) - set(kept[axis]))
            for axis in range(before.dim())
            if before.shape[axis] != after.shape[axis]
        }
    return found


def _kept(before: Tensor, after: Tensor) -> list[list[int]]:
    """For every axis, the index in `before` of each index of `after`; every element of `after` has to be there."""
    values, order = before.detach().flatten().sort()
    place = torch.searchsorted(values, after.detach().flatten().contiguous())
    place = place.clamp(max=len(values) - 1)
    assert torch.equal(values[place], after.detach().flatten()), "weights that the net did not have"
    at = torch.unravel_index(order[place], before.shape)
    kept = []
    for axis, index in enumerate(at):
        lines = index.view(after.shape).movedim(axis, 0).reshape(after.shape[axis], -1)
        assert bool((lines == lines[:, :1]).all()), "rows were mixed"
        kept.append(lines[:, 0].tolist())
    return kept


def _zeroed(
    original: nn.Module,
    pruned: nn.Module,
    gone: dict[str, dict[str, dict[int, list[int]]]],
    where: str,
) -> nn.Module:
    """The net with zeros, at the outputs of layers that lose channels or at the inputs of those that read them."""
    twin = copy.deepcopy(original).double()
    for name, layer in twin.named_modules():
        new = pruned.get_submodule(name)
        rows = gone.get(name, {})
        is_norm = not isinstance(layer, _BatchNorm) and "Norm" in type(layer).__name__
        if is_norm and (rows or _width(layer) != _width(pruned.get_submodule(name))):
            _normalize_rest(layer, copy.deepcopy(new).double(), rows)
            continue
        for key, axes in rows.items():
            if key in STATISTICS:
                continue
            for axis, indices in axes.items():
                is_input = _is_input_axis(layer, key, axis)
                if is_input is None or is_input == (where == "readers"):
                    with torch.no_grad():
                        layer.get_parameter(key).index_fill_(axis, torch.tensor(indices), 0.0)
    return twin


def _is_input_axis(layer: nn.Module, key: str, axis: int) -> bool | None:
    """None for weights on the way (an added table, a scale), which are zeroed in both copies."""
    if not isinstance(layer, (nn.Linear, _ConvNd, nn.MultiheadAttention)) and (
        type(layer).__name__ != "Conv1D"
    ):
        return None
    if key.endswith("bias"):
        return False
    if isinstance(layer, _ConvTransposeNd) or type(layer).__name__ == "Conv1D":
        return axis == 0
    return axis == 1


def _width(layer: nn.Module) -> Any:
    return tuple(getattr(layer, "normalized_shape", ())) or getattr(layer, "num_channels", None)


def _normalize_rest(layer: nn.Module, small: nn.Module, rows: dict[str, Any]) -> None:
    """Let a normalization across channels look at the channels that are left alone, as the pruned one does."""
    old = next((p.shape[0] for p in layer.parameters(recurse=False)), None)
    lost = next((axes[0] for key, axes in rows.items() if 0 in axes), None)
    narrow = _width(small)

    def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        x = args[0]
        width = old or (_width(module) if isinstance(_width(module), int) else _width(module)[-1])
        by_name = isinstance(module, nn.GroupNorm) or "2d" in type(module).__name__
        axis = 1 if by_name or x.shape[-1] != width else x.dim() - 1
        others = [a for a in range(x.dim()) if a != axis]
        dead = lost if lost is not None else (x == 0).all(dim=others).nonzero().flatten().tolist()
        keep = torch.tensor([i for i in range(width) if i not in set(dead)])
        if lost is None and len(keep) != (narrow if isinstance(narrow, int) else narrow[-1]):
            return torch.full_like(output, torch.nan)  # which channels are left cannot be told
        return torch.zeros_like(output).index_copy(axis, keep, small(x.index_select(axis, keep)))

    layer.register_forward_hook(hook)


def _moved(pruned: nn.Module, original: nn.Module) -> list[nn.Module]:
    """The pruned net with the columns of a narrowed reader moved by one, a wrong cut: of its first, and of its last."""
    readers = []
    for name, layer in pruned.named_modules():
        if not isinstance(layer, (nn.Linear, _ConvNd)):
            continue
        before = original.get_submodule(name).weight
        is_turned = type(original.get_submodule(name)).__name__ == "Conv1D"
        axis = 0 if isinstance(layer, _ConvTransposeNd) else 1
        is_one = layer.weight.shape[axis] == 1
        if not is_one and layer.weight.shape[axis] < before.shape[0 if is_turned else axis]:
            readers.append((name, axis))
    wrongs = []
    for name, axis in dict.fromkeys([*readers[:1], *readers[-1:]]):
        wrong = copy.deepcopy(pruned)
        weight = wrong.get_submodule(name).weight
        with torch.no_grad():
            weight.copy_(weight.roll(1, axis))
        wrongs.append(wrong)
    return wrongs


def _outputs(module: nn.Module, inputs: dict[str, Any]) -> list[Tensor]:
    module.eval()
    with torch.no_grad():
        result = module(**copy.deepcopy(inputs))
    return [leaf for leaf in pytree.tree_leaves(_plain(result)) if isinstance(leaf, Tensor)]


def _plain(result: Any) -> Any:
    return dict(result) if hasattr(result, "keys") else result


def _difference(wanted: list[Tensor], given: list[Tensor]) -> float:
    if [t.shape for t in wanted] != [t.shape for t in given]:
        return float("inf")
    shares = [
        float((a.double() - b.double()).abs().max() / (a.double().abs().max() or 1.0))
        for a, b in zip(wanted, given, strict=True)
        if a.is_floating_point() and a.numel()
    ]
    return max((float("inf") if s != s else s for s in shares), default=float("inf"))
