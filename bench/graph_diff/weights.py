"""Comparison of two graphs' weights: byte by byte, and in the float domain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from bench.graph_diff.compare import compare_matched, shape_text
from bench.graph_diff.difference import Difference, TensorChange
from bench.graph_diff.fingerprint import with_remainder
from bench.graph_diff.match import Match, match
from bench.graph_diff.numbers import CHUNK, Compared, Meter
from bench.onnx_graph.names import bare, family, is_numbered
from bench.onnx_graph.record import Graph, Tensor
from bench.onnx_graph.sources import Source, parameters_of, sources_of, weights_of
from bench.onnx_graph.weights import Weights


def compare_files(before: Graph, after: Graph) -> Difference:
    """Return the difference of two graphs, including their weights. Raises GraphError if weights cannot be read."""
    pairs = match(before, after)
    difference = compare_matched(before, after, pairs)
    with ExitStack() as open_files:
        sides = [
            _Side(graph, open_files.enter_context(Weights(Path(graph.path), graph)))
            for graph in (before, after)
        ]
        found = shared(before, after, pairs)
        found += _alike(sides, found)
        meter = Meter()
        changes = [_change(sides, one, other, meter) for one, other in found]
        changes.sort(key=_order)
        digests = (sides[0].digests(), sides[1].digests())
    mine, theirs = {one.tensor for one, _ in found}, {other.tensor for _, other in found}
    parameters = parameters_of(after) | {n for _, s in found for n in (s.scale, s.zero_point)}
    added = [t.name for t in after.tensors if t.name not in theirs]
    difference = replace(
        difference,
        tensors=tuple(changes),
        tensors_added=tuple(name for name in added if name not in parameters),
        tensors_removed=tuple(t.name for t in before.tensors if t.name not in mine),
        quantization_parameters=tuple(name for name in added if name in parameters),
        are_weights_compared=True,
    )
    return with_remainder(difference, before, after, digests)


class _Side:
    """One of the two files: its tensors by name, and their digests, each computed once."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.graph = graph
        self.weights = weights
        self.tensors: Mapping[str, Tensor] = {t.name: t for t in graph.tensors}
        self._digests: dict[str, str] = {}

    def digest(self, name: str) -> str:
        """Return the digest of type, shape and elements; empty for no tensor. Raises GraphError."""
        if name not in self._digests:
            self._digests[name] = self.weights.digest(name) if name in self.weights else ""
        return self._digests[name]

    def digests(self) -> dict[str, str]:
        """Return the digests of all tensors, by name. Raises GraphError."""
        return {name: self.digest(name) for name in self.tensors}


def _alike(
    sides: Sequence[_Side], found: Sequence[tuple[Source, Source]]
) -> list[tuple[Source, Source]]:
    """Return the tensors that neither nodes nor names pair but that have equal content on both sides, paired by it."""
    taken = ({one.tensor for one, _ in found}, {other.tensor for _, other in found})
    rest: tuple[dict[str, list[str]], ...] = (defaultdict(list), defaultdict(list))
    for side, names, groups in zip(sides, taken, rest, strict=True):
        for tensor in side.graph.tensors:
            if tensor.name not in names:
                groups[side.digest(tensor.name)].append(tensor.name)
    return [
        (Source(tensor=a), Source(tensor=b))
        for digest, left in rest[0].items()
        for a, b in zip(left, rest[1].get(digest, ()), strict=False)
    ]


def _change(sides: Sequence[_Side], one: Source, other: Source, meter: Meter) -> TensorChange:
    a, b = sides[0].tensors[one.tensor], sides[1].tensors[other.tensor]
    numbers, note, is_equal = _numbers(sides, one, other, meter)
    return TensorChange(
        name=a.name,
        other=b.name,
        dtypes=(a.dtype, b.dtype),
        shapes=(a.shape, b.shape),
        num_bytes=(a.num_bytes, b.num_bytes),
        digests=(sides[0].digest(a.name), sides[1].digest(b.name)),
        is_dequantized=(bool(one.scale), bool(other.scale)),
        is_equal=is_equal,
        note=note,
        max_abs=numbers.max_abs if numbers else None,
        mean_abs=numbers.mean_abs if numbers else None,
        cosine=numbers.cosine if numbers else None,
        snr_db=numbers.snr_db if numbers else None,
    )


def _numbers(
    sides: Sequence[_Side], one: Source, other: Source, meter: Meter
) -> tuple[Compared | None, str, bool]:
    """Return how far apart two tensors are, or why that cannot be told, and whether they are equal."""
    if _means_the_same(sides, one, other):
        return Compared(0.0, 0.0, 1.0, None), "", True
    if reason := _obstacle(sides, one, other):
        return None, reason, False
    found = meter.compare(_blocks(sides, (one, other)))
    return found, "" if found else "holds NaN or infinity", False


