"""Layers that 8 bits hurt, in the report: named by their modules, ranked, with what was done about them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from life_runs import LIVES, life_records
from test_report_render import printed

from bench.report.document import to_json
from bench.report.html import to_html
from bench.report.layers_view import harm_rows, layer_lines, layers_note, mending_text
from bench.summary.build import build_report
from suite.results.quantize import LayerHarm, Mending, QuantizeResult, Sensitivity, Way
from suite.results.step_result import SpeedRatio
from suite.runs.load import Run

ROWS = {row[0]: row for row in LIVES}
LAYERS = tuple(
    LayerHarm(
        name=f"node_Conv_{number}",
        scope=scope,
        operator="Conv",
        place=number,
        error=error,
        drop=drop,
        share=0.1,
    )
    for number, scope, error, drop in (
        (7, "layer2.0", 0.9, 3.2),
        (2, "layer1.0", math.inf, 0.1),
        (3, "layer1.0", 0.01, 0.0),
        (4, "", 0.001, 0.0),
    )
)
SENSITIVITY = Sensitivity(layers=LAYERS, by="metric", num_samples=180, num_left=1)
MENDING = Mending(
    limit=1.0,
    before=3.5,
    after=0.4,
    kept="percentile 99.99",
    ways=(
        Way(name="plain", loss=3.6),
        Way(name="percentile 99.99", loss=2.0),
        Way(name="percentile 99.9", failure="ValueError: no histogram"),
    ),
    excluded=("node_Conv_7",),
    num_layers=21,
    num_quantized=(21, 20),
    num_conversions=(60, 58),
)
SPEED = {
    "quantized": SpeedRatio(ratio=3.0, low=2.9, high=3.1),
    "plain": SpeedRatio(ratio=3.2, low=3.1, high=3.3),
}


def life_with(**changes):
    """The report of a life whose int8 state has these fields, and that life."""
    records = []
    for record in life_records(ROWS["resnet18"]):
        if record.step == "quantize" and record.cell.variant == "int8":
            assert isinstance(record.result, QuantizeResult)
            record = replace(record, result=replace(record.result, **changes))
        records.append(record)
    report = build_report(Run(folder=Path("made-up"), records=tuple(records), info={}))
    (life,) = report.lives
    return report, life


def of(life):
    return next(q for q in life.quantized if q.variant == "int8")


@pytest.fixture(scope="module")
def mended():
    return life_with(sensitivity=SENSITIVITY, mending=MENDING, speedup=SPEED, choice="quantized")


def test_layers_have_the_names_that_their_modules_have_elsewhere(mended):
    _, life = mended
    rows = harm_rows(life.quality, of(life))
    assert [row.name for row in rows] == [
        "layer2.0 Conv",
        "layer1.0 Conv",
        "layer1.0 Conv #2",
        "node_Conv_4",
    ]
    assert [row.is_excluded for row in rows] == [True, False, False, False]
    assert (rows[0].drop, rows[0].error, rows[0].share) == ("3.2 points", "90.00%", "10.0%")
    assert rows[1].error == "-", "an output that is no number has no error to show"


def test_a_layer_in_float_is_shown_however_far_down_it_ranks(mended):
    _, life = mended
    quantized = of(life)
    last = replace(quantized, layers=quantized.layers[1:] + quantized.layers[:1])
    shown = harm_rows(life.quality, last, 2)
    assert [row.is_excluded for row in shown] == [False, False, True]


def test_what_was_done_is_told_with_before_and_after(mended):
    _, life = mended
    text = mending_text(life.quality, of(life))
    assert text.startswith(
        "the plain int8 graph lost 3.5 points, 1.0 points allowed; with ranges by"
    )
    assert "percentile 99.99, 1 of 21 layers left in float it loses 0.4 points" in text
    assert "8-bit operators 21 to 20, conversions 60 to 58, 94% of the plain graph's speed" in text
    assert "plain 3.6 points" in text
    assert "percentile 99.9 failed (ValueError: no histogram)" in text


def test_a_mending_that_failed_says_why_and_claims_nothing():
    failed = replace(MENDING, failure="time was up", excluded=())
    _, life = life_with(mending=failed)
    text = mending_text(life.quality, of(life))
    assert "could not be mended: time was up" in text
    assert "left in float it loses" not in text


def test_the_page_the_terminal_and_the_document_name_the_worst_layer(mended):
    report, _ = mended
    page = to_html(report)
    assert "Layer that int8 hurts" in page
    assert "layer2.0 Conv" in page
    assert "1 layer were not reached" not in page
    shown = printed(report, 160)
    assert "layers that int8 hurts most: layer2.0 Conv 3.2 points" in " ".join(shown.split())
    assert '"choice": "quantized"' in to_json(report)


def test_how_layers_were_ranked_is_told(mended):
    _, life = mended
    note = layers_note(of(life))
    assert "180 held-out samples; ranked by the metric, ties by the error" in note
    assert "1 layer not reached in time" in note


def test_a_state_within_its_limit_says_nothing_of_layers():
    report, life = life_with()
    assert not layer_lines(life)
    assert "Layer that" not in to_html(report)
