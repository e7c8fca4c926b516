"""Graphs taken apart: spreads, time of nodes, what is kept of them, and what of damaged files."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from graph_files import chain, net, save, value
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from bench.charts.histograms import HEIGHT, hill
from bench.graph_analysis.activations import layers_from, shown_values, snr_db, values_in
from bench.graph_analysis.folder import folder_of, is_fresh, load_anatomies
from bench.graph_analysis.make import (
    Kept,
    graphs_of,
    longest_first,
    make_anatomies,
    take_files_apart,
)
from bench.graph_analysis.record import anatomy_from
from bench.graph_analysis.running import random_feeds, time_of_nodes, values_of_a_run, working_feeds
from bench.graph_analysis.spread import Spread, spread_of
from bench.graph_analysis.static import anatomy_of
from bench.graph_analysis.work import attachment_of
from bench.netron.devtools import INSTALL, find_browser
from bench.netron.errors import BrowserMissing
from bench.report.anatomy_view import view_of
from bench.report.difference_view import difference_view
from diagnostics.codec import decode_as
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Artifact, Record
from suite.runs.load import Run
from suite.worker.client import Answer
from suite.worker.fake import FakeWorker

try:
    find_browser()
    HAS_CHROMIUM = True
except BrowserMissing:
    HAS_CHROMIUM = False

pytestmark = pytest.mark.heavy


def test_a_spread_counts_every_element_once():
    found = spread_of(np.array([[0.0, 1.0, 2.0], [np.nan, np.inf, 0.0]], dtype=np.float32))
    assert (found.num, found.num_zero, found.num_other) == (6, 2, 2)
    assert (found.low, found.high, found.mean) == (0.0, 2.0, 0.75)
    assert sum(found.counts) == 4
    assert found.sparsity == pytest.approx(2 / 6)


def test_a_spread_counts_every_number_once_whatever_its_scale():
    dice = np.random.default_rng(0)
    for low, high in ((-1.0, 1.0), (1e8, 1e8 + 64), (-3e38, 3e38), (0.0, 1e-44)):
        numbers = dice.uniform(low, high, 100_001).astype(np.float32)
        assert sum(spread_of(numbers).counts) == numbers.size
    flat = dice.normal(size=300_000)
    expected, _ = np.histogram(flat, bins=40)
    assert np.abs(np.array(spread_of(flat).counts) - expected).max() <= 1


def test_a_spread_of_nothing_finite_is_none():
    assert spread_of(np.array([np.nan])) is None
    assert spread_of(np.zeros((0, 3))) is None


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
def test_any_spread_survives_json_and_can_be_drawn(numbers):
    found = spread_of(np.array(numbers, dtype=np.float32))
    assert (
        decode_as(Spread, json.loads(json.dumps({k: getattr(found, k) for k in found.__slots__})))
        == found
    )
    assert sum(found.counts) == len(numbers)
    path = hill(found, found.low - 1, found.high + 1)
    assert path.startswith("M")
    assert path.endswith(f"V{HEIGHT}z")


def quantized(path, source):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, path, weight_type=QuantType.QInt8)
    return path


def test_a_file_is_taken_apart_without_running_it(tmp_path):
    found, graph = anatomy_of(net(tmp_path / "net.onnx"), model="net", sizes={"batch": 1})
    assert [layer.name for layer in found.weights] == ["conv.weight", "conv.bias", "fc.weight"]
    assert found.num_parameters == 8 * 27 + 8 + 8 * 5
    assert found.macs == graph.macs == 8 * 27 * 256 + 8 * 5
    assert found.inputs[0].shape == "batch×3×16×16"
    assert dict(found.operators)["Conv"] == 1
    assert anatomy_from(json.loads(json.dumps(found.as_dict()))) == found


def test_quantized_weights_are_told_in_the_float_domain_under_the_same_name(tmp_path):
    before, _ = anatomy_of(net(tmp_path / "net.onnx"), model="net")
    after, _ = anatomy_of(quantized(tmp_path / "int8.onnx", tmp_path / "net.onnx"), model="net")
    one, other = ({w.name: w for w in a.weights}["fc.weight"] for a in (before, after))
    assert other.dtype == "int8"
    assert other.spread.std == pytest.approx(one.spread.std, rel=0.05)


def test_times_go_to_the_nodes_of_the_file_whatever_is_fused(tmp_path):
    path = net(tmp_path / "net.onnx")
    _, graph = anatomy_of(path, model="net", sizes={"batch": 1})
    times = time_of_nodes(path, graph, random_feeds(path, {}), threads=1)
    spent, unassigned = times.spent, times.unassigned
    assert spent["conv"] > 0
    # Which processors have a kernel of both differs: `relu` is fused into the convolution, or has a time of its own.
    assert set(spent) <= {"conv", "relu", "pool", "flatten", "fc"}
    assert unassigned < sum(spent.values())


def test_inner_values_are_those_of_a_run(tmp_path):
    path = net(tmp_path / "net.onnx")
    feeds = random_feeds(path, {})
    assert feeds["x"].shape == (1, 3, 16, 16)
    found = values_of_a_run(path, ["c", "r", "nowhere"], feeds)
    assert set(found) == {"c", "r"}
    assert np.array_equal(np.maximum(found["c"], 0), found["r"])


def test_like_is_held_against_like(tmp_path):
    path = net(tmp_path / "net.onnx")
    graphs = [
        anatomy_of(p, model="net", sizes={"batch": 1})[1]
        for p in (path, quantized(tmp_path / "int8.onnx", path))
    ]
    shown = shown_values(graphs)
    assert shown["fc"] == "y"
    feeds = random_feeds(path, {})
    own = [values_in(g, shown) for g in graphs]
    values = [
        values_of_a_run(Path(g.path), list(o.values()), feeds)
        for g, o in zip(graphs, own, strict=True)
    ]
    before = {layer: values[0][name] for layer, name in own[0].items() if name in values[0]}
    layers = layers_from(values[1], own[1], before)
    assert {layer.name for layer in layers} >= {"conv", "fc"}
    assert all(layer.snr_db is None or layer.snr_db > 10 for layer in layers)


def test_an_activation_is_told_behind_its_own_quantization(tmp_path):
    """The quantizer takes the ReLU away: the clipping does its work."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["relu"], name="conv"),
        helper.make_node("QuantizeLinear", ["relu", "s", "z"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["relu_DequantizeLinear_Output"], name="d"),
        helper.make_node("Abs", ["relu_DequantizeLinear_Output"], ["y"], name="abs"),
    ]  # fmt: skip
    weights = {"w": np.ones((2, 1, 1, 1), np.float32), "s": np.float32(0.1), "z": np.uint8(0)}
    inputs = [value("x", [1, 1, 4, 4])]
    path = save(tmp_path / "q.onnx", nodes, weights=weights, inputs=inputs)
    _, graph = anatomy_of(path, model="q")
    own = values_in(graph, {"conv": "relu"})
    assert own == {"conv": "relu_DequantizeLinear_Output"}
    found = values_of_a_run(path, list(own.values()), random_feeds(path, {}))
    (layer,) = layers_from(found, own, {})
    assert layer.spread.low == 0.0


