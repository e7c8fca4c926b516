"""Comparison of two graphs as a pure function of two records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.graph_diff.difference import Change, Difference, NodeChange, NodeRef, Side
from bench.graph_diff.fingerprint import with_remainder
from bench.graph_diff.match import Match, match, origin
from bench.onnx_graph.names import bare
from bench.onnx_graph.record import Graph, Node, Shape, Value


def compare(before: Graph, after: Graph) -> Difference:
    """Return what was added, removed and changed; the weights' values are not compared."""
    return with_remainder(compare_matched(before, after, match(before, after)), before, after)


def compare_matched(before: Graph, after: Graph, pairs: Sequence[Match]) -> Difference:
    """Return the comparison for nodes that are matched already."""
    known = {pair.before.key for pair in pairs}
    new = {pair.after.key for pair in pairs}
    sources = _sources(before, after, pairs)
    stored = _stored_shapes(before), _stored_shapes(after)
    changed = []
    for pair in pairs:
        if changes := _changes(pair, *sources):
            changed.append(
                NodeChange(
                    before=_ref(pair.before),
                    after=_ref(pair.after),
                    matched_by=pair.by,
                    changes=tuple(changes),
                    is_carried=_is_carried(pair, changes, *stored),
                )
            )
    general = (*_general(before, after), *_moved_outputs(before, after, pairs, *sources))
    return Difference(
        before=_side(before),
        after=_side(after),
        general=general,
        added=tuple(_ref(n) for n in after.nodes if n.key not in new),
        removed=tuple(_ref(n) for n in before.nodes if n.key not in known),
        changed=tuple(changed),
        num_same=len(pairs) - len(changed),
        num_renamed=sum(pair.before.key != pair.after.key for pair in pairs),
        operators=_histogram(before, after),
    )


def shape_text(shape: Shape | None) -> str:
    """Return a shape as text, e.g. `batch×64×56×56`; `?` if unknown, `scalar` for no axes."""
    if shape is None:
        return "?"
    return "×".join(str(extent) for extent in shape) or "scalar"


def _ref(node: Node) -> NodeRef:
    return NodeRef(key=node.key, operator=node.operator, scope=node.scope, outer=node.outer)


def _side(graph: Graph) -> Side:
    numbers: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for tensor in graph.tensors:
        numbers[tensor.dtype] += 1
        sizes[tensor.dtype] += tensor.num_bytes
    return Side(
        path=graph.path,
        num_bytes=graph.num_bytes,
        num_nodes=len(graph.nodes),
        producer=graph.producer,
        macs=graph.macs,
        num_uncounted=graph.num_uncounted,
        open_axes=graph.open_axes,
        uncounted=graph.uncounted,
        sizes=graph.sizes,
        num_choices=graph.num_choices,
        initializer_bytes=graph.initializer_bytes,
        dtypes=tuple((name, numbers[name], size) for name, size in sizes.most_common()),
    )


def _histogram(before: Graph, after: Graph) -> tuple[tuple[str, int, int], ...]:
    left, right = (Counter(n.operator for n in graph.nodes) for graph in (before, after))
    rows = [(name, left[name], right[name]) for name in left | right if left[name] != right[name]]
    return tuple(sorted(rows, key=lambda row: (-abs(row[1] - row[2]), row[0])))


def _general(before: Graph, after: Graph) -> Iterable[Change]:
    if before.producer != after.producer:
        yield Change(what="producer", name="", before=before.producer, after=after.producer)
    if before.ir_version != after.ir_version:
        yield Change(
            what="IR version", name="", before=str(before.ir_version), after=str(after.ir_version)
        )
    left, right = dict(before.opsets), dict(after.opsets)
    for domain in sorted(left | right):
        if left.get(domain) != right.get(domain):
            texts = (str(side.get(domain, "")) for side in (left, right))
            yield Change(what="opset", name=domain, before=next(texts), after=next(texts))
    yield from _interface("input", before.inputs, after.inputs)
    yield from _interface("output", before.outputs, after.outputs)


def _interface(what: str, before: Sequence[Value], after: Sequence[Value]) -> Iterable[Change]:
    left, right = ({v.name: v for v in values} for values in (before, after))
    for name in dict.fromkeys((*left, *right)):
        texts = [_value_text(side[name]) if name in side else "" for side in (left, right)]
        if texts[0] != texts[1]:
            yield Change(what=what, name=name, before=texts[0], after=texts[1])
    if left.keys() == right.keys() and list(left) != list(right):
        yield Change(what=what, name="order", before=", ".join(left), after=", ".join(right))


def _moved_outputs(
    before: Graph,
    after: Graph,
    pairs: Sequence[Match],
    left: dict[str, str],
    right: dict[str, str],
) -> Iterable[Change]:
    """Return outputs of the graph that are now produced by another node present on both sides."""
    for one, other in zip(before.outputs, after.outputs, strict=False):
        words = (left.get(one.name, ""), right.get(other.name, ""))
        numbers = [word.partition(":")[0] for word in words]
        if words[0] != words[1] and all(number.isdigit() for number in numbers):
            keys = [pairs[int(number)].before.key for number in numbers]
            texts = [f"{key}:{w.partition(':')[2]}" for key, w in zip(keys, words, strict=True)]
            yield Change(what="output", name=one.name, before=texts[0], after=texts[1])


