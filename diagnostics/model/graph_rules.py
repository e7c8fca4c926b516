"""Rules over the nodes of an ONNX graph: names, operators, attributes, types, lengths, kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from diagnostics.did_you_mean import did_you_mean
from diagnostics.model import operators
from diagnostics.model.fault import Fault, short, title
from diagnostics.model.graph import Graph, Graphs, Node
from diagnostics.model.padding_rules import padding
from diagnostics.model.type_inference import (
    bindings,
    declared,
    later_outputs_are_unknown,
    output_type,
)
from diagnostics.model.weight_rules import lengths, resize

CHECKED_DOMAINS = frozenset({"", "ai.onnx.ml"})
"""Domains whose operators are the same in every program; others differ between versions."""

RESULT_LIMIT = 20
"""Faults that are told of one file."""


@dataclass(slots=True, kw_only=True)
class Judged:
    """What the rules found, and how much of the graph they could check."""

    faults: list[Fault] = field(default_factory=list)
    num_nodes: int = 0
    num_untyped: int = 0
    """Nodes with an input whose type could not be told."""
    witnesses: tuple[str, ...] = ()
    """Releases of ONNX Runtime whose kernels were looked up; empty for none."""

    @property
    def says_types(self) -> bool:
        """Return True when the types of every node were checked."""
        return self.num_nodes > 0 and self.num_untyped == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """What is fixed while one graph is walked."""

    opsets: dict[str, int]
    local: frozenset[tuple[str, str]]
    """Operators that the file defines itself."""
    releases: tuple[str, ...]
    judged: Judged
    is_function: bool = False


def judge(graphs: Graphs, opsets: dict[str, int], runtime: str | None) -> Judged:
    """Return the faults of a model's graphs; `runtime` is the version of ONNX Runtime to judge for."""
    judged = Judged(witnesses=operators.witnesses(runtime))
    local = frozenset((item.domain, item.name) for item in graphs.functions)
    scope = _Scope(opsets=opsets, local=local, releases=judged.witnesses, judged=judged)
    _walk(graphs.main, scope, {}, set())
    for function in graphs.functions:
        inner = _Scope(
            opsets={**opsets, **function.opsets},
            local=local,
            releases=judged.witnesses,
            judged=judged,
            is_function=True,
        )
        _walk(function.body, inner, {}, set())
    del judged.faults[RESULT_LIMIT:]
    return judged


def _walk(graph: Graph, scope: _Scope, outer_types: dict[str, str], outer_names: set[str]) -> None:
    names = outer_names | set(graph.inputs) | set(graph.stored)
    names.update(name for node in graph.nodes for name in node.outputs)
    types = {**outer_types, **declared(graph)}
    scope.judged.faults += _repeated(graph)
    for node in graph.nodes:
        scope.judged.num_nodes += 1
        scope.judged.faults += _unknown_inputs(node, names)
        _node(node, graph, scope, types)
        for attribute in node.attributes.values():
            for inner in attribute.graphs:
                _walk(inner, scope, types, names)
    scope.judged.faults += [
        Fault(
            code="onnx-output-undefined",
            summary=f"The graph's output {name} is made by no node.",
            cause="The file was edited, or its nodes and outputs belong to different models.",
            cure=f"take {name} out of the graph's outputs, or correct its name; or export again",
        )
        for name in graph.outputs
        if name and name not in names
    ]


def _repeated(graph: Graph) -> Iterator[Fault]:
    """Yield a fault per value that is made twice: in ONNX every name is given once."""
    made: dict[str, str] = dict.fromkeys([*graph.inputs, *graph.stored], "an input or a weight")
    for node in graph.nodes:
        for name in node.outputs:
            if name and name in made:
                yield Fault(
                    code="onnx-defined-twice",
                    summary=f"The value {name} is defined twice.",
                    cause=f"{title(node)} writes it, and so does {made[name]}; every reader "
                    "refuses that.",
                    cure="rename one of them, and what reads it",
                    node=node.name,
                )
            elif name:
                made[name] = title(node)


