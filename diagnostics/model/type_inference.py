"""Works out the types of a node's outputs from those of its inputs, as ONNX's schemas say."""

from __future__ import annotations

from collections.abc import Callable

from diagnostics.model.graph import Graph, Node, tensor_type
from diagnostics.model.operators import Schema

FLOAT, INT64, UINT8 = "tensor(float)", "tensor(int64)", "tensor(uint8)"

Types = dict[str, str]
"""Type parameter -> the type that it stands for at one node."""


def bindings(node: Node, schema: Schema, known: dict[str, str]) -> Types:
    """Return what the type parameters stand for; a parameter without a known type is missing."""
    found: Types = {}
    for position, name in enumerate(node.inputs):
        formal = schema.formal(position)
        kind = known.get(name, "")
        if name and kind and formal and formal.type in schema.constraints and formal.is_homogeneous:
            found.setdefault(formal.type, kind)
    return found


def output_type(node: Node, schema: Schema, types: Types, position: int) -> str:
    """Return the type of an output, empty when it cannot be told."""
    formal = schema.formal(position, output=True)
    if formal is None:
        return ""
    if node.domain == "" and node.operator in ("QuantizeLinear", "DequantizeLinear"):
        return _scaled_type(node, schema, types)
    special = SPECIAL.get(node.operator) if node.domain == "" else None
    if special is not None and position == 0:
        return special(node, types)
    if formal.type not in schema.constraints:
        return formal.type
    if not formal.is_homogeneous:
        return ""
    allowed = schema.constraints[formal.type]
    return types.get(formal.type) or (next(iter(allowed)) if len(allowed) == 1 else "")


def _attribute(name: str, default: str = "") -> Callable[[Node, Types], str]:
    """Return a function for outputs whose type is an attribute with a type's number."""

    def named(node: Node, types: Types) -> str:
        attribute = node.attributes.get(name)
        if attribute is None:
            return types.get(default, "") if default in ("T1", "T2") else default
        return "" if attribute.is_reference else tensor_type(attribute.number)

    return named


def _constant(node: Node, types: Types) -> str:
    for name, attribute in node.attributes.items():
        if attribute.is_reference:
            return ""
        if name == "value":
            return attribute.tensor.type if attribute.tensor else ""
        word = name.removeprefix("value_").rstrip("s")
        return {"float": FLOAT, "int": INT64, "string": "tensor(string)"}.get(word, "")
    return ""


def _filled(node: Node, types: Types) -> str:
    value = node.attributes.get("value")
    if value is None:
        return FLOAT
    return value.tensor.type if value.tensor else ""


def _scaled_type(node: Node, schema: Schema, types: Types) -> str:
    """Return the type that (de)quantizing makes; the names of its parameters change with the opset."""
    stated = node.attributes.get("output_dtype")
    if stated is not None and stated.number:
        return tensor_type(stated.number)
    result, scale = schema.outputs[0].type, schema.inputs[1].type
    if result not in schema.constraints:
        return result
    if result in types:
        return types[result]
    if node.operator == "DequantizeLinear":
        return types.get(scale, "")
    has_zero_point = len(node.inputs) > 2 and node.inputs[2] != ""
    return "" if has_zero_point else UINT8


SPECIAL: dict[str, Callable[[Node, Types], str]] = {
    "Cast": _attribute("to"),
    "CastLike": lambda node, types: types.get("T2", ""),
    "BitCast": _attribute("to"),
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "EyeLike": _attribute("dtype", "T1"),
    "RandomNormal": _attribute("dtype", FLOAT),
    "RandomUniform": _attribute("dtype", FLOAT),
    "RandomNormalLike": _attribute("dtype", "T1"),
    "RandomUniformLike": _attribute("dtype", "T1"),
    "Bernoulli": _attribute("dtype", "T1"),
    "Multinomial": _attribute("dtype", "tensor(int32)"),
    "BlackmanWindow": _attribute("output_datatype", FLOAT),
    "HannWindow": _attribute("output_datatype", FLOAT),
    "HammingWindow": _attribute("output_datatype", FLOAT),
    "MelWeightMatrix": _attribute("output_datatype", FLOAT),
    "If": lambda node, types: _first_branch(node),
    "Loop": lambda node, types: "",
    "Scan": lambda node, types: "",
    "SequenceMap": lambda node, types: "",
    "SequenceAt": lambda node, types: _element(types.get("S", "")),
    "ConcatFromSequence": lambda node, types: _element(types.get("S", "")),
    "SequenceConstruct": lambda node, types: f"seq({types['T']})" if "T" in types else "",
    "SequenceEmpty": lambda node, types: f"seq({_attribute('dtype', FLOAT)(node, types)})",
    "SplitToSequence": lambda node, types: f"seq({types['T']})" if "T" in types else "",
    "Optional": lambda node, types: "",
    "OptionalGetElement": lambda node, types: "",
    "StringSplit": lambda node, types: "tensor(string)",
    "ImageDecoder": lambda node, types: UINT8,
}
"""Operators of the standard domain whose first output follows another rule than a shared parameter."""


def _first_branch(node: Node) -> str:
    branch = node.attributes.get("then_branch")
    return next(iter(branch.graphs[0].outputs.values()), "") if branch and branch.graphs else ""


def _element(sequence: str) -> str:
    return sequence[4:-1] if sequence.startswith("seq(") else ""


def later_outputs_are_unknown(node: Node) -> bool:
    """Return True for operators whose outputs after the first have no rule here either."""
    return node.domain == "" and node.operator in ("If", "Loop", "Scan", "SequenceMap")


def declared(graph: Graph) -> dict[str, str]:
    """Return the types that a graph states for its inputs and weights."""
    found = {name: kind for name, kind in graph.inputs.items() if kind}
    found.update({name: tensor.type for name, tensor in graph.stored.items() if tensor.type})
    return found