def _value_text(value: Value) -> str:
    return f"{value.dtype or '?'} {shape_text(value.shape)}"


def _sources(
    before: Graph, after: Graph, pairs: Sequence[Match]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return for both sides value -> text that identifies its source, equal on both sides if the source is."""
    return (
        _words(before, {pair.before.key: str(n) for n, pair in enumerate(pairs)}),
        _words(after, {pair.after.key: str(n) for n, pair in enumerate(pairs)}),
    )


def _words(graph: Graph, numbers: dict[str, str]) -> dict[str, str]:
    """Return value -> text that identifies its source. A node that is on one side alone, with one input besides its
    weights, is skipped: that it was added or removed is reported once, not again by its consumers. ONNX sorts nodes:
    producers first.
    """
    find = origin(graph)
    words = {value.name: f"input {place}" for place, value in enumerate(graph.inputs)}
    for body in graph.bodies:
        attribute = body.place.rpartition("/")[2]
        words |= {name: f"argument {n} of {attribute}" for n, name in enumerate(body.inputs)}
    for node in graph.nodes:
        flowing = [words[start] for name in node.inputs if (start := find(name)) in words]
        for place, value in enumerate(node.outputs):
            if node.key in numbers:
                words[value.name] = f"{numbers[node.key]}:{place}"
            elif len(flowing) == 1:
                words[value.name] = flowing[0]
            else:
                words[value.name] = f"node {node.key}:{place}"
    names = {name for node in graph.nodes for name in node.inputs if name}
    names |= {value.name for value in graph.outputs}
    return {name: words.get(find(name), "weights") for name in names}


def _changes(pair: Match, left: dict[str, str], right: dict[str, str]) -> Iterable[Change]:
    before, after = pair.before, pair.after
    found = []
    if before.operator != after.operator:
        found.append(Change(what="operator", name="", before=before.operator, after=after.operator))
    mine, theirs = dict(before.attributes), dict(after.attributes)
    is_same_kind = before.operator == after.operator
    for name in sorted(mine | theirs if is_same_kind else mine.keys() & theirs.keys()):
        if mine.get(name) != theirs.get(name):
            found.append(
                Change(
                    what="attribute",
                    name=name,
                    before=mine.get(name, ""),
                    after=theirs.get(name, ""),
                )
            )
    for number, (one, other) in enumerate(zip(before.outputs, after.outputs, strict=False)):
        label = bare(one.name) if len(before.outputs) > 1 else ""
        if _differs(one.shape, other.shape):
            found.append(
                Change(
                    what="shape",
                    name=label or (str(number) if number else ""),
                    before=shape_text(one.shape),
                    after=shape_text(other.shape),
                )
            )
        if one.dtype and other.dtype and one.dtype != other.dtype:
            found.append(Change(what="dtype", name=label, before=one.dtype, after=other.dtype))
    if len(before.outputs) != len(after.outputs):
        found.append(
            Change(
                what="output",
                name="number",
                before=str(len(before.outputs)),
                after=str(len(after.outputs)),
            )
        )
    found += _rewired(before, after, left, right)
    return found


def _stored_shapes(graph: Graph) -> dict[str, Shape]:
    return {tensor.name: tensor.shape for tensor in graph.tensors}


def _is_carried(
    pair: Match, changes: Iterable[Change], left: dict[str, Shape], right: dict[str, Shape]
) -> bool:
    """Return whether the node does what it did, with its own weights as large as before, on what it is fed."""
    if any(change.what not in ("shape", "dtype") for change in changes):
        return False
    if not any(name and name not in left for name in pair.before.inputs):
        return False  # it is fed by nobody
    mine, theirs = (
        [shapes[name] for name in node.inputs if name in shapes]
        for node, shapes in ((pair.before, left), (pair.after, right))
    )
    return mine == theirs


def _differs(before: Shape | None, after: Shape | None) -> bool:
    """Return whether two known shapes differ: missing shape information in one file is no change of the graph."""
    if before is None or after is None:
        return False
    if len(before) != len(after):
        return True
    return any(
        one != other and (isinstance(one, int) and isinstance(other, int))
        for one, other in zip(before, after, strict=True)
    )


def _rewired(
    before: Node, after: Node, left: dict[str, str], right: dict[str, str]
) -> Iterable[Change]:
    """Return inputs that come from another source; quantized operators, which also take scales, are skipped."""
    if before.operator != after.operator:
        return
    for number in range(max(len(before.inputs), len(after.inputs))):
        one, other = (
            node.inputs[number] if number < len(node.inputs) else "" for node in (before, after)
        )
        if bare(one) != bare(other) and left.get(one, "") != right.get(other, ""):
            yield Change(what="input", name=str(number), before=one, after=other)
