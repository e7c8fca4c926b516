"""Distributions that install the same modules, so that only one of each group can be installed."""

from __future__ import annotations

TWINS: tuple[tuple[str, ...], ...] = (
    (
        "onnxruntime",
        "onnxruntime-gpu",
        "onnxruntime-directml",
        "onnxruntime-openvino",
        "onnxruntime-training",
        "onnxruntime-qnn",
        "onnxruntime-rocm",
        "onnxruntime-migraphx",
    ),
    (
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
    ("triton", "pytorch-triton", "pytorch-triton-rocm", "pytorch-triton-xpu", "triton-rocm"),
    ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12", "faiss-gpu-cu11"),
    ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x"),
    ("pillow", "pillow-simd"),
    ("tensorflow", "tensorflow-cpu", "tensorflow-gpu"),
    ("psycopg2", "psycopg2-binary"),
)
"""Groups of distributions that share an import name; the superset or the usual one first."""
_BY_NAME = {name: group for group in TWINS for name in group}


def twins_of(name: str) -> tuple[str, ...]:
    """Return the other distributions that install the same modules."""
    return tuple(other for other in _BY_NAME.get(name, ()) if other != name)
