"""External files with a graph's weights."""

from __future__ import annotations

from pathlib import Path

from bench.onnx_graph.errors import explained
from bench.onnx_graph.skeleton import mapped
from diagnostics.model import onnx_file


def files_of(path: Path) -> list[Path]:
    """Return the graph's file and the files of its weights, which may be missing.

    A weights file outside the graph's folder is left out: readers refuse it too.
    """
    with mapped(path) as view:
        found = onnx_file.read(view)
    if found.damage:
        raise explained(path, found.damage)
    folder = path.parent.resolve()
    files = [path]
    for location in sorted({item.location for item in found.external if item.location}):
        target = (path.parent / location).resolve()
        if target.is_relative_to(folder) and "\0" not in location:
            files.append(path.parent / location)
    return files
