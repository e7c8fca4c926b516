"""Worker side. The repair of a cut behind an operator that moves channels (shuffle, flip, a channels-last flatten)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd

from suite.pruning.proof import Member, columns_read
from suite.pruning.resize import num_outputs, take, times_of


def reorder(
    module: nn.Module,
    members: Sequence[Member],
    twin: nn.Module,
    twins: Sequence[Member],
    inputs: Mapping[str, Any],
) -> bool:
    """Give every consumer of the group the columns that match its actual inputs; return True on success.

    If an operator moves channels (shuffle, flip, roll, a channels-last flatten), the channel of each column is found by
    marking channels before and after the cut.
    """
    producers = [m for m in twins if m.loses_outputs and not m.loses_inputs]
    if len({m.channels for m in producers}) != 1:
        return False
    gone = set(producers[0].channels)
    totals = {num_outputs(m.module) for m in producers}
    if len(totals) != 1:
        return False
    total = totals.pop()
    kept = [channel for channel in range(total) if channel not in gone]
    behind = _channels_behind(twin, twins, inputs, total)
    now = _channels_behind(module, members, inputs, len(kept))
    if behind is None or now is None:
        return False
    sources: dict[nn.Module, list[int]] = {}
    for member, old in zip(members, twins, strict=True):
        if not member.loses_inputs:
            continue
        columns: dict[int | None, list[int]] = {}
        for column, channel in enumerate(behind.get(old.module, [])):
            columns.setdefault(channel, []).append(column)
        order = []
        for channel in now.get(member.module, []):
            wanted = columns.get(None if channel is None else kept[channel])
            if not wanted:
                return False
            order.append(wanted.pop(0))
        sources[member.module] = order
    for member, old in zip(members, twins, strict=True):
        if member.loses_inputs and not _take(member.module, old.module, sources[member.module]):
            return False
    return True


def _channels_behind(
    module: nn.Module, members: Sequence[Member], inputs: Mapping[str, Any], total: int
) -> dict[nn.Module, list[int | None]] | None:
    """Return layer -> for each of its inputs the producers' channel, or None for another layer's channel. Return None
    if that cannot be determined.

    Channel numbers are read bit by bit, with two forward passes per bit: the first marks the channels with the bit set,
    the second those without.
    """
    widths = {m.module: _num_inputs(m.module) for m in members if m.loses_inputs}
    codes = {layer: [0] * width for layer, width in widths.items()}
    reached = {layer: [False] * width for layer, width in widths.items()}
    for bit in range(max(1, (total - 1).bit_length())):
        halves = ([], [])  # type: tuple[list[int], list[int]]
        for channel in range(total):
            halves[channel >> bit & 1].append(channel)
        seen = [columns_read(module, members, inputs, channels=half) for half in halves]
        if seen[0] is None or seen[1] is None:
            return None
        for layer in widths:
            without, with_bit = set(seen[0].get(layer, ())), set(seen[1].get(layer, ()))
            if without & with_bit:
                return None  # an input that combines several channels
            for column in without | with_bit:
                reached[layer][column] = True
            for column in with_bit:
                codes[layer][column] |= 1 << bit
    return {
        layer: [
            code if is_reached else None
            for code, is_reached in zip(codes[layer], reached[layer], strict=True)
        ]
        for layer in widths
    }


def _num_inputs(layer: nn.Module) -> int:
    for name in ("in_channels", "in_features", "num_features", "num_channels", "num_parameters"):
        if isinstance(value := getattr(layer, name, None), int):
            return value
    return int(getattr(layer, "normalized_shape", (0,))[-1])


def _take(layer: nn.Module, old: Any, order: Sequence[int]) -> bool:
    """Give `layer` the weights of `old` for these inputs, in this order; return False if that is not possible."""
    if isinstance(layer, _ConvNd) and layer.groups not in (1, layer.in_channels):
        return False
    if times_of(old) != 1:
        return False
    take(layer, old, order)
    return True