def test_signal_to_noise_is_a_ratio_of_powers():
    a = np.ones(100, dtype=np.float32)
    assert snr_db(a, a * np.float32(1.1)) == pytest.approx(20, abs=0.01)
    assert snr_db(a, a) is None
    assert snr_db(None, a) is None
    assert snr_db(a, np.ones(7, dtype=np.float32)) is None


def test_the_longest_analysis_goes_first_and_bytes_decide_among_unknown_models(tmp_path):
    def kept(model, num_bytes):
        path = tmp_path / f"{model}.onnx"
        path.write_bytes(bytes(num_bytes))
        return [Kept(cell=Cell(model=model, size="base"), path=path, relative=path.name)]

    sizes = {"gpt2": 500, "mvit_v2_s": 100, "small": 10, "large": 20, "mlp": 900}
    groups = [kept(model, num_bytes) for model, num_bytes in sizes.items()]
    order = [group[0].cell.model for group in longest_first(groups)]
    assert order == ["mvit_v2_s", "gpt2", "large", "small", "mlp"]


def test_inputs_that_are_no_tensors_are_refused(tmp_path):
    nodes = [helper.make_node("SequenceLength", ["x"], ["y"], name="n")]
    sequence = helper.make_tensor_sequence_value_info("x", 1, [2])
    path = save(tmp_path / "s.onnx", nodes, inputs=[sequence], outputs=[value("y", [], 7)])
    with pytest.raises(ValueError, match="expected a tensor of numbers"):
        random_feeds(path, {})


