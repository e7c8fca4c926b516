"""What a file is, from its first bytes, whatever its name says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from diagnostics.model import text_format
from diagnostics.model.wire import BYTES, VARINT, WireError, entries

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
    (b"ftrt", "tensorrt"),
    (b"RKNN", "rknn"),
)
MAGIC_AT_4: dict[bytes, str] = {
    b"TFL3": "tflite",
    b"ORTM": "ort",
    b"ET12": "executorch",
    b"CIR0": "circle",
}
"""Identifiers of FlatBuffers, which stand behind a first offset of 4 bytes."""

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
    "circle": "a Circle model (ONE, from TensorFlow Lite)",
    "executorch": "an ExecuTorch program",
    "tensorrt": "a TensorRT engine",
    "rknn": "an RKNN model (Rockchip)",
    "ort": "an ONNX Runtime model (.ort)",
    "pickle": "a Python pickle",
    "zip": "a zip archive",
    "safetensors": "a safetensors file",
    "json": "a JSON text",
    "onnx json": "an ONNX model as JSON",
    "onnx text": "an ONNX model in protobuf's text format",
    "caffe text": "a Caffe network definition (text)",
    "web page": "a web page",
    "xml": "an XML text",
    "openvino": "an OpenVINO model (its weights are in the .bin file)",
    "coreml": "a Core ML model (.mlmodel)",
    "savedmodel": "a TensorFlow SavedModel graph",
    "graphdef": "a frozen TensorFlow graph",
    "tar": "a tar archive",
}

SUFFIXES: dict[str, tuple[str, ...]] = {
    "tflite": (".tflite", ".lite"),
    "circle": (".circle",),
    "executorch": (".pte",),
    "tensorrt": (".engine", ".plan", ".trt"),
    "rknn": (".rknn",),
    "gguf": (".gguf",),
    "ort": (".ort",),
    "onnx json": (".json", ".onnxjson"),
    "onnx text": (".textproto", ".prototxt", ".pbtxt", ".txt", ".onnxtxt"),
    "caffe text": (".prototxt", ".pbtxt", ".txt"),
    "json": (".json",),
    "openvino": (".xml",),
    "xml": (".xml",),
    "coreml": (".mlmodel",),
    "savedmodel": (".pb",),
    "graphdef": (".pb",),
    "hdf5": (".h5", ".hdf5", ".keras"),
    "numpy": (".npy",),
    "tar": (".tar", ".nemo"),
    "gzip": (".gz", ".tgz"),
    "zstd": (".zst",),
    "bzip2": (".bz2",),
    "xz": (".xz",),
    "pdf": (".pdf",),
    "elf": (".so", ""),
}
"""Kind -> suffixes that such a file is expected to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the first bytes say."""

    kind: str
    """empty, zeros, lfs, web page, json, xml, zip, pickle, safetensors, ... or unknown."""
    note: str = ""
    """Such as the size that a pointer promises, or the message of an error page."""


def sniff(head: bytes | memoryview, size: int) -> Content:
    """Return what a file is, from its first bytes (4,096 suffice) and its size. Never raises."""
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
    if start[4:8] in MAGIC_AT_4:
        return Content(kind=MAGIC_AT_4[start[4:8]])
    if start[257:262] == b"ustar":
        return Content(kind="tar")
    if _is_tensorrt_behind_metadata(start):
        return Content(kind="tensorrt", note="with Ultralytics' metadata before it")
    if _is_safetensors(start):
        return Content(kind="safetensors")
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05" and len(start) > 1:
        return Content(kind="pickle")
    return _text(start)


def other_protobuf(data: bytes | memoryview) -> str:
    """Return `coreml`, `savedmodel` or `graphdef` for such a protobuf message, else empty.

    Tells them by the fields of the outermost message; ONNX has neither fields above 25 nor only
    these.
    """
    numbers: dict[int, tuple[int, int]] = {}
    count = 0
    try:
        for entry in entries(data):
            numbers.setdefault(entry.number, (entry.kind, entry.value))
            count += 1
            if entry.number == 1 and entry.kind == BYTES and count == 1:
                first = {e.number: e.kind for e in entries(data, entry.start, entry.end)}
                if first.get(1) != BYTES or first.get(2) != BYTES:
                    return ""
            if entry.number == 2 and entry.kind == BYTES and numbers.get(1) == (VARINT, 1):
                inner = {e.number: e.kind for e in entries(data, entry.start, entry.end)}
                if inner.get(1) == BYTES and inner.get(2) == BYTES:
                    return "savedmodel"
    except WireError:
        return ""
    version = numbers.get(1, (BYTES, 0))
    has_description = version[0] == VARINT and numbers.get(2, (VARINT, 0))[0] == BYTES
    if has_description and any(200 <= number < 4000 for number in numbers):
        return "coreml"
    if 1 in numbers and version[0] == BYTES and set(numbers) <= {1, 2, 3, 4, 5}:
        return "graphdef"
    return ""


def _text(start: bytes) -> Content:
    lean = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = lean[:512].lower()
    if lower.startswith((b"<!doctype html", b"<html")) or b"<html" in lower:
        return Content(kind="web page", note=_title(lean))
    if re.match(rb"(?:<\?xml[^>]*>\s*)?<net\b", lower):
        return Content(kind="openvino")
    if lower.startswith((b"<?xml", b"<error>")):
        return Content(kind="xml", note=lean[:120].decode("utf-8", "replace"))
    if lower.startswith((b"{", b"[")):
        if re.match(rb'\{\s*"ir_?[vV]ersion"\s*:', lean):
            return Content(kind="onnx json")
        return Content(kind="json", note=_message(lean))
    if lower.startswith((b"access denied", b"entry not found", b"not found", b"invalid credent")):
        return Content(kind="json", note=lean[:80].decode("utf-8", "replace"))
    words = lean.decode("utf-8", "replace")
    if text_format.looks_like_onnx_text(words):
        return Content(kind="onnx text")
    if re.match(r'(?:\s*#[^\n]*\n)*\s*(?:name\s*:\s*".*?"\s*)?(?:layers?|input)\s*[:{]', words):
        return Content(kind="caffe text")
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


def _is_tensorrt_behind_metadata(start: bytes) -> bool:
    length = int.from_bytes(start[:4], "little")
    return 2 <= length < 4000 and start[4:5] == b"{" and start[4 + length : 8 + length] == b"ftrt"


def _is_safetensors(start: bytes) -> bool:
    length = int.from_bytes(start[:8], "little")
    return len(start) > 9 and 2 <= length <= 100_000_000 and start[8:10] in (b'{"', b"{}", b"{ ")
