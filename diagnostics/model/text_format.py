"""Reads ONNX's other serializations: protobuf's text format, and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

FIELDS: dict[str, dict[str, str]] = {
    "ModelProto": {
        **dict.fromkeys(
            ["ir_version", "producer_name", "producer_version", "domain", "model_version"], ""
        ),
        "doc_string": "",
        "graph": "GraphProto",
        "opset_import": "OperatorSetIdProto",
        "metadata_props": "StringStringEntryProto",
        "training_info": "TrainingInfoProto",
        "functions": "FunctionProto",
        "configuration": "DeviceConfigurationProto",
    },
    "GraphProto": {
        "node": "NodeProto",
        "name": "",
        "doc_string": "",
        "initializer": "TensorProto",
        "sparse_initializer": "SparseTensorProto",
        "input": "ValueInfoProto",
        "output": "ValueInfoProto",
        "value_info": "ValueInfoProto",
        "quantization_annotation": "TensorAnnotation",
        "metadata_props": "StringStringEntryProto",
    },
    "NodeProto": {
        **dict.fromkeys(
            ["input", "output", "name", "op_type", "domain", "overload", "doc_string"], ""
        ),
        "attribute": "AttributeProto",
        "metadata_props": "StringStringEntryProto",
        "device_configurations": "NodeDeviceConfigurationProto",
    },
    "AttributeProto": {
        **dict.fromkeys(
            [
                "name",
                "ref_attr_name",
                "doc_string",
                "type",
                "f",
                "i",
                "s",
                "floats",
                "ints",
                "strings",
            ],
            "",
        ),
        "t": "TensorProto",
        "g": "GraphProto",
        "sparse_tensor": "SparseTensorProto",
        "tp": "TypeProto",
        "tensors": "TensorProto",
        "graphs": "GraphProto",
        "sparse_tensors": "SparseTensorProto",
        "type_protos": "TypeProto",
    },
    "ValueInfoProto": {
        "name": "",
        "type": "TypeProto",
        "doc_string": "",
        "metadata_props": "StringStringEntryProto",
    },
    "TypeProto": {
        "tensor_type": "TypeProto.Tensor",
        "sequence_type": "TypeProto.Sequence",
        "map_type": "TypeProto.Map",
        "optional_type": "TypeProto.Optional",
        "sparse_tensor_type": "TypeProto.SparseTensor",
        "opaque_type": "TypeProto.Opaque",
        "denotation": "",
    },
    "TypeProto.Tensor": {"elem_type": "", "shape": "TensorShapeProto"},
    "TypeProto.SparseTensor": {"elem_type": "", "shape": "TensorShapeProto"},
    "TypeProto.Sequence": {"elem_type": "TypeProto"},
    "TypeProto.Optional": {"elem_type": "TypeProto"},
    "TypeProto.Map": {"key_type": "", "value_type": "TypeProto"},
    "TypeProto.Opaque": {"domain": "", "name": ""},
    "TensorShapeProto": {"dim": "TensorShapeProto.Dimension"},
    "TensorShapeProto.Dimension": {"dim_value": "", "dim_param": "", "denotation": ""},
    "TensorProto": {
        **dict.fromkeys(
            ["dims", "data_type", "float_data", "int32_data", "string_data", "int64_data"], ""
        ),
        **dict.fromkeys(
            ["name", "doc_string", "raw_data", "data_location", "double_data", "uint64_data"], ""
        ),
        "segment": "TensorProto.Segment",
        "external_data": "StringStringEntryProto",
        "metadata_props": "StringStringEntryProto",
    },
    "TensorProto.Segment": {"begin": "", "end": ""},
    "SparseTensorProto": {"values": "TensorProto", "indices": "TensorProto", "dims": ""},
    "OperatorSetIdProto": {"domain": "", "version": ""},
    "StringStringEntryProto": {"key": "", "value": ""},
    "TensorAnnotation": {
        "tensor_name": "",
        "quant_parameter_tensor_names": "StringStringEntryProto",
    },
    "TrainingInfoProto": {
        "initialization": "GraphProto",
        "algorithm": "GraphProto",
        "initialization_binding": "StringStringEntryProto",
        "update_binding": "StringStringEntryProto",
    },
    "FunctionProto": {
        **dict.fromkeys(
            ["name", "input", "output", "attribute", "doc_string", "domain", "overload"], ""
        ),
        "attribute_proto": "AttributeProto",
        "node": "NodeProto",
        "opset_import": "OperatorSetIdProto",
        "value_info": "ValueInfoProto",
        "metadata_props": "StringStringEntryProto",
    },
}
"""Message -> field -> message of that field, "" for a plain value. Source: onnx.proto3."""

LIMIT = 64 * 2**20
"""Characters of a text that are read."""

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<word>[\w.+-]+|\[[\w./]+\](?=\s*[:{]))|(?P<sign>[{}<>\[\]:,;])""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """What a text says."""

    problem: str = ""
    """Empty when the text follows ONNX's messages."""
    cause: str = ""
    num_nodes: int = 0
    ir_version: str = ""


