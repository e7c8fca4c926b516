"""Worker side. The cut of one layer's outputs where Torch-Pruning does not know the operators behind it."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import parametrize

from suite.lifecycle import Pruning
from suite.pruning.proof import (
    Member,
    answers,
    answers_with_zeros,
    answers_without_readers,
    first_difference,
)
from suite.pruning.resize import is_passed, narrow, num_outputs, take, times_of
from suite.pruning.traced import NotTraced, Trace, follow
from suite.pruning.undo import restore, retied, snapshot

BLOCKS: Final = (1, 2, 3, 4, 6, 8, 16)
"""Numbers of equal blocks of outputs that may have to stay equally wide (chunk, groups of a shuffle)."""


def cut_traced(
    module: nn.Module, root: nn.Module, inputs: Mapping[str, Any], pruning: Pruning
) -> str:
    """Remove `pruning.ratio` of the outputs of `root`, in place; return why it stays whole, or an empty text.

    Several sets of outputs are tried, until one passes the same proof as every other cut.
    """
    if isinstance(root, _ConvNd) and root.groups != 1:
        return "a convolution in groups"
    if parametrize.is_parametrized(root):
        return "a parametrization makes its weights"
    total = num_outputs(root)
    try:
        trace = follow(module, root, inputs)
    except NotTraced as error:
        return str(error)
    left = ceil(total * (1 - pruning.ratio) / pruning.round_to) * pruning.round_to
    reason = "no set of its outputs can go alone"
    before = snapshot(module)
    for gone in choices(trace.classes(total), _importance(root, trace), total - left):
        if (total - len(gone)) % pruning.round_to:
            continue
        reason = _cut(module, root, trace, gone, inputs) or retied(module, before)
        if not reason:
            return ""
        restore(module, before)
    return reason


def _importance(root: Any, trace: Trace) -> Tensor:
    """Return for each output the sum of its squared weights (of the terms |weight x gradient| if there are gradients)
    in `root` and in the layers that read it.
    """
    rows = _terms(root.weight).transpose(0, 1 if isinstance(root, _ConvTransposeNd) else 0)
    found = rows.flatten(1).sum(1)
    for layer, reached in trace.layers.items():
        if is_passed(layer):
            continue
        axis = 0 if isinstance(layer, _ConvTransposeNd) else 1
        weight: Any = layer.weight
        columns = _terms(weight).transpose(0, axis).flatten(1).sum(1)
        for column, channels in enumerate(reached):
            for channel in channels:
                found[channel] += columns[column]
    return found


def _terms(weight: Any) -> Tensor:
    values: Tensor = weight.detach()
    return values.square() if weight.grad is None else (values * weight.grad).abs()


def _cut(
    module: nn.Module,
    root: nn.Module,
    trace: Trace,
    gone: frozenset[int],
    inputs: Mapping[str, Any],
) -> str:
    """Cut and prove; return what is wrong, with the module left as it then is."""
    kept = [channel for channel in range(num_outputs(root)) if channel not in gone]
    twin = copy.deepcopy(module)
    places = dict(zip(module.modules(), twin.modules(), strict=True))
    narrow(root, kept)
    try:
        now = follow(module, root, inputs, widen=True)
    except NotTraced as error:
        return str(error)
    if set(now.layers) != set(trace.layers):
        return "without them other layers are reached"
    for layer, reached in now.layers.items():
        columns = defaultdict[frozenset[int], list[int]](list)
        for column, channels in enumerate(trace.layers[layer]):
            if not channels & gone:
                columns[channels].append(column)
        order = []
        for channels in reached:
            wanted = columns[frozenset(kept[channel] for channel in channels)]
            if not wanted:
                return f"what reaches {type(layer).__name__} cannot be told"
            order.append(wanted.pop(0))
        take(layer, places[layer], order, times_of(places[layer]))
    members = _members(root, trace, gone)
    twins = [
        Member(
            module=places[m.module],
            channels=m.channels,
            loses_inputs=m.loses_inputs,
            loses_outputs=m.loses_outputs,
        )
        for m in members
    ]
    read = {m.module: list(m.channels) for m in twins if m.loses_inputs}
    try:
        actual = answers(module, members, inputs)
    except Exception as error:  # anything that the model's own forward raises
        return f"it does not run any more: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
    found = first_difference(answers_with_zeros(twin, twins, read, inputs), actual)
    found = found and first_difference(answers_without_readers(twin, twins, read, inputs), actual)
    if found:
        return f"{found[0]} would answer otherwise (by {found[1]:.0%} of its largest value)"
    return ""


def _members(root: nn.Module, trace: Trace, gone: frozenset[int]) -> list[Member]:
    members = [
        Member(module=root, channels=tuple(sorted(gone)), loses_inputs=False, loses_outputs=True)
    ]
    for layer, reached in trace.layers.items():
        columns = torch.tensor(
            [n for n, channels in enumerate(reached) if channels & gone], dtype=torch.long
        )
        times = times_of(layer) if is_passed(layer) else 1
        rows = (columns[:, None] * times + torch.arange(times)).flatten()
        members.append(
            Member(
                module=layer,
                channels=tuple(int(i) for i in rows),
                loses_inputs=True,
                loses_outputs=is_passed(layer),
            )
        )
    return members


def choices(
    classes: Sequence[frozenset[int]], importance: Tensor, removed: int
) -> Iterator[frozenset[int]]:
    """Yield sets of outputs to remove, at most `removed`: the least important, then as many from each of some equal
    blocks.
    """
    total = len(importance)
    ranked = sorted(classes, key=lambda one: float(importance[list(one)].mean()))
    given: set[frozenset[int]] = set()
    for blocks in BLOCKS:
        quota = removed // blocks
        if total % blocks or not quota:
            continue
        counts, chosen = [0] * blocks, set[int]()
        for one in ranked:
            after = list(counts)
            for channel in one:
                after[channel * blocks // total] += 1
            if max(after) <= quota:
                counts, chosen = after, chosen | one
        found = frozenset(chosen)
        if chosen and min(counts) == max(counts) and found not in given:
            given.add(found)
            yield found