def _means_the_same(sides: Sequence[_Side], one: Source, other: Source) -> bool:
    """Return whether both have the same type, shape and bytes, and equal scales and zero points."""
    kinds = [(s.axis, s.block, s.is_transposed, s.packing) for s in (one, other)]
    if kinds[0] != kinds[1]:
        return False
    names = ((s.tensor, s.scale, s.zero_point) for s in (one, other))
    return all(sides[0].digest(a) == sides[1].digest(b) for a, b in zip(*names, strict=True))


def _obstacle(sides: Sequence[_Side], one: Source, other: Source) -> str:
    """Return why the two cannot be compared numerically, or an empty string."""
    tensors = [side.tensors[s.tensor] for side, s in zip(sides, (one, other), strict=True)]
    for side, source in zip(sides, (one, other), strict=True):
        for name in (source.tensor, source.scale, source.zero_point):
            if name and name not in side.weights:
                return f"{name[:80]} is computed, not stored"
    if "string" in (tensors[0].dtype, tensors[1].dtype):
        return "text"
    shapes = [side.weights.shape(s) for side, s in zip(sides, (one, other), strict=True)]
    if shapes[0] != shapes[1]:
        return f"changed in shape: {shape_text(shapes[0])} to {shape_text(shapes[1])}"
    is_integer = [("int" in t.dtype or t.dtype == "bool") for t in tensors]
    if is_integer[0] != is_integer[1] and not (one.scale or other.scale):
        return f"{tensors[0].dtype} and {tensors[1].dtype} without a scale"
    return ""


def _blocks(sides: Sequence[_Side], sources: tuple[Source, Source]) -> Iterator[tuple[Any, Any]]:
    """Yield the numbers of both sides in the same order, CHUNK at a time."""
    if all(source.is_transposed for source in sources):  # then neither needs to be
        sources = (
            replace(sources[0], is_transposed=False),
            replace(sources[1], is_transposed=False),
        )
    shape = sides[0].weights.shape(sources[0])
    is_plain = all(
        not (s.scale or s.packing or s.is_transposed) and side.tensors[s.tensor].place is not None
        for side, s in zip(sides, sources, strict=True)
    )
    if is_plain:
        total = prod(shape)
        for low in range(0, total, CHUNK):
            high = min(low + CHUNK, total)
            a, b = (
                side.weights.elements(s.tensor, low, high)
                for side, s in zip(sides, sources, strict=True)
            )
            yield a, b
        return
    rows = [_rows(side, s) for side, s in zip(sides, sources, strict=True)]
    num_rows = shape[0] if shape else 1
    step = max(1, CHUNK // max(1, prod(shape[1:])))
    for low in range(0, num_rows, step):
        a, b = (take(low, min(low + step, num_rows)).reshape(-1) for take in rows)
        for start in range(0, a.size, CHUNK):
            yield a[start : start + CHUNK], b[start : start + CHUNK]


def _rows(side: _Side, source: Source) -> Callable[[int, int], Any]:
    """Return a function that gives rows; a transposed tensor is read whole, once."""
    if not source.is_transposed:
        return lambda low, high: side.weights.number_rows(source, low, high)
    whole = side.weights.numbers(source)
    return lambda low, high: whole[low:high] if whole.ndim else whole


def _order(change: TensorChange) -> tuple[int, float, str]:
    """Return a sort key: largest relative error first, then incomparable tensors, then equal ones."""
    if change.is_equal:
        return (2, 0.0, change.name)
    if change.max_abs is None:
        return (1, 0.0, change.name)
    if change.max_abs == 0:
        return (1, 1.0, change.name)
    return (0, change.snr_db if change.snr_db is not None else -1e9, change.name)


# Pairing of the tensors of two graphs.


def shared(before: Graph, after: Graph, pairs: Sequence[Match]) -> list[tuple[Source, Source]]:
    """Return the tensors that are on both sides: at the same input of a matched node, or under the same name."""
    left, right = sources_of(before), sources_of(after)
    found: dict[tuple[str, str], tuple[Source, Source]] = {}
    for pair in pairs:
        if family(pair.before.operator) != family(pair.after.operator):
            continue  # their inputs have other meanings
        mine, theirs = weights_of(pair.before, left), weights_of(pair.after, right)
        for place in sorted(mine.keys() & theirs.keys()):
            one, other = mine[place], theirs[place]
            found.setdefault((one.tensor, other.tensor), (one, other))
    taken = ({a for a, _ in found}, {b for _, b in found})
    names = {bare(t.name): t.name for t in reversed(after.tensors) if t.name not in taken[1]}
    for tensor in before.tensors:
        other_name = names.get(bare(tensor.name))
        if tensor.name in taken[0] or other_name is None or is_numbered(tensor.name):
            continue
        found[tensor.name, other_name] = (_by_name(tensor.name, left), _by_name(other_name, right))
    return list(found.values())


def _by_name(name: str, sources: Mapping[str, Source]) -> Source:
    """Return the tensor as a node in its graph takes it: dequantized if any node does that."""
    behind = [s for s in sources.values() if s.tensor == name and s.scale]
    return behind[0] if behind else sources[name]
