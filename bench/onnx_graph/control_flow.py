"""If, Loop and Scan: which graph runs, how often, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from bench.onnx_graph.attributes import plain
from bench.onnx_graph.evaluation import number_in
from bench.onnx_graph.known import Known, Scope, agreed, either, scalar, shape_only
from bench.onnx_graph.reasons import AXIS, DATA, reason_of, value_causes
from bench.onnx_graph.record import Dim, Shape
from bench.onnx_graph.skeleton import body_place
from bench.onnx_graph.tally import Count, added, is_counted, opened, set_aside, times

MOST_PASSES: Final = 1000
"""Maximum number of individually followed passes of one loop."""
MOST_STEPS: Final = 200_000
"""Maximum number of individually followed nodes in all passes of one loop."""

Followed = tuple[list[Known], dict[str, Count]]
"""Outputs of a node, and the counts of the nodes in its graphs by key."""


class Walk(Protocol):
    """What control flow needs of the walk through a model."""

    opsets: Mapping[str, int]
    """Domain -> version of its operators."""
    choices: set[str]
    """Keys of the If nodes of which the larger branch is counted."""

    def graph(self, graph: Any, scope: Scope, place: str) -> dict[str, Count]:
        """Follow the nodes: add their outputs to `scope` and return their counts by key."""
        ...

    def unfollowed(
        self, bodies: Sequence[tuple[str, str, Any]], scope: Scope, what: str
    ) -> dict[str, Count]:
        """Return the nodes of graphs for which the number of runs is unknown."""
        ...


def _if(walk: Walk, node: Any, key: str, inputs: Sequence[Known | None], scope: Scope) -> Followed:
    condition = inputs[0].value if inputs and inputs[0] else None
    sides: list[tuple[str, dict[str, Count], list[Known]]] = []
    for name, place, body in bodies_of(node, key):
        inside = dict(scope)
        counts = walk.graph(body, inside, place)
        sides.append((name, counts, [inside.get(v.name, Known()) for v in body.output]))
    sums = [
        sum(c.macs or 0 for c in counts.values() if not c.is_alternative) for _, counts, _ in sides
    ]
    if condition is not None and condition.size == 1:
        wanted = "then_branch" if bool(condition.reshape(())) else "else_branch"
        taken = next((n for n, side in enumerate(sides) if side[0] == wanted), 0)
    else:
        taken = sums.index(max(sums)) if sums else 0
        if max(sums, default=0):
            walk.choices.add(key)
    found: dict[str, Count] = {}
    for n, (_, counts, _) in enumerate(sides):
        found |= counts if n == taken else set_aside(counts)
    if condition is not None and sides:
        return sides[taken][2], found
    outputs = []
    for n in range(len(node.output)):
        values = [given[n] for _, _, given in sides if n < len(given)]
        outputs.append(either(values, key))
    return outputs, found


def _loop(
    walk: Walk, node: Any, key: str, inputs: Sequence[Known | None], scope: Scope
) -> tuple[list[Known], dict[str, Count]]:
    ((_, place, body),) = bodies_of(node, key)
    limit = number_in(inputs[0].value) if inputs[0] else None
    start = number_in(inputs[1].value) if len(inputs) > 1 and inputs[1] else 1
    has_limit = bool(node.input[0])
    carried = [known or Known() for known in inputs[2:]]
    num_scanned = len(body.output) - 1 - len(carried)
    if num_scanned < 0 or len(body.input) < 2:
        return [Known() for _ in node.output], {}

    def one_pass(
        number: int | None, before: Sequence[Known]
    ) -> tuple[dict[str, Count], list[Known]]:
        inside = dict(scope)
        given = [scalar(number), scalar(1, is_flag=True), *before]
        for value, known in zip(body.input, given, strict=False):
            inside[value.name] = known
        counts = walk.graph(body, inside, place)
        return counts, [inside.get(v.name, Known()) for v in body.output]

    decided = set(walk.choices)
    plain_counts, after = one_pass(None, [shape_only(known) for known in carried])
    undecided = walk.choices - decided
    if undecided:  # does the number of the pass, or what the loop starts with, tell the branch?
        walk.choices.difference_update(undecided)
        one_pass(0, carried)
        told = undecided - walk.choices
        walk.choices.update(undecided)
    else:
        told = set[str]()
    goes_on = number_in(after[0].value) if after else None
    ends = after[1 : 1 + len(carried)]
    is_steady = all(a.shape == b.shape and a.is_whole for a, b in zip(carried, ends, strict=True))
    scanned = after[1 + len(carried) :]
    if start == 0 or limit == 0:
        return _ended(carried, scanned, num_scanned, 0, key), times(plain_counts, 0)
    most = min(MOST_PASSES, MOST_STEPS // max(1, len(plain_counts)))
    is_alike = is_steady and is_counted(plain_counts) and (not told or (limit or 0) > most)
    if limit is not None and goes_on and start and is_alike:
        outputs = _ended(ends, scanned, num_scanned, limit, key)
        return [replace(o, compute=None) for o in outputs], times(plain_counts, limit)
    total: dict[str, Count] = {}
    trips, state, collected = 0, carried, list[list[Known]]()
    is_known = start is not None and (limit is not None or goes_on is None or not has_limit)
    walk.choices.difference_update(told)
    while is_known and (limit is None or trips < limit):
        if trips == most or (limit is not None and limit > most):
            is_known = False
            break
        counts, results = one_pass(trips, state)
        total = added(total, counts)
        state = results[1 : 1 + len(carried)]
        for known in state:  # computed per pass, not in one long chain at the end
            _ = known.value
        collected.append(results[1 + len(carried) :])
        trips += 1
        flag = number_in(results[0].value)
        if flag is None:
            is_known = False
        elif not flag:
            break
    if is_known:
        first = collected[0] if collected else []
        return _ended(state, first, num_scanned, trips, key), total
    why = _trips_reason(key, inputs, after, start, limit)
    open_ends = [
        replace(shape_only(e), shape=agreed(a.shape, e.shape), causes=frozenset({why}))
        for a, e in zip(carried, ends, strict=True)
    ]
    for end in open_ends:
        end.causes = frozenset() if end.is_whole else end.causes
    outputs = _ended(open_ends, scanned, num_scanned, None, key)
    return outputs, opened(plain_counts, why)


def _ended(
    state: Sequence[Known],
    scanned: Sequence[Known],
    num_scanned: int,
    trips: int | None,
    key: str,
) -> list[Known]:
    """Return the outputs of a loop: the last state, and the stacked outputs of each pass."""
    why = frozenset({f"how often {key} runs {DATA}"}) if trips is None else frozenset[str]()
    rows = []
    for known in (*scanned, *[Known()] * (num_scanned - len(scanned))):
        shape = None if known.shape is None else (trips if trips is not None else "?", *known.shape)
        rows.append(
            Known(
                shape=shape,
                dtype=known.dtype,
                causes=known.causes | why,
                key=key,
                operator="Loop",
            )
        )
    return [*state, *rows]


def _scan(
    walk: Walk, node: Any, key: str, inputs: Sequence[Known | None], scope: Scope
) -> tuple[list[Known], dict[str, Count]]:
    bodies = bodies_of(node, key)
    ((_, place, body),) = bodies
    attributes = {a.name: plain(a) for a in node.attribute}
    if walk.opsets.get("ai.onnx", 9) < 9:
        counts = walk.unfollowed(bodies, scope, "how often the Scan of an opset below 9 runs")
        return [Known() for _ in node.output], counts
    num_scanned = int(attributes.get("num_scan_inputs") or 0)
    num_states = len(inputs) - num_scanned
    axes = attributes.get("scan_input_axes") or [0] * num_scanned
    states = [known or Known() for known in inputs[:num_states]]
    inside = dict(scope)
    trips: Dim | None = None
    causes = frozenset[str]()
    slices = []
    for known, axis in zip(inputs[num_states:], axes, strict=False):
        if known is None or known.shape is None:
            slices.append(Known(causes=known.causes if known else frozenset()))
            causes |= known.causes if known else frozenset()
            continue
        place_ = axis + len(known.shape) if axis < 0 else axis
        length = known.shape[place_]
        if isinstance(length, int):
            trips = length
        else:
            causes |= known.causes
        rest = (*known.shape[:place_], *known.shape[place_ + 1 :])
        slices.append(Known(shape=rest, dtype=known.dtype, causes=known.causes))
    for value, known in zip(body.input, [*map(shape_only, states), *slices], strict=False):
        inside[value.name] = known
    counts = walk.graph(body, inside, place)
    given = [inside.get(v.name, Known()) for v in body.output]
    ends = [shape_only(known) for known in given[:num_states]]
    out_axes = attributes.get("scan_output_axes") or [0] * len(given)
    rows = []
    for known, axis in zip(given[num_states:], out_axes, strict=False):
        shape: Shape | None = None
        if known.shape is not None:
            at = axis + len(known.shape) + 1 if axis < 0 else axis
            shape = (*known.shape[:at], "?" if trips is None else trips, *known.shape[at:])
        rows.append(
            Known(
                shape=shape,
                dtype=known.dtype,
                causes=known.causes | causes,
                key=key,
                operator="Scan",
            )
        )
    if isinstance(trips, int):
        return [*ends, *rows], times(counts, trips)
    return [*ends, *rows], opened(
        counts, reason_of(causes or frozenset({f"how often {key} runs {DATA}"}))
    )


CONTROL: Final[dict[str, Callable[..., Followed]]] = {"If": _if, "Loop": _loop, "Scan": _scan}
"""Operator -> the function that follows its graphs."""


def bodies_of(node: Any, key: str) -> list[tuple[str, str, Any]]:
    """Return (attribute, place, GraphProto) of every graph in a node."""
    found = []
    for attribute in node.attribute:
        inner = [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
        for n, body in enumerate(inner):
            found.append((attribute.name, body_place(key, attribute.name, n, len(inner)), body))
    return found


def _trips_reason(
    key: str,
    inputs: Sequence[Known | None],
    after: Sequence[Known],
    start: int | None,
    limit: int | None,
) -> str:
    """Return why the number of runs of a loop is unknown."""
    if limit is not None and limit > MOST_PASSES:
        return f"{key} runs {limit:,} times, its shapes change on the way"
    causes = frozenset[str]()
    for known in (inputs[0] if limit is None else None, inputs[1] if start is None else None):
        causes |= value_causes(known) if known is not None else frozenset()
    axes = frozenset(cause for cause in causes if cause.startswith(AXIS))
    return reason_of(axes) if axes else f"how often {key} runs {DATA}"