def test_open_axes_are_made_longer_until_the_graph_runs(tmp_path):
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")]
    weights = {"w": np.ones((1, 1, 100), np.float32)}
    inputs = [value("x", ["batch", 1, "time"])]
    outputs = [value("y", ["batch", 1, None])]
    path = save(tmp_path / "long.onnx", nodes, weights=weights, inputs=inputs, outputs=outputs)
    assert working_feeds(path, {})["x"].shape == (1, 1, 128)


def test_the_attachment_has_nodes_tensors_and_values(tmp_path):
    path = net(tmp_path / "net.onnx")
    found, graph = anatomy_of(path, model="net", sizes={"batch": 1})
    parts = tuple(replace(part, seconds=1e-6) for part in found.parts)
    rows = attachment_of(graph, replace(found, parts=parts))["metrics"]
    told = {(row["kind"], row["target"], row["name"]) for row in rows}
    assert ("node", "conv", "latency") in told
    assert ("tensor", "fc.weight", "zeros") in told
    assert ("tensor", "fc.weight", "mean ± deviation") in told


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    paths = {"a": net(folder / "a.onnx"), "b": net(folder / "b.onnx", seed=1, width=12)}
    folder_of(folder).mkdir()
    problems = take_files_apart(paths, folder_of(folder))
    return folder, problems


@pytest.mark.slow
def test_files_are_kept_and_compared_with_the_first(taken):
    folder, problems = taken
    assert not problems
    found = load_anatomies(folder)
    assert set(found.by_stem) == {"a", "b"}
    assert ("a", "b") in found.differences
    assert found.by_stem["a"].fed == "random numbers"
    assert found.by_stem["a"].activations
    assert not found.problems
    assert is_fresh(found, folder / "a.onnx")
    (folder / "a.onnx").touch()
    assert not is_fresh(found, folder / "a.onnx")
    view = view_of(found, found.by_stem)
    assert [row.name for row in view.weights.rows] == ["conv.weight", "conv.bias", "fc.weight"]
    assert all(len(row.cells) == 2 for row in view.weights.rows)
    assert view.differences[0].document["before"]["path"] == "a.onnx"


@pytest.mark.slow
def test_damaged_files_are_told_and_the_rest_is_shown(taken, tmp_path):
    folder, _ = taken
    own = folder_of(tmp_path)
    own.mkdir()
    for path in folder_of(folder).iterdir():
        (own / path.name).write_bytes(path.read_bytes())
    (own / "b.json").write_text('{"schema": 1, "model": ')
    (own / "c.json").write_text("[]")
    (own / "d.picture.json").write_text('{"what": 1}')
    found = load_anatomies(tmp_path)
    assert set(found.by_stem) == {"a"}
    assert len(found.problems) == 3
    assert load_anatomies(tmp_path / "nowhere").by_stem == {}


def test_graphs_outside_of_the_run_are_not_looked_at(tmp_path):
    folder = tmp_path / "run"
    (folder / "onnx").mkdir(parents=True)
    net(tmp_path / "secret.onnx")
    net(folder / "onnx" / "net.onnx")
    cell = Cell(model="net", size="tiny", backend="onnxruntime")

    def record(path, batch=1):
        return Record(
            run_id="r", cell=replace(cell, batch=batch), step="export", outcome=Outcome.PASSED,
            artifacts=(Artifact(kind="onnx", path=path, num_bytes=1),),
        )  # fmt: skip

    outside = [
        record("../secret.onnx"),
        record(str(tmp_path / "secret.onnx")),
        record("onnx/gone.onnx"),
    ]
    kept = graphs_of(Run(folder=folder, records=(*outside, record("onnx/net.onnx", 8))))
    assert [graph.relative for graph in kept] == ["onnx/net.onnx"]