def looks_like_onnx_text(text: str) -> bool:
    """Return True for the beginning of a ModelProto in text format."""
    return bool(
        re.match(
            r"\s*(?:#[^\n]*\n\s*)*(?:ir_version|producer_name|graph|opset_import)\s*[:{]", text
        )
    ) and bool(re.search(r"\b(?:graph|opset_import)\s*:?\s*[{<]|\bir_version\s*:", text))


def read_text(text: str) -> TextModel:
    """Return what a model in text format holds, and where it leaves ONNX's messages. Never raises."""
    tokens: list[tuple[str, str, int]] = []
    position = 0
    while position < min(len(text), LIMIT):
        found = _TOKEN.match(text, position)
        if found is None:
            line = text.count("\n", 0, position) + 1
            return TextModel(
                problem=f"line {line} cannot be read: {text[position : position + 20]!r}"
            )
        if found.lastgroup:
            tokens.append((found.lastgroup, found[0], position))
        position = found.end()
    return _Reader(text, tokens).model()


class _Reader:
    """Walks the tokens with a stack of messages."""

    def __init__(self, text: str, tokens: list[tuple[str, str, int]]) -> None:
        self.text, self.tokens = text, tokens
        self.num_nodes = 0
        self.ir_version = ""

    def model(self) -> TextModel:
        stack = ["ModelProto"]
        closers: list[str] = []
        at = 0
        while at < len(self.tokens):
            kind, word, position = self.tokens[at]
            if kind == "sign" and closers and word == closers[-1]:
                stack.pop()
                closers.pop()
                at += 1
                continue
            if kind == "sign" and word in ",;":
                at += 1
                continue
            if kind != "word":
                return self._wrong(position, f"{word} stands where a field was expected")
            message = stack[-1]
            fields = FIELDS.get(message)
            if fields is not None and word not in fields:
                return self._unknown_field(position, word, message)
            child = fields[word] if fields is not None else "?"
            at += 1
            if at < len(self.tokens) and self.tokens[at][1] == ":":
                at += 1
            if at >= len(self.tokens):
                return self._wrong(position, f"the text ends after {word}")
            sign = self.tokens[at][1] if self.tokens[at][0] == "sign" else ""
            if sign in ("{", "<") and sign:
                if child == "":
                    return self._wrong(position, f"{message}.{word} is a plain value, no message")
                self.num_nodes += child == "NodeProto"
                stack.append(child)
                closers.append("}" if sign == "{" else ">")
                at += 1
            elif sign == "[":
                while at < len(self.tokens) and self.tokens[at][1] != "]":
                    at += 1
                at += 1
            else:
                if child not in ("", "?"):
                    return self._wrong(position, f"{message}.{word} is a message: {{ ... }}")
                if word == "ir_version":
                    self.ir_version = self.tokens[at][1]
                at += 1
                while at < len(self.tokens) and self.tokens[at][0] == "string":
                    at += 1
        if closers:
            return self._wrong(len(self.text), f"it ends before {closers[-1]} closes {stack[-1]}")
        return TextModel(num_nodes=self.num_nodes, ir_version=self.ir_version)

    def _wrong(self, position: int, what: str) -> TextModel:
        line = self.text.count("\n", 0, position) + 1
        return TextModel(problem=f"line {line}: {what}")

    def _unknown_field(self, position: int, word: str, message: str) -> TextModel:
        line = self.text.count("\n", 0, position) + 1
        levels = [
            name
            for name, child in FIELDS[message].items()
            if child and word in FIELDS.get(child, {})
        ]
        if levels:
            return TextModel(
                problem=f"line {line}: the level {levels[0]} is missing around {word}",
                cause=f"{message} has no field {word}; {FIELDS[message][levels[0]]} has it. Write "
                f"{levels[0]} {{ {word} ... }}.",
            )
        return TextModel(problem=f"line {line}: {message} has no field {word}")


def is_onnx_json(data: object) -> bool:
    """Return True for a parsed JSON text that is a ModelProto (protobuf's JSON mapping)."""
    return (
        isinstance(data, Mapping)
        and ("irVersion" in data or "ir_version" in data)
        and bool({"graph", "opsetImport", "opset_import"} & set(data))
    )


def parse_json(data: bytes) -> object:
    """Return the parsed text, None when it is no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
