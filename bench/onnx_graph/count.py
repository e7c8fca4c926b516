"""Multiply-accumulate count of a graph: shapes are propagated through the nodes, loops pass by pass; no weight is read.

What onnx's inference leaves open is resolved here from the values of small tensors: shapes that the graph computes,
limits of loops, conditions of branches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Final

from bench.onnx_graph.attributes import plain
from bench.onnx_graph.evaluation import MOST, evaluated, inferred_outputs, number_in, tensor_value
from bench.onnx_graph.keys import keys_of
from bench.onnx_graph.macs import Call, Open, counter_of
from bench.onnx_graph.microsoft import find_schema
from bench.onnx_graph.operators import SHAPED_AS_INPUT, reason_not_counted
from bench.onnx_graph.record import Dim, Shape
from bench.onnx_graph.skeleton import body_place
from bench.onnx_graph.values import shape_of

MOST_PASSES: Final = 1000
"""Maximum number of individually followed passes of one loop."""
MOST_STEPS: Final = 200_000
"""Maximum number of individually followed nodes in all passes of one loop."""
AXIS: Final = "open axis "
"""Prefix of the reason if it is an axis that the user can choose."""
DATA: Final = "depends on the data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Count of one node."""

    macs: int | None = 0
    reason: str = ""
    """Reason why `macs` is None."""
    is_alternative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of one graph."""

    by_key: Mapping[str, Count]
    """Key of a node, including its place -> its count."""
    num_choices: int
    """Number of If nodes of which the larger branch is counted."""


@dataclass(slots=True, kw_only=True, eq=False)
class Known:
    """Known facts about a value."""

    shape: Shape | None = None
    dtype: int = 0
    """Number of TensorProto.DataType; 0: unknown, or not a tensor."""
    compute: Callable[[], Any] | None = None
    """Returns the value, or None."""
    causes: frozenset[str] = frozenset()
    """Why the shape, or the shape that the value represents, is open: see `_Counter._causes`."""
    parents: tuple[Known, ...] = ()
    operator: str = ""
    key: str = ""
    _value: Any = None
    _is_computed: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether every extent is known."""
        return self.shape is not None and all(isinstance(d, int) for d in self.shape)

    @property
    def value(self) -> Any:
        """Value of a small tensor as a numpy array if it is known without running the graph; else None."""
        if not self._is_computed:
            self._is_computed = True
            try:
                self._value = self.compute() if self.compute else None
            except RecursionError:  # the chain of values is too long
                self._value = None
        return self._value


Scope = dict[str, Known]
Fact = tuple[int, Shape | None]
"""Type and shape of a value according to onnx's inference."""


def count_macs(model: Any, axes: Iterable[str], seen: Mapping[str, Sequence[int]]) -> Counts:
    """Return the counts of a model to which onnx's inference has added its results.

    `axes`: names of the open axes; `seen`: value of the main graph -> its shape in a run.
    """
    counter = _Counter(model, axes)
    counter.main(model.graph, seen)
    return Counts(by_key=counter.counts, num_choices=len(counter.choices))


