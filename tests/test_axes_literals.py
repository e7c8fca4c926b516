"""Stages, variants, backends, kinds of devices and splits are named by constants and rows, never by string literals."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite.axes import BACKENDS, DEVICE_KINDS, LIFE, VARIANTS
from suite.data.splits import SPLITS

ROOT = Path(__file__).parents[1]
NAMES = {*LIFE, *VARIANTS, *BACKENDS, *DEVICE_KINDS, *SPLITS}
OWNERS = ("suite/axes/", "suite/models/", "suite/data/splits.py")
"""Where the names are defined, and the models' own records."""

ANOTHER_THING = {
    "the part of a graph that is called tensor": {
        "bench/graph_analysis/work.py": {"tensor"},
        "bench/graph_diff/fingerprint.py": {"tensor"},
        "bench/netron/attachment.py": {"tensor"},
        "bench/onnx_graph/record.py": {"tensor"},
    },
    "a form of a batch of pictures": {"suite/tasks/detection.py": {"tensor"}},
    "a function of torch that a known-answer case is about": {
        "suite/foundations/tensors.py": {"full", "tensor"},
    },
    "a distribution on the package index": {
        "bench/summary/machine.py": {"onnxruntime"},
        "suite/origins/onnx_file.py": {"onnxruntime"},
        "suite/provenance.py": {"onnxruntime", "torchao"},
        "suite/bundles/graph.py": {"onnxruntime"},
        "suite/bundles/openvino.py": {"openvino"},
        "suite/worker/errors.py": {"openvino", "torchao"},
    },
    "a control group of Linux": {
        "bench/instruments/counters.py": {"cpu"},
        "bench/instruments/latency.py": {"cpu"},
    },
    "a field of pytest-benchmark's files": {
        "bench/history/benchmark_export.py": {"cpu"},
        "bench/history/benchmark_file.py": {"cpu"},
    },
    "a type of numbers": {
        "bench/instruments/fidelity.py": {"int8"},
        "suite/backends/openvino.py": {"bf16"},
        "suite/origins/onnx_file.py": {"int8"},
        "suite/stages/export/quantized.py": {"int8"},
        "suite/stages/export/rounding_errors.py": {"int8"},
    },
    "a field of ModelSpec": {"suite/spec_codec.py": {"build", "export"}},
    "the part of the digest that is the model's builder": {"suite/provenance.py": {"build"}},
    "a command of git": {"bench/gate/worktree.py": {"prune"}},
    "a command of `python -m bench history`": {"bench/history/command.py": {"export"}},
    "a word of records in the first format": {"suite/results/schema1.py": {"pt2e"}},
    "a class of Pascal VOC": {"suite/tasks/segmentation.py": {"train"}},
    "a key of a checkpoint's document": {"suite/training/checkpoint.py": {"validation"}},
}
"""Reason -> file -> words in it that only look like one of the names."""


def literals(source: str, names: set[str]) -> Iterator[tuple[int, str]]:
    """Line and value of every string literal of `source` that is one of `names`; docstrings are no uses."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and node.value in names and id(node) not in prose:
            yield node.lineno, node.value


def found(folder: Path, names: set[str]) -> dict[str, dict[str, list[int]]]:
    """File -> name -> lines, in the packages below `folder`."""
    seen: dict[str, dict[str, list[int]]] = {}
    for package in ("bench", "suite"):
        for path in sorted((folder / package).rglob("*.py")):
            file = path.relative_to(folder).as_posix()
            if not file.startswith(OWNERS):
                for line, name in literals(path.read_text(encoding="utf-8"), names):
                    seen.setdefault(file, {}).setdefault(name, []).append(line)
    return seen


def allowed(file: str) -> set[str]:
    """The words of ANOTHER_THING for that file."""
    return set().union(*(files.get(file, set()) for files in ANOTHER_THING.values()))


def test_no_name_of_a_row_is_a_string_literal():
    unexplained = [
        f"{file}:{line}: {name!r}; use the constant in suite.axes or suite.data.splits"
        for file, names in found(ROOT, NAMES).items()
        for name, lines in names.items()
        for line in lines
        if name not in allowed(file)
    ]
    assert unexplained == []


def test_every_exception_is_still_there():
    seen = found(ROOT, NAMES)
    explained = {
        (file, word)
        for files in ANOTHER_THING.values()
        for file, words in files.items()
        for word in words
    }
    assert {(file, word) for file, word in explained if word not in seen.get(file, {})} == set()


@pytest.mark.parametrize(
    "code, expected",
    [
        ('x = device == "cpu"', [(1, "cpu")]),
        ('def f(stage="train"):\n    return {"eager": stage}', [(1, "train"), (2, "eager")]),
        ('"""cpu"""\nx: str\n"""eager"""', []),
        ('x = "cpu.stat"', []),
    ],
)
def test_a_literal_is_found_wherever_it_is_used_and_prose_is_none(code, expected):
    assert sorted(literals(code, NAMES)) == expected
