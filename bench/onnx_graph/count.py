"""Multiply-accumulate count of a graph: shapes are propagated through the nodes, loops pass by pass; no weight is read.

What onnx's inference leaves open is resolved here from the values of small tensors: shapes that the graph computes,
limits of loops, conditions of branches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from bench.onnx_graph.attributes import plain
from bench.onnx_graph.call import Call, Open
from bench.onnx_graph.control_flow import CONTROL, bodies_of
from bench.onnx_graph.evaluation import MOST, evaluated, inferred_outputs
from bench.onnx_graph.keys import keys_of
from bench.onnx_graph.known import (
    Fact,
    Known,
    Scope,
    facts_of,
    is_explained,
    merged,
    number_of,
    stored,
)
from bench.onnx_graph.macs import counter_of
from bench.onnx_graph.operators import SHAPED_AS_INPUT, reason_not_counted
from bench.onnx_graph.reasons import AXIS, causes_of, reason_of
from bench.onnx_graph.sequences import joined_shape
from bench.onnx_graph.tally import Count, Counts, opened
from bench.onnx_graph.values import opsets_of, shape_of


def count_macs(model: Any, axes: Iterable[str], seen: Mapping[str, Sequence[int]]) -> Counts:
    """Return the counts of a model to which onnx's inference has added its results.

    `axes`: names of the open axes; `seen`: value of the main graph -> its shape in a run.
    """
    counter = _Walk(model, axes)
    counter.main(model.graph, seen)
    return Counts(by_key=counter.counts, num_choices=len(counter.choices))


class _Walk:
    def __init__(self, model: Any, axes: Iterable[str]) -> None:
        self.opsets = opsets_of(model)
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
        self.counts = self.graph(graph, scope, "", seen)

    def _input(self, value: Any, seen: Mapping[str, Sequence[int]]) -> Known:
        tensor = value.type.tensor_type
        shape = shape_of(tensor) if value.name not in seen else tuple(seen[value.name])
        causes = frozenset(f"{AXIS}{d}" for d in shape or () if isinstance(d, str))
        if shape is None:
            causes = frozenset({f"input {value.name} has no shape in the file"})
        return Known(
            shape=shape, dtype=tensor.elem_type, causes=causes, operator="input", key=value.name
        )

    def graph(
        self,
        graph: Any,
        scope: Scope,
        place: str,
        seen: Mapping[str, Sequence[int]] | None = None,
    ) -> dict[str, Count]:
        """Follow the nodes: add their outputs to `scope` and return their counts by key."""
        for tensor in graph.initializer:
            scope[tensor.name] = stored(tensor)
        for sparse in graph.sparse_initializer:
            scope[sparse.values.name] = Known(
                shape=tuple(sparse.dims), dtype=sparse.values.data_type
            )
        facts = self._facts.get(place)
        if facts is None:
            facts = self._facts[place] = facts_of(graph)
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
            bodies = bodies_of(node, key)
            if bodies:
                inner = self.unfollowed(bodies, scope, f"how often {key} runs its graphs")
        for name, known in zip(node.output, outputs, strict=False):
            if not name:
                continue
            if name in seen:
                known = replace(known, shape=tuple(seen[name]), causes=frozenset())
            elif special is not None and not known.is_whole and name in facts:
                known.shape = merged(known.shape, facts[name][1])
            scope[name] = known
        outputs = [scope.get(name, Known()) for name in node.output]
        return {key: self._count(node, key, inputs, outputs), **inner}

    def _outputs(
        self, node: Any, key: str, inputs: Sequence[Known | None], facts: Mapping[str, Fact]
    ) -> list[Known]:
        """Return the outputs of an ordinary node."""
        parents = tuple(known for known in inputs if known is not None)
        operator = _operator_of(node)
        stated = [facts.get(name, (0, None)) for name in node.output]
        dtypes = [dtype for dtype, _ in stated]
        shapes = [shape for _, shape in stated]
        if operator in SHAPED_AS_INPUT and inputs and inputs[0]:
            shapes[0] = merged(inputs[0].shape, shapes[0])
        if operator == "ConcatFromSequence" and inputs:
            joined = joined_shape(inputs[0], {a.name: plain(a) for a in node.attribute})
            shapes[0] = merged(joined, shapes[0])
        if not all(is_explained(shape, self._axes) for shape in shapes) and node.output:
            found = inferred_outputs(node, inputs, self.opsets)
            for n, name in enumerate(node.output):
                if name in found:
                    dtype, shape = found[name]
                    dtypes[n] = dtypes[n] or dtype
                    shapes[n] = merged(shape, shapes[n])
        results = []
        for n, shape in enumerate(shapes):
            known = Known(shape=shape, dtype=dtypes[n], parents=parents, operator=operator, key=key)
            if n == 0:
                known.compute = _computing(node, inputs, known, self.opsets)
            if not known.is_whole:
                value = known.value if n == 0 else None
                if value is not None:
                    known.shape = tuple(value.shape)
                else:
                    known.causes = causes_of(known, self._axes, self.opsets)
            results.append(known)
        return results

    def _count(
        self, node: Any, key: str, inputs: Sequence[Known | None], outputs: Sequence[Known]
    ) -> Count:
        operator = _operator_of(node)
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
            value=lambda at: number_of(inputs, at),
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
        return Count(
            macs=None, reason=reason_of(frozenset[str]().union(*(k.causes for k in taken)))
        )

    def unfollowed(
        self, bodies: Sequence[tuple[str, str, Any]], scope: Scope, what: str
    ) -> dict[str, Count]:
        """Return the nodes of graphs for which the number of runs is unknown."""
        found: dict[str, Count] = {}
        for _, place, body in bodies:
            inside = dict(scope)
            for value in body.input:
                inside[value.name] = self._input(value, {})
            found |= opened(self.graph(body, inside, place), f"{what} is not known")
        return found


def _computing(
    node: Any, inputs: Sequence[Known | None], known: Known, opsets: Mapping[str, int]
) -> Callable[[], Any]:
    """Return a function that gives the value of a node's first output, or None."""

    def compute() -> Any:
        if prod(d for d in known.shape or () if isinstance(d, int)) > MOST:
            return None
        return evaluated(node, inputs, opsets)

    return compute


def _operator_of(node: Any) -> str:
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"
