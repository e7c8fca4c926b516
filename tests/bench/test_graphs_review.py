"""`python -m bench review --axes`: files run at the sizes that a user chooses."""

import json

import numpy as np
import pytest
from graph_files import save, value
from onnx import helper

from bench.__main__ import main

pytestmark = [pytest.mark.heavy, pytest.mark.slow]


@pytest.fixture
def path(tmp_path):
    inputs = [value("x", [None, "length", 4])]
    return save(
        tmp_path / "net.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="m")],
        weights={"w": np.ones((4, 2), np.float32)},
        inputs=inputs,
        outputs=[value("y", [None, "length", 2])],
    )


def test_a_file_is_run_at_the_sizes_that_are_named_and_they_stand_beside_the_figures(
    path, tmp_path
):
    out = tmp_path / "out"
    arguments = ["review", str(path), "--axes", "x:0=3,length=5", "--bundle", str(out)]
    assert main(arguments) == 0
    assert "at x:0=3, length=5" in (out / "index.html").read_text(encoding="utf-8")
    numbers = json.loads(next(out.rglob("numbers.json")).read_text(encoding="utf-8"))
    rows = {(r["target"], r["name"]): r["value"] for r in numbers["metrics"]}
    assert rows["m", "MACs"] == f"{3 * 5 * 4 * 2} (100%)"


def test_an_axis_that_no_file_has_is_said(path, tmp_path):
    out = tmp_path / "out"
    assert main(["review", str(path), "--axes", "width=5", "--bundle", str(out)]) == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    pages = page + "".join(p.read_text(encoding="utf-8") for p in out.glob("model-*.html"))
    assert "no open axis is called width; open: x:0, length" in pages


def test_the_graphs_of_a_run_take_no_sizes(tmp_path, capsys):
    assert main(["review", "--axes", "batch=2", "--runs-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("python -m bench review: ")
