"""Reading of an ONNX file into a Graph: shapes inferred, multiply-accumulates counted, weights left in the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench.onnx_graph.attributes import attribute_texts
from bench.onnx_graph.count import count_macs
from bench.onnx_graph.errors import explained
from bench.onnx_graph.functions import fill_in_defaults
from bench.onnx_graph.inference import infer, name_open_axes, open_axes, sizes_for, with_sizes
from bench.onnx_graph.keys import keys_of
from bench.onnx_graph.record import Body, Graph, Node, Tensor, Value
from bench.onnx_graph.skeleton import Skeleton, body_place, skeleton_of
from bench.onnx_graph.stored import BadTensor, file_beside
from bench.onnx_graph.tally import Count, Counts
from bench.onnx_graph.values import opsets_of, value_of, values_of

SCOPES: Final = "pkg.torch.onnx.name_scopes"
"""Metadata key under which torch.onnx writes a node's module path."""
NO_MODULE: Final = "_empty_nn_module_stack"
"""Name that torch.export writes for nodes outside of modules."""


def read(
    path: Path,
    *,
    sizes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Graph:
    """Return the graph in the file. Raises GraphError, naming the file, if it cannot be read.

    `sizes`: open axis -> extent: its name, or `INPUT:AXIS` for one without a name (default: 1 for a batch, see
    `bench.onnx_graph.inference.sizes_for`). `shapes`: value -> its shape in a run, for data-dependent shapes. Both are
    used to count multiply-accumulates.
    """
    skeleton = skeleton_of(path)
    model = parsed(path, skeleton)
    axes = open_axes(model)
    taken = sizes_for(model, sizes)
    inputs = tuple(value_of(v) for v in model.graph.input)
    name_open_axes(model)
    model = infer(model)
    sized = infer(with_sizes(model, taken))
    counts = count_macs(sized, axes, shapes or {})
    values = _named_values(model.graph, axes)
    opsets = opsets_of(model)
    bodies: list[Body] = []
    nodes = tuple(_Nodes(counts, opsets, bodies).of(model.graph, values, {}))
    stored = {t.name for t in skeleton.tensors if t.is_initializer}
    return Graph(
        path=str(path),
        name=model.graph.name,
        num_bytes=_num_bytes(path, skeleton),
        ir_version=int(model.ir_version),
        opsets=tuple(sorted(opsets.items())),
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        inputs=tuple(value for value in inputs if value.name not in stored),
        outputs=tuple(values.get(v.name, value_of(v)) for v in model.graph.output),
        nodes=nodes,
        tensors=_unique(skeleton.tensors),
        bodies=tuple(bodies),
        open_axes=tuple(axes),
        sizes=tuple((name, taken[name]) for name in axes if name in taken),
        num_choices=counts.num_choices,
        metadata=tuple(sorted((p.key, p.value) for p in model.metadata_props)),
    )


def parsed(path: Path, skeleton: Skeleton) -> Any:
    """Return the skeleton as a ModelProto with the file's functions inlined."""
    import onnx
    import onnx.inliner
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(skeleton.data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise explained(path, f"it cannot be parsed ({error})") from error
    if any(isinstance(text, bytes) for text in _texts(model)):
        raise explained(path, "a name in it is no text in UTF-8")
    if skeleton.has_functions:
        fill_in_defaults(model)
        try:
            model = onnx.inliner.inline_local_functions(model)
        except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
            raise explained(path, f"its functions cannot be put in place ({error})") from error
    return model


def _texts(model: Any) -> Iterator[str | bytes]:
    """Yield the names in the file's graphs and functions; protobuf leaves those as bytes that are not UTF-8."""
    bodies = [model.graph, *model.functions]
    while bodies:
        body = bodies.pop()
        yield body.name
        for node in body.node:
            yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
            for attribute in node.attribute:
                yield attribute.name
                bodies += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
        for held in ("initializer", "input", "output", "value_info"):
            for value in getattr(body, held, ()):
                yield value if isinstance(value, (str, bytes)) else value.name


def _num_bytes(path: Path, skeleton: Skeleton) -> int:
    """Return bytes of the file and of those existing files that hold its weights."""
    files = {path}
    for location in skeleton.locations:
        try:
            files.add(file_beside(path, location))
        except (BadTensor, OSError, ValueError):
            continue
    return sum(file.stat().st_size for file in files if file.is_file())


def _unique(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return initializers before other tensors; duplicates under one name, which damaged files have, are kept."""
    found: dict[str, Tensor] = {}
    for tensor in sorted(tensors, key=lambda t: not t.is_initializer):
        name = tensor.name
        while name in found:
            name += "'"
        found[name] = tensor if name == tensor.name else replace(tensor, name=name)
    return tuple(found.values())


def _named_values(graph: Any, axes: Mapping[str, str]) -> dict[str, Value]:
    """Return value -> its type and shape; axes without a name become `?` again."""
    found = values_of(graph)
    unnamed = {axis for axis, name in axes.items() if not name}
    if not unnamed:
        return found
    return {
        name: value
        if value.shape is None
        else replace(value, shape=tuple("?" if d in unnamed else d for d in value.shape))
        for name, value in found.items()
    }


class _Nodes:
    """Builder of node records, for the main graph and the graphs inside it."""

    def __init__(self, counts: Counts, opsets: Mapping[str, int], bodies: list[Body]) -> None:
        self._counts = counts
        self._opsets = opsets
        self._bodies = bodies

    def of(
        self,
        graph: Any,
        values: Mapping[str, Value],
        names: Mapping[str, str],
        place: str = "",
        outer: str = "",
    ) -> Iterator[Node]:
        """Yield the nodes of the graph and, after each, those of the graphs inside it.

        `names`: value of this graph and of the enclosing ones -> its unique name, if that differs.
        """
        keys = keys_of((n.name, n.op_type) for n in graph.node)
        for key, node in zip(keys, graph.node, strict=True):
            own = f"{place}/{key}" if place else key
            attributes = {a.name: a for a in node.attribute}
            count = self._counts.by_key.get(own, Count())
            yield Node(
                key=own,
                operator=operator_of(node),
                outer=outer,
                scope=scope_of(node),
                inputs=tuple(names.get(name, name) for name in node.input),
                outputs=tuple(
                    _named(values.get(name) or Value(name=name), names.get(name, name))
                    for name in node.output
                ),
                attributes=attribute_texts(node, attributes, self._opsets),
                macs=count.macs,
                uncounted=count.reason,
                is_alternative=count.is_alternative,
            )
            for name in sorted(attributes):
                attribute = attributes[name]
                inner = [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
                for number, body in enumerate(inner):
                    label = body_place(own, name, number, len(inner))
                    inside = {**names, **_names_in(body, label)}
                    self._bodies.append(
                        Body(
                            place=label,
                            inputs=tuple(inside.get(v.name, v.name) for v in body.input),
                            outputs=tuple(inside.get(v.name, v.name) for v in body.output),
                        )
                    )
                    known = {**values, **values_of(body)}
                    yield from self.of(body, known, inside, label, outer or own)


def _named(value: Value, name: str) -> Value:
    return value if value.name == name else replace(value, name=name)


def _names_in(graph: Any, place: str) -> dict[str, str]:
    """Return value that is produced in a graph inside a node -> its unique name."""
    made = [
        *(value.name for value in graph.input),
        *(tensor.name for tensor in graph.initializer),
        *(tensor.values.name for tensor in graph.sparse_initializer),
        *(name for node in graph.node for name in node.output if name),
    ]
    return {name: f"{place}/{name}" for name in made}


def operator_of(node: Any) -> str:
    """Return the operator, with its domain unless it is ONNX's own."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}::{node.op_type}"


def scope_of(node: Any) -> str:
    """Return the node's module as recorded by its exporter, or the folder part of its name."""
    for prop in node.metadata_props:
        if prop.key == SCOPES:
            try:
                scopes = ast.literal_eval(prop.value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            # The last is the node's own; some nodes created by passes repeat their module's.
            modules = scopes[:-1] if isinstance(scopes, list) else []
            last = modules[-1] if modules and isinstance(modules[-1], str) else ""
            return "" if last.startswith(NO_MODULE) else last
    folder = str(node.name).strip("/").rpartition("/")[0]
    return folder.replace("/", ".")
