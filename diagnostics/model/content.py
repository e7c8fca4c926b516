"""What a file is, from its first bytes, whatever its name says."""

from __future__ import annotations

import json
from dataclasses import dataclass

LFS = b"version https://git-lfs.github.com/spec/v1"
XET = b"# xet version"
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"GGUF", "gguf"),
    (b"\x93NUMPY", "numpy"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"%PDF", "pdf"),
    (b"\x7fELF", "elf"),
)
NAMES = {
    "gzip": "a gzip archive",
    "hdf5": "a Keras or HDF5 file",
    "gguf": "a GGUF file (llama.cpp)",
    "numpy": "a NumPy array",
    "zstd": "a Zstandard archive",
    "bzip2": "a bzip2 archive",
    "xz": "an xz archive",
    "pdf": "a PDF document",
    "elf": "a program or library",
    "tflite": "a TensorFlow Lite model",
    "ort": "an ONNX Runtime model (.ort)",
    "pickle": "a Python pickle",
    "zip": "a zip archive",
    "safetensors": "a safetensors file",
    "json": "a JSON text",
    "web page": "a web page",
    "xml": "an XML text",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the first bytes say."""

    kind: str
    """empty, zeros, lfs, web page, json, xml, zip, pickle, safetensors, ... or unknown."""
    note: str = ""
    """Such as the size that a pointer promises, or the message of an error page."""


def sniff(head: bytes | memoryview, size: int) -> Content:
    """What a file is, from its first bytes (a few hundred suffice) and its size. Never raises."""
    start = bytes(head[:4096])
    if size == 0:
        return Content(kind="empty")
    if start.startswith((LFS, XET)):
        return Content(kind="lfs", note=_promised(start))
    if not start.strip(b"\0"):
        return Content(kind="zeros")
    for magic, kind in MAGIC:
        if start.startswith(magic):
            return Content(kind=kind)
    if start[4:8] in (b"TFL3", b"ORTM"):
        return Content(kind={b"TFL3": "tflite", b"ORTM": "ort"}[start[4:8]])
    if _is_safetensors(start):
        return Content(kind="safetensors")
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05" and len(start) > 1:
        return Content(kind="pickle")
    return _text(start)


def _text(start: bytes) -> Content:
    lean = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = lean[:512].lower()
    if lower.startswith((b"<!doctype html", b"<html")) or b"<html" in lower:
        return Content(kind="web page", note=_title(lean))
    if lower.startswith((b"<?xml", b"<error>")):
        return Content(kind="xml", note=lean[:120].decode("utf-8", "replace"))
    if lower.startswith((b"{", b"[")):
        return Content(kind="json", note=_message(lean))
    if lower.startswith((b"access denied", b"entry not found", b"not found", b"invalid credent")):
        return Content(kind="json", note=lean[:80].decode("utf-8", "replace"))
    return Content(kind="unknown")


def _promised(start: bytes) -> str:
    for line in start.splitlines():
        if line.startswith(b"size ") and line[5:].strip().isdigit():
            return f"{int(line[5:]):,} bytes"
    return ""


def _title(page: bytes) -> str:
    lower = page.lower()
    begin, end = lower.find(b"<title>"), lower.find(b"</title>")
    return (
        page[begin + 7 : end].strip().decode("utf-8", "replace")[:120] if 0 <= begin < end else ""
    )


def _message(text: bytes) -> str:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if isinstance(data, dict):
        for key in ("error", "message", "detail"):
            if isinstance(data.get(key), str):
                return str(data[key])[:120]
    return ""


def _is_safetensors(start: bytes) -> bool:
    length = int.from_bytes(start[:8], "little")
    return len(start) > 9 and 2 <= length <= 100_000_000 and start[8:10] in (b'{"', b"{}", b"{ ")
