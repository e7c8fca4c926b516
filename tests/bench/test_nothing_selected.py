"""`-k STEP` that no selected cell has: one sentence with the next step, not a bare number of deselected tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.steps import MEASURING
from suite.catalog import builtin_specs
from suite.cell import Cell
from suite.nothing_selected import why_nothing

ROOT = Path(__file__).parents[2]


def told(keyword, model="mlp", backend="eager", dtype="float32"):
    specs = {spec.name: spec for spec in builtin_specs() if spec.name == model}
    assert specs
    cells = [Cell(model=model, size="tiny", backend=backend, device="cpu", dtype=dtype)]
    return why_nothing(keyword, MEASURING, cells, specs)


def test_a_model_that_does_not_generate_is_named_with_those_that_do():
    sentence = told("generate")
    assert sentence.startswith("-k generate: mlp: no such step; next: --models ")
    named = sentence.partition("--models ")[2].partition(" ")[0].split(",")
    by_name = {spec.name: spec for spec in builtin_specs()}
    assert named
    assert all(by_name[name].generates for name in named)


def test_a_step_of_another_backend_is_named_with_that_backend():
    assert told("compilation") == (
        "-k compilation: no selected backend has the step compilation; next: --backend compiled"
    )
    assert "--backend eager" in told("training", backend="onnxruntime")


def test_a_word_that_is_no_step_gets_the_nearest_one():
    assert "did you mean latency?" in told("latncy")


@pytest.mark.parametrize("keyword", ["latency and cuda", "not latency", ""])
def test_a_step_that_the_cells_have_is_not_said_to_be_missing(keyword):
    assert "has the step" not in told(keyword)
    assert "no such step" not in told(keyword)
    assert "next: " in told(keyword)


def test_pytest_says_it_beside_the_number_of_deselected_tests(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(ROOT / "bench"), "-c", str(ROOT / "pyproject.toml"),
         "-p", "no:cacheprovider", "-k", "generate", "--models", "mlp", "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr
    assert "-k generate: mlp: no such step; next: --models" in done.stdout
