"""A run folder that was written with records of schema 1 gives the figures that it gave then."""

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.summary.build import build_report
from suite.runs.load import load_run

FOLDER = Path(__file__).with_name("files") / "run-of-schema-1"
STATES = (
    # name, backend, metric, drop, parameters, bytes, times as fast
    ("original", "eager", 8.984375, None, 12730, 50920, 1.0),
    ("original", "onnxruntime", 8.984375, None, 12730, 54073, 5.201),
    ("trained", "eager", 96.09375, 0.0, 12730, 50920, 1.0),
    ("trained", "compiled", 96.09375, 0.0, 12730, 50920, 1.189),
    ("trained", "onnxruntime", 96.09375, 0.0, 12730, 54073, 6.49),
    ("masked", "eager", 94.53125, 1.5625, 12730, 50920, 0.966),
    ("pruned", "eager", 94.140625, 1.953125, 6370, 25480, 1.045),
    ("pruned", "onnxruntime", 94.140625, 1.953125, 6370, 28633, 9.291),
    ("int8", "onnxruntime", 96.484375, -0.390625, 12730, 17373, 2.649),
    ("pruned_int8", "onnxruntime", 94.53125, 1.5625, 6370, 10882, 4.485),
    ("pt2e", "compiled", 96.09375, 0.0, 12730, 13120, 0.227),
)


@pytest.fixture(scope="module")
def report():
    return build_report(load_run(FOLDER))


def test_every_record_is_read(report):
    assert report.problems == ()
    assert report.totals.outcomes == {"passed": 33}
    assert (report.totals.num_claims, report.totals.num_broken) == (44, 0)
    assert dict(report.settings)["Data"] == "digits, patches"


def test_the_states_of_the_model_are_those_of_then(report):
    (life,) = report.lives
    found = [
        (s.name, s.backend, s.metric, s.drop, s.parameters, s.num_bytes, round(s.ratio.value, 3))
        for s in life.states
    ]
    assert found == list(STATES)


def test_training_tuning_and_quantization_are_those_of_then(report):
    (life,) = report.lives
    training = life.training
    assert (training.untrained, training.trivial, training.trained) == (
        8.984375,
        13.671875,
        96.09375,
    )
    assert (training.steps, training.data, training.num_test_samples) == (200, "digits", 256)
    assert len(training.validation) == 4
    assert [(t.strategy, t.gain, t.forgotten) for t in life.tunings] == [
        ("full", 5.078125, 11.328125), ("partial", 1.5625, 20.703125),
        ("layerwise", 2.734375, 19.921875),
    ]  # fmt: skip
    assert [(q.variant, q.method, q.types, q.num_quantized) for q in life.quantized] == [
        ("int8", "static", "u8s8", 2), ("pruned_int8", "static", "u8s8", 2), ("pt2e", "pt2e", "", 2),
    ]  # fmt: skip


def test_rows_graphs_and_training_costs_are_those_of_then(report):
    first, pruned, int8 = report.rows
    assert (first.parameters, first.macs, first.parity.verdict) == (12730, 12704, "passed")
    graphs = [(r.graph.num_bytes, r.graph.num_nodes, r.graph.opset) for r in report.rows]
    assert graphs == [(54073, 4, 20), (28633, 4, 20), (17373, 12, 20)]
    assert first.learning.optimizer == "adamw"
    assert [loading.num_workers for loading in first.learning.loading] == [0, 1, 2]
    assert int8.lane("onnxruntime").timing.p50 == pytest.approx(41.2e-6, rel=1e-2)
    assert pruned.parameters == 6370


def test_the_machine_is_that_of_then(report):
    machine = dict(report.machine)
    assert machine["torch"] == "2.15.0+cu132"
    assert (machine["Python"], machine["Commit"]) == ("3.11.7", "2c9357a305")


@pytest.mark.parametrize("form", ["html", "md", "json", "terminal"])
def test_it_is_shown_in_every_format(form, tmp_path, capsys):
    out = tmp_path / "report"
    assert main(["report", str(FOLDER), "--format", form, "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert "mlp" in text
    if form == "json":
        assert len(json.loads(text)["lives"][0]["stages"]) == 13