def test_shapes_are_no_weights_that_differ():
    tensors = [
        {"name": "val_1", "dtypes": ["int64", "int64"], "is_dequantized": [False, False], "max_abs": 9},
        {"name": "w", "dtypes": ["float", "int8"], "is_dequantized": [False, True], "max_abs": 0.1},
    ]  # fmt: skip
    found = difference_view("a", "b", {"tensors": tensors})
    assert [t["name"] for t in found.tensors] == ["w"]


def test_a_large_graph_is_not_held_in_memory(tmp_path, monkeypatch):
    path = net(tmp_path / "net.onnx")
    monkeypatch.setattr("bench.graph_analysis.running.LARGEST", 10)
    with pytest.raises(ValueError, match="expected up to 10"):
        values_of_a_run(path, ["c"], random_feeds(path, {}))
    assert onnx.load(path).graph.node


def test_what_starts_this_imports_no_heavy_library():
    modules = "bench.run, bench.review.command, bench.advise, bench.graph_analysis.make"
    heavy = {"torch", "onnx", "onnxruntime", "numpy", "scipy", "netron"}
    script = f"import sys, {modules}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.slow
@pytest.mark.skipif(not HAS_CHROMIUM, reason=f"no Chromium on PATH; {INSTALL}")
def test_a_large_graph_is_drawn_as_blocks_coloured_by_their_time(tmp_path):
    scopes = [f"layer{number}" for number in range(6)]
    path = chain(tmp_path / "chain.onnx", 600, scopes=scopes)
    folder_of(tmp_path).mkdir()
    assert not take_files_apart({"chain": path}, folder_of(tmp_path))
    drawn = load_anatomies(tmp_path).pictures["chain"]
    assert drawn.is_summary
    assert drawn.num_nodes == 600
    assert drawn.coloured_by == "share of the time"
    svg = drawn.path.read_text(encoding="utf-8")
    assert "layer5" in svg
    assert "fill:#" in svg
    assert drawn.whole.read_text(encoding="utf-8").count("node-name-") >= 600


@pytest.mark.slow
def test_without_a_browser_the_rest_is_there_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    path = net(tmp_path / "net.onnx")
    folder_of(tmp_path).mkdir()
    assert not take_files_apart({"net": path}, folder_of(tmp_path))
    found = load_anatomies(tmp_path)
    assert "net" in found.by_stem
    assert not found.pictures
    assert "no browser to draw pictures with" in found.no_pictures
    assert INSTALL in found.no_pictures


@pytest.mark.parametrize("has_browser", [False, True])
def test_pictures_are_drawn_once_a_browser_is_there(tmp_path, monkeypatch, has_browser):
    path = net(tmp_path / "net.onnx")
    folder_of(tmp_path).mkdir()
    found, _ = anatomy_of(path, model="net", sizes={"batch": 1})
    (folder_of(tmp_path) / "net.json").write_text(json.dumps(found.as_dict()))
    (folder_of(tmp_path) / "no-pictures.txt").write_text("no browser to draw pictures with")
    graph = Artifact(kind="onnx", path="net.onnx", num_bytes=path.stat().st_size)
    record = Record(
        run_id="r",
        cell=Cell(model="net", size="tiny"),
        step="export",
        outcome=Outcome.PASSED,
        artifacts=(graph,),
    )
    monkeypatch.setattr("bench.graph_analysis.make.has_browser", lambda: has_browser)
    asked = []

    def answer(job):
        asked.append(job.runner)
        return Answer(outcome=Outcome.PASSED, result={"result": {"problems": []}})

    worker = FakeWorker(answer=answer)
    make_anatomies(Run(folder=tmp_path, records=(record,)), workers=[worker])
    assert asked == (["bench.graph_analysis.pictures:run"] if has_browser else [])
