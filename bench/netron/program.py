"""Graph of a .pt2 file, a torch.export program; read without torch."""

from __future__ import annotations

import io
import json
import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

from bench.netron.errors import NotDrawn
from bench.netron.step import Step, Steps

MODEL: Final = "models/model.json"
WEIGHTS: Final = ("data/weights/", "data/constants/", "data/sample_inputs/")
"""Folders whose files a picture does not need, except for the files that describe them."""
DAMAGE: Final = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError),
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(NotImplementedError, RuntimeError, OverflowError),  # other compression, a password, nesting
)
"""What a damaged archive, or a graph of another shape in it, raises."""
LARGEST: Final = 500_000_000
"""Maximum size in bytes of a graph's JSON."""


def program_of(path: Path) -> tuple[bytes, int]:
    """Return (the file without its weights, number of nodes). Raises NotDrawn if it is not a .pt2 file."""
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
            num_nodes = len(_graph(old, path)["nodes"])
            for entry in old.infolist():
                inner = entry.filename.partition("/")[2]
                is_weight = inner.startswith(WEIGHTS) and not inner.endswith(".json")
                new.writestr(entry.filename, b"" if is_weight else old.read(entry))
    except DAMAGE as error:
        raise _unreadable(path, error) from error
    return out.getvalue(), num_nodes


def steps_of_program(path: Path) -> Steps:
    """Return the nodes of the program. Raises NotDrawn if it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            graph = _graph(archive, path)
        return Steps(
            steps=tuple(
                Step(
                    operator=_operator(str(node["target"])),
                    scope=_scope(str(node.get("metadata", {}).get("nn_module_stack", ""))),
                    inputs=tuple(_names([i["arg"] for i in node["inputs"]])),
                    outputs=tuple(_names(node["outputs"])),
                )
                for node in graph["nodes"]
            ),
            inputs=tuple(_names(graph["inputs"])),
            outputs=tuple(_names(graph["outputs"])),
        )
    except DAMAGE as error:
        raise _unreadable(path, error) from error


def _graph(archive: zipfile.ZipFile, path: Path) -> Any:
    entry = next((e for e in archive.infolist() if e.filename.partition("/")[2] == MODEL), None)
    if entry is None or entry.file_size > LARGEST:
        raise ValueError(f"it has no {MODEL}" if entry is None else f"its {MODEL} is too large")
    return json.loads(archive.read(entry))["graph_module"]["graph"]


def _unreadable(path: Path, error: Exception) -> NotDrawn:
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return NotDrawn(
        f"{path}: {told}; expected a program that torch.export.save wrote."
        f" Next: python -m diagnostics model {path}"
    )


def _operator(target: str) -> str:
    """Return the operator's name, e.g. `linear` for `torch.ops.aten.linear.default`."""
    parts = target.split(".")
    return parts[-2] if len(parts) > 2 and parts[0] == "torch" else parts[-1]


def _scope(stack: str) -> str:
    """Return the last module of `key,path,type;key,path,type`."""
    parts = stack.rpartition(";")[2].split(",")
    return parts[1] if len(parts) > 2 else ""


def _names(arguments: Any) -> list[str]:
    """Return the names of values anywhere in the arguments."""
    if isinstance(arguments, list):
        return [name for one in arguments for name in _names(one)]
    if not isinstance(arguments, dict):
        return []
    if isinstance(arguments.get("name"), str) and len(arguments) == 1:
        return [arguments["name"]]
    return [name for one in arguments.values() for name in _names(one)]
