"""Worker side. A graph whose cache stays in buffers: attention writes new keys and values behind those already there.

ONNX Runtime's GroupQueryAttention appends in place when its past and its present are one buffer with room to spare;
otherwise every step copies the whole cache. A graph as exported takes the length of the past from the past's own shape,
which in a buffer is the room, not what is filled: here it is taken from the mask instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

PAST: Final = "input."
PRESENT: Final = "output."
"""Beginnings of the names of a cache's tensors, as input and as output."""
IDS: Final = "input_ids"
MASK: Final = "attention_mask"
KEY: Final = "vitals.cache"
"""Entry of the graph's metadata that says how its cache is kept."""
IN_PLACE: Final = "in place"


def keep_in_place(path: Path) -> bool:
    """Rewrite the graph at `path` for a cache in buffers and return True; leave it as it is, and return False, where
    something other than attention reads the cache (a sliding window cuts it, plain operators concatenate it).
    """
    import onnx
    from onnx import helper

    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    inputs = {one.name for one in graph.input}
    past = {name for name in inputs if name.startswith(PAST)}
    lengths = []
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name not in past or (node.op_type == "GroupQueryAttention" and place in (3, 4)):
                continue
            if not _is_length(node):
                return False
            lengths.append(node)
    if not {IDS, MASK} <= inputs or any(name in past for name in _captured(graph)):
        return False
    for node in lengths:
        total, new = f"{node.output[0]}_total", f"{node.output[0]}_new"
        made = [
            helper.make_node("Shape", [MASK], [total], start=1, end=2),
            helper.make_node("Shape", [IDS], [new], start=1, end=2),
            helper.make_node("Sub", [total, new], [node.output[0]]),
        ]
        place = list(graph.node).index(node)
        graph.node.remove(node)
        for number, one in enumerate(made):
            graph.node.insert(place + number, one)
    model.metadata_props.add(key=KEY, value=IN_PLACE)
    onnx.save(model, path)
    return True


def is_in_place(session: Any) -> bool:
    """Return whether the session's graph keeps its cache in buffers."""
    return bool(session.get_modelmeta().custom_metadata_map.get(KEY) == IN_PLACE)


def _is_length(node: Any) -> bool:
    """Return whether the node is the number of tokens of a cache's tensor, [batch, heads, tokens, width]."""
    found = {attribute.name: attribute.i for attribute in node.attribute}
    return bool(node.op_type == "Shape" and (found.get("start"), found.get("end")) == (2, 3))


def _captured(graph: Any) -> Iterator[str]:
    """Yield the names that subgraphs read."""
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                for one in inner.node:
                    yield from one.input
                yield from _captured(inner)
