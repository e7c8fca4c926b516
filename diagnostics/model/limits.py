"""Which IR version and opset a release of ONNX Runtime reads."""

from __future__ import annotations

from diagnostics.tables.version import numbers

DATED = "2026-11-23"

PUBLISHED: tuple[tuple[str, int, int], ...] = (
    ("1.13", 8, 17),
    ("1.14", 8, 18),
    ("1.15", 9, 19),
    ("1.16", 9, 19),
    ("1.17", 9, 20),
    ("1.18", 10, 21),
    ("1.19", 10, 21),
)
"""ONNX Runtime series, newest IR version, newest official opset. Source: the version table of
https://onnxruntime.ai/docs/reference/compatibility.html."""

MEASURED: tuple[tuple[str, int, int], ...] = (
    ("1.23", 11, 23),
    ("1.24", 13, 25),
    ("1.27", 13, 26),
    ("1.30", 13, 26),
    ("1.32", 14, 28),
)
"""What a series itself printed when it was given a model that is newer still."""

NEWEST_IR, NEWEST_OPSET = 14, 28
"""The newest versions that any row knows; more than that no known release reads."""

DISTRIBUTIONS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-qnn",
)


def installed() -> str | None:
    """Return the version of the installed ONNX Runtime from its metadata, None when there is none."""
    import importlib.metadata  # with zipfile and email: a graph that is read needs none of it

    for name in DISTRIBUTIONS:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def of(version: str) -> tuple[int, int] | None:
    """Return the newest (IR version, opset) that a version reads; None where it is not known."""
    series = numbers(version)[:2]
    for name, ir, opset in (*PUBLISHED, *MEASURED):
        if numbers(name) == series:
            return ir, opset
    return None
