"""The recipe of docs/contributing.md for a backend, followed in a copy of the project: a module and a row."""

from __future__ import annotations

import pytest
from recipe_copy import answers, copy_project, python

from suite.axes import BACKENDS, BACKENDS_OFFERED

ROW = """        Backend(
            name="toy",
            title="Toy Runtime",
            short="toy",
            meaning="the module, called through a lambda",
            colours=("#777777", "#999999"),
            module="suite.backends.toy",
            imports=("torch",),
            by_default=False,
        ),
"""
MODULE = '''"""Worker side. Backend `toy`: eager through a lambda."""

from suite.backends import eager


def load(job, emit):
    """The cell's module behind a lambda."""
    return eager.load(job, emit, transform=lambda module: lambda **inputs: module(**inputs))
'''
PROBE = """
from report_runs import MODELS, write_run
from bench.run_outputs import write_outputs

cells = expand(SPEC, backends=backends_of("toy,eager"), **PLACE)
folder = Path("out", "20261124-000000-toy")
records = write_run(folder, models=MODELS[:1])
moved = [
    replace(r, cell=replace(r.cell, backend="toy")) if r.cell.backend == "onnxruntime" else r
    for r in records
    if r.step != "export"
]
(folder / "records.jsonl").write_text("".join(json.dumps(r.as_dict()) + "\\n" for r in moved))
write_outputs(folder, "out/history.db")
print(json.dumps({
    "help": help_of("backend"),
    "default": backends_of("default"),
    "cells": [cell.id for cell in cells],
    "parsed": [Cell.parse(cell.id) == cell for cell in cells],
    "report": (folder / "report.html").read_text().count("Toy Runtime"),
    "pages": pages(),
}))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The copy with the backend `toy`."""
    last = "    )\n}\n\nREFERENCE: Final"
    return copy_project(
        tmp_path_factory.mktemp("tree"),
        added={"suite/backends/toy.py": MODULE},
        rows={"suite/axes/backends.py": (last, ROW)},
    )


@pytest.fixture(scope="module")
def seen(tree):
    """What the copy says of the backend."""
    return answers(tree, PROBE)


def test_a_new_backend_is_offered_and_not_measured_unasked(seen):
    offered = ", ".join((*BACKENDS_OFFERED, "toy"))
    assert seen["help"] == f"{offered} (default: eager,onnxruntime)"
    assert seen["default"] == ["eager", "onnxruntime"]


def test_a_new_backend_has_cells_with_ids_that_are_read_again(seen):
    assert seen["cells"] == ["mlp-tiny-toy-cpu-float32-b1", "mlp-tiny-eager-cpu-float32-b1"]
    assert seen["parsed"] == [True, True]


def test_a_new_backend_has_its_title_in_the_report(seen):
    assert seen["report"] >= 1


def test_a_new_backend_is_in_the_tables_of_the_docs(seen):
    assert "| `toy` | Toy Runtime | the module, called through a lambda |" in seen["pages"]
    offered = ", ".join(f"`{name}`" for name in (*BACKENDS_OFFERED, "toy"))
    assert f"| `--backend NAMES` | {offered} |" in seen["pages"]
    known = ", ".join(f"`{name}`" for name in (*BACKENDS, "toy"))
    assert f"how a model is executed: {known} |" in seen["pages"]


def test_pytest_collects_the_cells_of_a_new_backend(tree):
    options = ("--models", "mlp", "--size", "tiny", "--device", "cpu", "--backend", "toy")
    out = python(tree, "-m", "pytest", "bench/test_latency.py", *options, "--collect-only", "-q")
    assert "test_latency[mlp-tiny-toy-cpu-float32-b1]" in out


@pytest.mark.heavy
@pytest.mark.slow
def test_a_new_backend_is_measured(tree):
    options = ("--models", "mlp", "--size", "tiny", "--device", "cpu", "--backend", "toy")
    out = python(tree, "-m", "pytest", "bench/test_latency.py", *options, "--plan", "quick")
    assert "1 passed" in out
