"""Rules about the weights of a node: lengths that do not go together, doubled settings."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.model.fault import Fault, title
from diagnostics.model.graph import Graph, Node, Tensor


def lengths(node: Node, graph: Graph) -> Iterator[Fault]:
    """Yield weights of one node whose lengths do not go together."""
    weights = [_weight(name, graph) for name in node.inputs]
    dims = [item.dims if item else None for item in weights] + [None] * 5
    channels: int | None = None
    checks: tuple[int, ...] = ()
    if node.operator in ("Conv", "ConvTranspose") and dims[1] and len(dims[1]) > 1:
        group = node.attributes["group"].number if "group" in node.attributes else 1
        channels = dims[1][0] if node.operator == "Conv" else dims[1][1] * group
        checks = (2,)
    elif node.operator == "QLinearConv" and dims[3]:
        channels, checks = dims[3][0], (8,)
        dims += [None] * 9
    elif node.operator in ("BatchNormalization", "InstanceNormalization") and dims[1]:
        # One of them may belong to another layer, the first as well as the last: what most say counts.
        said = [row[0] for row in dims[1:5] if row]
        channels, checks = max(said, key=said.count), (1, 2, 3, 4)
    elif node.operator == "Gemm" and dims[1] and len(dims[1]) == 2:
        is_flipped = "transB" in node.attributes and node.attributes["transB"].number
        channels = dims[1][0 if is_flipped else 1]
        if dims[2] and dims[2][-1] not in (1, channels):
            checks = (2,)
    for position in checks:
        row = dims[position] if position < len(dims) else None
        if row and channels is not None and row[-1] != channels:
            name = node.inputs[position]
            yield Fault(
                code="onnx-length-wrong",
                summary=f"{title(node)} has {channels} channels, but {name} has {row[-1]} values.",
                cause="It belongs to another layer: some readers load the file and fail at the "
                "first run.",
                cure=f"store the layer's own {name}, of {channels} values, or export the model again",
                node=node.name,
            )
    yield from _input_channels(node, graph, dims[1])


def _input_channels(node: Node, graph: Graph, kernel: tuple[int, ...] | None) -> Iterator[Fault]:
    shape = graph.shapes.get(node.inputs[0]) if node.inputs else None
    if node.operator != "Conv" or not kernel or not shape or len(shape) < 3 or len(kernel) < 3:
        return
    group = node.attributes["group"].number if "group" in node.attributes else 1
    if shape[1] is not None and shape[1] != kernel[1] * group:
        yield Fault(
            code="onnx-length-wrong",
            summary=f"{title(node)} takes {kernel[1] * group} channels, but {node.inputs[0]} has "
            f"{shape[1]}.",
            cause="The weight belongs to another layer, or the stated shape is stale.",
            cure="store the layer's own weight, or, if the shape is stale, delete the stated ones "
            "(del model.graph.value_info[:]) and infer them again",
            node=node.name,
        )


def _weight(name: str, graph: Graph) -> Tensor | None:
    """Return a weight that no input of the graph can replace."""
    return None if name in graph.inputs else graph.stored.get(name)


def resize(node: Node, graph: Graph, opset: int) -> Iterator[Fault]:
    """Yield a Resize that is told its size in two ways."""
    if node.operator != "Resize" or opset < 11:
        return
    given = [
        bool(name) and not ((w := graph.stored.get(name)) and w.dims and 0 in w.dims)
        for name in (*node.inputs, "", "", "", "")[2:4]
    ]
    if all(given):
        yield Fault(
            code="onnx-resize-both",
            summary=f"{title(node)} has both scales and sizes; Resize takes one of them.",
            cause="Readers refuse it, since the two may say different things.",
            cure="leave one of the two inputs empty",
            node=node.name,
        )