class _Counter:
    def __init__(self, model: Any, axes: Iterable[str]) -> None:
        self._opsets = {o.domain or "ai.onnx": int(o.version) for o in model.opset_import}
        self._axes = frozenset(axes)
        self._facts: dict[str, dict[str, Fact]] = {}
        self._keys: dict[str, list[str]] = {}
        self.counts: dict[str, Count] = {}
        self.choices: set[str] = set()

    def main(self, graph: Any, seen: Mapping[str, Sequence[int]]) -> None:
        scope: Scope = {}
        stored = {tensor.name for tensor in graph.initializer}
        for value in graph.input:
            if value.name not in stored:
                scope[value.name] = self._input(value, seen)
        self.counts = self._graph(graph, scope, "", seen)

    def _input(self, value: Any, seen: Mapping[str, Sequence[int]]) -> Known:
        tensor = value.type.tensor_type
        shape = shape_of(tensor) if value.name not in seen else tuple(seen[value.name])
        causes = frozenset(f"{AXIS}{d}" for d in shape or () if isinstance(d, str))
        if shape is None:
            causes = frozenset({f"input {value.name} has no shape in the file"})
        return Known(
            shape=shape, dtype=tensor.elem_type, causes=causes, operator="input", key=value.name
        )

    def _graph(
        self,
        graph: Any,
        scope: Scope,
        place: str,
        seen: Mapping[str, Sequence[int]] | None = None,
    ) -> dict[str, Count]:
        """Follow the nodes: add their outputs to `scope` and return their counts by key."""
        for tensor in graph.initializer:
            scope[tensor.name] = _stored(tensor)
        for sparse in graph.sparse_initializer:
            scope[sparse.values.name] = Known(
                shape=tuple(sparse.dims), dtype=sparse.values.data_type
            )
        facts = self._facts.get(place)
        if facts is None:
            facts = self._facts[place] = _facts_of(graph)
            keys = keys_of((n.name, n.op_type) for n in graph.node)
            self._keys[place] = [f"{place}/{key}" if place else key for key in keys]
        found: dict[str, Count] = {}
        for key, node in zip(self._keys[place], graph.node, strict=True):
            found |= self._node(node, key, scope, facts, seen or {})
        return found

    def _node(
        self,
        node: Any,
        key: str,
        scope: Scope,
        facts: Mapping[str, Fact],
        seen: Mapping[str, Sequence[int]],
    ) -> dict[str, Count]:
        inputs = [scope.get(name) for name in node.input]
        inner: dict[str, Count] = {}
        is_own = node.domain in ("", "ai.onnx")
        special = CONTROL.get(node.op_type) if is_own else None
        if special is not None:
            outputs, inner = special(self, node, key, inputs, scope)
        else:
            outputs = self._outputs(node, key, inputs, facts)
            bodies = _bodies(node, key)
            if bodies:
                inner = self._unfollowed(bodies, scope, f"how often {key} runs its graphs")
        for name, known in zip(node.output, outputs, strict=False):
            if not name:
                continue
            if name in seen:
                known = replace(known, shape=tuple(seen[name]), causes=frozenset())
            elif special is not None and not known.is_whole and name in facts:
                known.shape = _merged(known.shape, facts[name][1])
            scope[name] = known
        outputs = [scope.get(name, Known()) for name in node.output]
        return {key: self._count(node, key, inputs, outputs), **inner}

    def _outputs(
        self, node: Any, key: str, inputs: Sequence[Known | None], facts: Mapping[str, Fact]
    ) -> list[Known]:
        """Return the outputs of an ordinary node."""
        parents = tuple(known for known in inputs if known is not None)
        operator = _operator(node)
        stated = [facts.get(name, (0, None)) for name in node.output]
        dtypes = [dtype for dtype, _ in stated]
        shapes = [shape for _, shape in stated]
        if operator in SHAPED_AS_INPUT and inputs and inputs[0]:
            shapes[0] = _merged(inputs[0].shape, shapes[0])
        if not all(_is_explained(shape, self._axes) for shape in shapes) and node.output:
            found = inferred_outputs(node, inputs, self._opsets)
            for n, name in enumerate(node.output):
                if name in found:
                    dtype, shape = found[name]
                    dtypes[n] = dtypes[n] or dtype
                    shapes[n] = _merged(shape, shapes[n])
        results = []
        for n, shape in enumerate(shapes):
            known = Known(shape=shape, dtype=dtypes[n], parents=parents, operator=operator, key=key)
            if n == 0:
                known.compute = _computing(node, inputs, known, self._opsets)
            if not known.is_whole:
                value = known.value if n == 0 else None
                if value is not None:
                    known.shape = tuple(value.shape)
                else:
                    known.causes = self._causes(known)
            results.append(known)
        return results

    def _causes(self, known: Known) -> frozenset[str]:
        """Return why its shape is open: axes that the user can choose, or its other dependencies."""
        open_dims = [d for d in known.shape or () if isinstance(d, str)]
        if known.shape is not None and open_dims and all(d in self._axes for d in open_dims):
            return frozenset(f"{AXIS}{d}" for d in open_dims)
        shapes = frozenset[str]().union(*(p.causes for p in known.parents if not p.is_whole))
        if shapes:
            return shapes
        values = frozenset[str]().union(*map(self._value_causes, _whole_number_parents(known)))
        if values - {DATA}:
            return values - {DATA}
        name = known.operator.rpartition("::")[2]
        if not _has_rule(known.operator, self._opsets):
            return frozenset({f"no rule gives the shapes behind {known.operator} {known.key}"})
        return frozenset({f"{DATA}: {name} {known.key}"})

    def _value_causes(self, known: Known, depth: int = 200) -> frozenset[str]:
        """Return why a value is unknown."""
        if known.value is not None:
            return frozenset()
        if known.operator in ("Shape", "Size"):
            return known.parents[0].causes if known.parents else frozenset()
        if not known.parents or depth == 0:
            return known.causes | {DATA}
        found = frozenset[str]().union(*(self._value_causes(p, depth - 1) for p in known.parents))
        return found | known.causes

    def _count(
        self, node: Any, key: str, inputs: Sequence[Known | None], outputs: Sequence[Known]
    ) -> Count:
        operator = _operator(node)
        if reason := reason_not_counted(operator):
            return Count(macs=None, reason=reason)
        counter = counter_of(operator)
        if counter is None:
            return Count()
        call = Call(
            attributes={a.name: plain(a) for a in node.attribute},
            inputs=[known.shape if known else None for known in inputs],
            outputs=[known.shape for known in outputs],
            given=[bool(name) for name in node.input],
            value=lambda at: _number_of(inputs, at),
        )
        try:
            return Count(macs=counter(call))
        except Open as error:
            if str(error):
                return Count(macs=None, reason=f"{key}: {error}")
        except (IndexError, KeyError, ValueError, ZeroDivisionError, TypeError):
            return Count(
                macs=None, reason=f"{operator} {key} has shapes that its formula does not know"
            )
        taken = [known for known in (*inputs, *outputs) if known is not None and not known.is_whole]
        return Count(macs=None, reason=_reason(frozenset[str]().union(*(k.causes for k in taken))))

    # Control flow.

    def _if(
        self, node: Any, key: str, inputs: Sequence[Known | None], scope: Scope
    ) -> tuple[list[Known], dict[str, Count]]:
        condition = inputs[0].value if inputs and inputs[0] else None
        sides: list[tuple[str, dict[str, Count], list[Known]]] = []
        for name, place, body in _bodies(node, key):
            inside = dict(scope)
            counts = self._graph(body, inside, place)
            sides.append((name, counts, [inside.get(v.name, Known()) for v in body.output]))
        sums = [
            sum(c.macs or 0 for c in counts.values() if not c.is_alternative)
            for _, counts, _ in sides
        ]
        if condition is not None and condition.size == 1:
            wanted = "then_branch" if bool(condition.reshape(())) else "else_branch"
            taken = next((n for n, side in enumerate(sides) if side[0] == wanted), 0)
        else:
            taken = sums.index(max(sums)) if sums else 0
            if max(sums, default=0):
                self.choices.add(key)
        found: dict[str, Count] = {}
        for n, (_, counts, _) in enumerate(sides):
            found |= counts if n == taken else _set_aside(counts)
        if condition is not None and sides:
            return sides[taken][2], found
        outputs = []
        for n in range(len(node.output)):
            values = [given[n] for _, _, given in sides if n < len(given)]
            outputs.append(_either(values, key))
        return outputs, found

    def _loop(
        self, node: Any, key: str, inputs: Sequence[Known | None], scope: Scope
    ) -> tuple[list[Known], dict[str, Count]]:
        ((_, place, body),) = _bodies(node, key)
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
            given = [_number(number), _number(1, is_flag=True), *before]
            for value, known in zip(body.input, given, strict=False):
                inside[value.name] = known
            counts = self._graph(body, inside, place)
            return counts, [inside.get(v.name, Known()) for v in body.output]

        plain_counts, after = one_pass(None, [_shape_only(known) for known in carried])
        goes_on = number_in(after[0].value) if after else None
        ends = after[1 : 1 + len(carried)]
        is_steady = all(
            a.shape == b.shape and a.is_whole for a, b in zip(carried, ends, strict=True)
        )
        scanned = after[1 + len(carried) :]
        if start == 0 or limit == 0:
            return self._ended(carried, scanned, num_scanned, 0, key), _times(plain_counts, 0)
        if limit is not None and goes_on and is_steady and start and _is_counted(plain_counts):
            outputs = self._ended(ends, scanned, num_scanned, limit, key)
            return [replace(o, compute=None) for o in outputs], _times(plain_counts, limit)
        total: dict[str, Count] = {}
        trips, state, collected = 0, carried, list[list[Known]]()
        is_known = start is not None and (limit is not None or goes_on is None or not has_limit)
        most = min(MOST_PASSES, MOST_STEPS // max(1, len(plain_counts)))
        while is_known and (limit is None or trips < limit):
            if trips == most or (limit is not None and limit > most):
                is_known = False
                break
            counts, results = one_pass(trips, state)
            total = _added(total, counts)
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
            return self._ended(state, first, num_scanned, trips, key), total
        why = _trips_reason(self, key, inputs, after, start, limit)
        open_ends = [
            replace(_shape_only(e), shape=_agreed(a.shape, e.shape), causes=frozenset({why}))
            for a, e in zip(carried, ends, strict=True)
        ]
        for end in open_ends:
            end.causes = frozenset() if end.is_whole else end.causes
        outputs = self._ended(open_ends, scanned, num_scanned, None, key)
        return outputs, _opened(plain_counts, why)

    def _ended(
        self,
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
            shape = (
                None if known.shape is None else (trips if trips is not None else "?", *known.shape)
            )
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
        self, node: Any, key: str, inputs: Sequence[Known | None], scope: Scope
    ) -> tuple[list[Known], dict[str, Count]]:
        bodies = _bodies(node, key)
        ((_, place, body),) = bodies
        attributes = {a.name: plain(a) for a in node.attribute}
        if self._opsets.get("ai.onnx", 9) < 9:
            counts = self._unfollowed(bodies, scope, "how often the Scan of an opset below 9 runs")
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
        for value, known in zip(body.input, [*map(_shape_only, states), *slices], strict=False):
            inside[value.name] = known
        counts = self._graph(body, inside, place)
        given = [inside.get(v.name, Known()) for v in body.output]
        ends = [_shape_only(known) for known in given[:num_states]]
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
            return [*ends, *rows], _times(counts, trips)
        return [*ends, *rows], _opened(
            counts, _reason(causes or frozenset({f"how often {key} runs {DATA}"}))
        )

    def _unfollowed(
        self, bodies: Sequence[tuple[str, str, Any]], scope: Scope, what: str
    ) -> dict[str, Count]:
        """Return the nodes of graphs for which the number of runs is unknown."""
        found: dict[str, Count] = {}
        for _, place, body in bodies:
            inside = dict(scope)
            for value in body.input:
                inside[value.name] = self._input(value, {})
            found |= _opened(self._graph(body, inside, place), f"{what} is not known")
        return found


CONTROL: Final[dict[str, Callable[..., tuple[list[Known], dict[str, Count]]]]] = {
    "If": _Counter._if,
    "Loop": _Counter._loop,
    "Scan": _Counter._scan,
}


def _bodies(node: Any, key: str) -> list[tuple[str, str, Any]]:
    """Return (attribute, place, GraphProto) of every graph in a node."""
    found = []
    for attribute in node.attribute:
        inner = [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
        for n, body in enumerate(inner):
            found.append((attribute.name, body_place(key, attribute.name, n, len(inner)), body))
    return found


def _stored(tensor: Any) -> Known:
    return Known(
        shape=tuple(int(d) for d in tensor.dims),
        dtype=tensor.data_type,
        compute=lambda: tensor_value(tensor),
    )


def _computing(
    node: Any, inputs: Sequence[Known | None], known: Known, opsets: Mapping[str, int]
) -> Callable[[], Any]:
    """Return a function that gives the value of a node's first output, or None."""

    def compute() -> Any:
        if prod(d for d in known.shape or () if isinstance(d, int)) > MOST:
            return None
        return evaluated(node, inputs, opsets)

    return compute


def _facts_of(graph: Any) -> dict[str, Fact]:
    """Return value -> the graph's declaration of it."""
    return {
        value.name: (value.type.tensor_type.elem_type, shape_of(value.type.tensor_type))
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.HasField("tensor_type")
    }


def _operator(node: Any) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"


def _has_rule(operator: str, opsets: Mapping[str, int]) -> bool:
    """Return whether onnx's inference knows the operator."""
    domain, _, name = operator.rpartition("::")
    schema = find_schema(name, domain, opsets.get(domain or "ai.onnx", 1))
    return schema is not None and bool(schema.has_type_and_shape_inference_function)


def _is_explained(shape: Shape | None, axes: frozenset[str]) -> bool:
    """Return whether each extent is known, or open because an axis of an input is."""
    return shape is not None and all(isinstance(d, int) or d in axes for d in shape)


def _merged(shape: Shape | None, other: Shape | None) -> Shape | None:
    """Return the combined information of both; extents of the first take precedence."""
    if shape is None or other is None:
        return shape if other is None else other
    if len(shape) != len(other):
        return shape
    return tuple(
        a if isinstance(a, int) else b if isinstance(b, int) or a == "?" else a
        for a, b in zip(shape, other, strict=True)
    )


def _agreed(shape: Shape | None, other: Shape | None) -> Shape | None:
    """Return the part that is the same in both."""
    if shape is None or other is None or len(shape) != len(other):
        return None
    return tuple(a if a == b else "?" for a, b in zip(shape, other, strict=True))


def _either(values: Sequence[Known], key: str) -> Known:
    """Return the common facts about the results of two branches."""
    if not values:
        return Known()
    found = _shape_only(values[0])
    for other in values[1:]:
        found.shape = _agreed(found.shape, other.shape)
        found.causes |= other.causes
    if not found.is_whole and not found.causes:
        found.causes = frozenset({f"the branches of {key} give different shapes"})
    return replace(found, key=key, operator="If")


def _whole_number_parents(known: Known) -> list[Known]:
    """Return inputs whose values may determine the shape of the output."""
    return [p for p in known.parents if p.dtype in (0, 6, 7) or p.operator in ("Shape", "Size")]


def _shape_only(known: Known) -> Known:
    """Return the facts without the value."""
    return Known(shape=known.shape, dtype=known.dtype, causes=known.causes)


def _number(value: int | None, *, is_flag: bool = False) -> Known:
    """Return the facts of a scalar."""
    import numpy as np

    array = None if value is None else np.array(value, bool if is_flag else np.int64)
    return Known(shape=(), dtype=9 if is_flag else 7, compute=lambda: array)


def _number_of(inputs: Sequence[Known | None], at: int) -> int | None:
    """Return the number in a scalar input if it is known."""
    known = inputs[at] if at < len(inputs) else None
    return None if known is None else number_in(known.value)


def _is_counted(counts: Mapping[str, Count]) -> bool:
    return all(count.macs is not None for count in counts.values())


def _times(counts: Mapping[str, Count], trips: int) -> dict[str, Count]:
    return {
        key: replace(count, macs=(count.macs or 0) * trips, reason="")
        if count.macs is not None or trips == 0
        else count
        for key, count in counts.items()
    }


def _added(total: Mapping[str, Count], counts: Mapping[str, Count]) -> dict[str, Count]:
    """Return the sum of two passes; for an If that takes both branches, the part that counts."""
    found = dict(total)
    for key, count in counts.items():
        known = found.get(key)
        if known is None:
            found[key] = count
        elif known.macs is None or count.macs is None:
            found[key] = known if known.macs is None else count
        elif known.is_alternative != count.is_alternative:
            found[key] = count if known.is_alternative else known
        else:
            found[key] = replace(known, macs=known.macs + count.macs)
    return found


def _set_aside(counts: Mapping[str, Count]) -> dict[str, Count]:
    return {key: replace(count, is_alternative=True) for key, count in counts.items()}


def _opened(counts: Mapping[str, Count], reason: str) -> dict[str, Count]:
    """Return the counts of a graph for which the number of runs is unknown."""
    return {
        key: Count(macs=None, reason=count.reason or reason) if count.macs != 0 else count
        for key, count in counts.items()
    }


def _reason(causes: frozenset[str]) -> str:
    """Return the causes as one reason: axes that the user can choose first."""
    axes = sorted(cause.removeprefix(AXIS) for cause in causes if cause.startswith(AXIS))
    others = sorted(cause for cause in causes if not cause.startswith(AXIS))
    if axes:
        return f"{AXIS}{', '.join(axes)}"
    return others[0] if others else f"its shapes {DATA}".replace(DATA, "are not known")


def _trips_reason(
    counter: _Counter,
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
        causes |= counter._value_causes(known) if known is not None else frozenset()
    axes = frozenset(cause for cause in causes if cause.startswith(AXIS))
    return _reason(axes) if axes else f"how often {key} runs {DATA}"
