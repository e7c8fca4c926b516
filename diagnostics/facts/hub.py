"""Describes the Hugging Face cache: its place, its models, and weight files with a bad header."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH112, PTH118, PTH123

from __future__ import annotations

import os
import struct
from pathlib import Path

from diagnostics.facts.storage import hub_home
from diagnostics.records import Hub

_TRUE = ("1", "ON", "YES", "TRUE")
NUM_LOOKED = 200
LARGEST_HEADER = 100 << 20
"""safetensors refuses longer headers."""


def describe(variables: dict[str, str]) -> Hub:
    """Return the cache as the library would use it."""
    home = hub_home(variables)
    cache = variables.get("HF_HUB_CACHE") or os.path.join(home, "hub")
    models = sorted(Path(cache).glob("models--*")) if os.path.isdir(cache) else []
    weights = [
        path for model in models for path in sorted(model.glob("snapshots/*/*.safetensors"))[:8]
    ][:NUM_LOOKED]
    flaws = ((path, header_flaw(str(path))) for path in weights)
    offline = any(
        variables.get(name, "").upper() in _TRUE
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )
    return Hub(
        home=home,
        offline=offline,
        num_cached=len(models),
        broken=tuple(f"{path}: {flaw}" for path, flaw in flaws if flaw),
    )


def header_flaw(path: str) -> str:
    """Return why a safetensors file cannot be one, "" when its header is valid."""
    try:
        with open(path, "rb") as file:
            head = file.read(9)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        return error.strerror or "cannot be read"
    if head.startswith(b"version h"):
        return "a Git LFS pointer, not the weights"
    if len(head) < 9:
        return f"{size} bytes, too short"
    (length,) = struct.unpack("<Q", head[:8])
    if length > LARGEST_HEADER or 8 + length > size or head[8:9] != b"{":
        return f"its header claims {length} bytes, the file has {size}"
    return ""
