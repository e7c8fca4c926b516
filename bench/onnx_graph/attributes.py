"""Attributes of nodes: as plain values for counting, as text for comparing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from bench.onnx_graph.skeleton import DIGEST
from bench.onnx_graph.values import dtype_name

SHOWN: Final = 8
"""Maximum number of elements of a tensor shown in full; a longer one is shown by its shape and digest."""
LONGEST: Final = 200
"""Maximum length of a value in characters."""


def attribute_texts(
    node: Any, attributes: Mapping[str, Any], opsets: Mapping[str, int]
) -> tuple[tuple[str, str], ...]:
    """Return (name, value as text) of each attribute, without those that have ONNX's default."""
    domain = node.domain or "ai.onnx"
    assumed = _defaults(node.op_type, domain, opsets.get(domain, 0))
    texts = ((name, text_of(attributes[name])) for name in sorted(attributes))
    return tuple((name, text) for name, text in texts if assumed.get(name) != text)


@cache
def _defaults(operator: str, domain: str, version: int) -> dict[str, str]:
    """Return attribute -> its default as text; empty for an operator that onnx does not know."""
    import onnx

    try:
        schema = onnx.defs.get_schema(operator, version, "" if domain == "ai.onnx" else domain)
    except onnx.defs.SchemaError:
        return {}
    return {
        name: text_of(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }


def plain(attribute: Any) -> Any:
    """Return the attribute's value if it is a number, a text or a list of numbers."""
    import onnx

    kind = onnx.AttributeProto
    match attribute.type:
        case kind.INT:
            return int(attribute.i)
        case kind.FLOAT:
            return float(attribute.f)
        case kind.STRING:
            return attribute.s.decode("utf-8", "replace")
        case kind.INTS:
            return list(attribute.ints)
        case kind.FLOATS:
            return list(attribute.floats)
        case kind.STRINGS:
            return [s.decode("utf-8", "replace") for s in attribute.strings]
    return None


def text_of(attribute: Any) -> str:
    """Return the value as text: equal texts mean equal values."""
    value = plain(attribute)
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, list):
        text = ", ".join(f"{v:.9g}" if isinstance(v, float) else str(v) for v in value)
        return _shortened(f"[{text}]")
    if value is not None:
        return _shortened(str(value))
    if attribute.HasField("t"):
        return _tensor_text(attribute.t)
    if attribute.HasField("g"):
        return f"graph of {len(attribute.g.node)} nodes"
    content = attribute.SerializeToString(deterministic=True)
    return f"{len(content)} bytes, {_digest(content)}"


def _tensor_text(tensor: Any) -> str:
    import onnx

    head = f"{dtype_name(tensor.data_type)}[{'×'.join(str(d) for d in tensor.dims)}]"
    if tensor.doc_string.startswith(DIGEST):
        return f"{head} {tensor.doc_string[: len(DIGEST) + 12]}"
    try:
        array = onnx.numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError):  # an unknown type, or too few bytes
        return f"{head} {_digest(tensor.SerializeToString(deterministic=True))}"
    # Different NaNs have the same text, and so have -nan and nan.
    is_plain = array.dtype.kind not in "fcV" or bool((array == array).all())
    if array.size <= SHOWN and is_plain:
        return _shortened(f"{head} {array.tolist()}")
    return f"{head} {_digest(array.tobytes())}"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… {_digest(text.encode())}"


def _digest(content: bytes) -> str:
    return f"{DIGEST}{hashlib.sha256(content).hexdigest()[:12]}"