def _unknown_inputs(node: Node, names: set[str]) -> Iterator[Fault]:
    for name in node.inputs:
        if name and name not in names:
            yield Fault(
                code="onnx-input-undefined",
                summary=f"{title(node)} reads {name}, which nothing defines.",
                cause="It is no input of the graph, no weight, and no output of a node.",
                cure=f"correct the name, or add {name} to the graph's inputs or weights; where a part "
                "was cut out of a larger graph, cut it again (onnx.utils.extract_model)",
                node=node.name,
            )


def _node(node: Node, graph: Graph, scope: _Scope, types: dict[str, str]) -> None:
    """Check one node and add the types of its outputs to `types`."""
    faults = scope.judged.faults
    opset = scope.opsets.get(node.domain, 0)
    is_local = (node.domain, node.operator) in scope.local
    known = node.domain in operators.domains() and not is_local
    schema = operators.schema(node.domain, node.operator, opset or 1) if known else None
    is_checked = node.domain in CHECKED_DOMAINS and opset > 0 and not is_local
    results: list[str] = []
    if schema is None:
        if is_checked and known:
            faults += _unknown_operator(node, opset)
        scope.judged.num_untyped += 1
    else:
        if is_checked:
            faults += _counts(node, schema)
            faults += _attributes(node, schema)
            faults += _input_types(node, schema, types)
        bound = bindings(node, schema, types)
        results = [
            ""
            if later_outputs_are_unknown(node) and index
            else output_type(node, schema, bound, index)
            for index in range(len(node.outputs))
        ]
        made = {
            formal.type: kind
            for index, kind in enumerate(results)
            if kind and (formal := schema.formal(index, output=True)) is not None
        }
        is_known = all(types.get(name) for name in node.inputs if name)
        scope.judged.num_untyped += not is_known
        if not scope.is_function or is_known:
            faults += _kernel(node, opset or 1, {**made, **bound}, scope.releases)
        if node.domain == "":
            faults += lengths(node, graph)
            faults += resize(node, graph, opset)
            faults += padding(node)
    for index, name in enumerate(node.outputs):
        result = results[index] if index < len(results) else ""
        stated = graph.values.get(name, "") or graph.outputs.get(name, "")
        if result and stated and result != stated and not _is_optional(result, stated):
            faults.append(_stated(node, name, result, stated))
        if name and (result or stated):
            types[name] = result or stated


def _is_optional(one: str, other: str) -> bool:
    return "optional(" in one or "optional(" in other


def _stated(node: Node, name: str, result: str, stated: str) -> Fault:
    return Fault(
        code="onnx-type-stated-wrong",
        summary=f"{name} is stated as {short(stated)}, but {title(node)} makes {short(result)}.",
        cause="A conversion changed the nodes and left the stated types (value_info) as they were, "
        "or the other way round.",
        cure="delete the stale types (del model.graph.value_info[:]) and infer them again, or cast",
        node=node.name,
    )


def _unknown_operator(node: Node, opset: int) -> Iterator[Fault]:
    versions = operators.versions(node.domain, node.operator)
    cure = "export again for an opset that has it"
    if not versions:
        near = did_you_mean(node.operator, operators.names(node.domain), is_listed=False)
        cause = f"No opset has an operator of this name{near or '.'}"
        cure = "correct the name, or give the node the domain of the library that has the operator"
    elif versions[0] > opset:
        cause = f"It came with opset {versions[0]}."
    else:
        cause = "It has ended before this opset."
    yield Fault(
        code="onnx-unknown-op",
        summary=f"Opset {opset} has no operator {node.operator}.",
        cause=f"{title(node)} uses it. {cause}",
        cure=cure,
        node=node.name,
    )


def _counts(node: Node, schema: operators.Schema) -> Iterator[Fault]:
    for kind, given, (fewest, most) in (
        ("inputs", node.inputs, schema.num_inputs),
        ("outputs", node.outputs, schema.num_outputs),
    ):
        if len(given) < fewest or (most >= 0 and len(given) > most):
            wanted = (
                f"{fewest}" if fewest == most else f"{fewest} to {most if most >= 0 else 'any'}"
            )
            yield Fault(
                code="onnx-arity",
                summary=f"{title(node)} has {len(given)} {kind}, {node.operator} takes {wanted}.",
                cause="The node was made for another opset or by hand.",
                cure=f"give the node the {kind} that its opset asks for, or export again",
                node=node.name,
            )


