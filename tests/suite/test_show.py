"""`python -m suite show MODEL`: the tree that it prints, and that the parent stays light."""

import argparse
import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from suite.__main__ import main
from suite.results.model_tree import ModelTree, ModuleRow, WeightSpread
from suite.show import headline, scaled, tree_of
from suite.sparkline import draw_counts

ROOT = Path(__file__).parents[2]


def module(name, kind, *, parameters=0, shape="", macs=0, weights=()):
    return ModuleRow(
        name=name,
        kind=kind,
        parameters=parameters,
        shape=shape,
        macs=macs,
        weights=tuple(weights),
    )


WEIGHT = WeightSpread(
    name="weight", shape=(4, 8), counts=(0, 1, 16, 1), low=-0.5, high=0.5, sparsity=0.25
)
TREE = ModelTree(
    modules=(
        module("", "Net", parameters=32, shape="1×4", macs=64),
        module("body", "Sequential", parameters=32, shape="1×4", macs=64),
        module("body.0", "Linear", parameters=32, shape="1×4", macs=64, weights=[WEIGHT]),
        module("body.1", "[red]Evil[/red]", shape="1×4"),
    ),
    inputs="1×8",
    num_bytes=128,
    data="digits",
    num_samples=1,
)


def shown(**options):
    console = Console(file=io.StringIO(), width=120)
    arguments = argparse.Namespace(**{"depth": 0, "no_weights": False, **options})
    for part in (*headline("net", "tiny", TREE), tree_of(arguments, TREE)):
        console.print(part)
    return console.file.getvalue()


def test_the_tree_has_parameters_shapes_macs_and_the_spread_of_weights():
    text = shown()
    assert "32 parameters, 128 B, 64 MAC, 3 modules" in text
    assert "0: Linear  1×4  32  64 MAC 100%" in text
    assert "weight 4×8  -0.5 ▁▂█▂ 0.5  25% zero" in text


def test_a_name_is_no_markup():
    assert "1: [red]Evil[/red]" in shown()


def test_levels_below_the_depth_are_counted():
    text = shown(depth=1)
    assert "2 modules below" in text
    assert "Linear" not in text
    assert "weight 4×8" not in shown(no_weights=True)


def test_numbers_are_scaled():
    assert [scaled(n) for n in (640, 1_814_073_344, 75_338)] == ["640 ", "1.81 G", "75.3 k"]
    assert draw_counts([0, 1, 1000]) == "▁▂█"
    assert draw_counts([]) == ""


def test_a_wrong_name_is_told_with_what_is_meant(capsys):
    assert main(["show", "resnet19"]) == 2
    assert "did you mean resnet18" in capsys.readouterr().err


def test_an_onnx_file_has_no_modules_and_is_reviewed(tmp_path, capsys):
    file = tmp_path / "net.onnx"
    file.write_bytes(b"")
    assert main(["show", str(file)]) == 2
    assert f"no modules; next: python -m bench review {file}" in capsys.readouterr().err


@pytest.mark.heavy
@pytest.mark.slow
def test_a_model_is_built_in_a_worker_and_counted_as_the_size_step_counts_it():
    script = (
        "import sys; from suite.__main__ import main; code = main(['show', 'cnn', '--size', 'tiny']);"
        "print(sorted({'torch', 'numpy', 'onnx', 'transformers'} & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "75,338 parameters, 301 kB, 786 kMAC" in done.stdout
    assert "2: Conv2d  1×16×24×24  1,168  664 kMAC 84%" in done.stdout
    assert done.stdout.rstrip().endswith("[]")