def _attributes(node: Node, schema: operators.Schema) -> Iterator[Fault]:
    for name in node.attributes:
        if name not in schema.attributes:
            meant = did_you_mean(name, schema.attributes, is_listed=False).removeprefix("; ")
            yield Fault(
                code="onnx-attribute-unknown",
                summary=f"{title(node)} has an attribute {name}, which {node.operator} does not "
                "take in this opset.",
                cause="The node was made for another opset; readers refuse what they do not know.",
                cure=f"{f'correct its name ({meant})' if meant else 'remove it'}, or export for the "
                "opset that has it",
                node=node.name,
            )
    for name, (_, required) in schema.attributes.items():
        if required and name not in node.attributes:
            yield Fault(
                code="onnx-attribute-missing",
                summary=f"{title(node)} lacks the attribute {name}, which {node.operator} needs.",
                cause="The node was made for another opset or by hand.",
                cure=f"give the node its {name}, or export again",
                node=node.name,
            )


def _input_types(node: Node, schema: operators.Schema, types: dict[str, str]) -> Iterator[Fault]:
    bound: dict[str, tuple[str, str]] = {}
    wrong: dict[tuple[str, frozenset[str]], list[tuple[str, str]]] = {}
    for position, name in enumerate(node.inputs):
        formal, kind = schema.formal(position), types.get(name, "")
        if not name or not kind or formal is None or _is_optional(kind, formal.type):
            continue
        allowed = schema.constraints.get(formal.type, frozenset({formal.type}))
        if kind not in allowed:
            wrong.setdefault((kind, allowed), []).append((formal.name, name))
            continue
        first = bound.setdefault(formal.type, (name, kind)) if formal.is_homogeneous else None
        if formal.type in schema.constraints and first and first[1] != kind:
            yield Fault(
                code="onnx-types-differ",
                summary=f"{title(node)} gets {short(first[1])} and {short(kind)} where one type "
                "is needed.",
                cause=f"{first[0]} is {short(first[1])}, {name} is {short(kind)}.",
                cure="cast one of them",
                node=node.name,
            )
    for (kind, allowed), places in wrong.items():
        yield Fault(
            code="onnx-type-not-allowed",
            summary=f"{node.operator} takes no {short(kind)} for "
            f"{', '.join(formal for formal, _ in places)}.",
            cause=f"{title(node)} gets {', '.join(name for _, name in places)}. "
            f"It takes {_listed(allowed)}.",
            cure=_cast_advice(allowed),
            node=node.name,
        )


def _cast_advice(allowed: frozenset[str]) -> str:
    if "tensor(float)" in allowed:
        return "compute in float32 and put a Cast behind it (and before its inputs)"
    return ""


def _kernel(
    node: Node, opset: int, types: dict[str, str], releases: tuple[str, ...]
) -> Iterator[Fault]:
    layout = node.attributes.get("layout")
    if node.operator in ("RNN", "LSTM", "GRU") and layout and layout.number and releases:
        yield Fault(
            code="ort-no-kernel",
            summary=f"ONNX Runtime {' and '.join(releases)} does not run {node.operator} with layout 1.",
            cause=f"{title(node)} has the batch on its first axis; the CPU kernel takes the time there.",
            cure="export with layout 0 and a Transpose before and behind it",
            node=node.name,
        )
        return
    refusal = operators.refusal(releases, node.domain, node.operator, opset, types)
    if refusal is None:
        return
    what = f"{short(refusal.type)} in {node.operator}" if refusal.type else node.operator
    older = refusal.first - 1
    has_older = older >= min(operators.versions(node.domain, node.operator), default=refusal.first)
    before = f" It has one up to opset {older}." if has_older and not refusal.type else ""
    yield Fault(
        code="ort-no-kernel",
        summary=f"ONNX Runtime {' and '.join(releases)} has no CPU kernel for {what} in opset {opset}.",
        cause=f"{title(node)} needs it.{before} Found out by asking that release on "
        f"{operators.asked_on(releases)}; other execution providers were not asked. The file itself is valid.",
        cure=f"export for opset {older}, or write the operator with others"
        if before
        else "convert to a type that has a kernel, such as float32"
        if refusal.type
        else "write the operator with others",
        node=node.name,
    )


def _listed(kinds: frozenset[str]) -> str:
    return ", ".join(sorted(short(kind) for kind in kinds))
