"""Where marks of the drawings of a life lie: ticks, curves, fronts, labels."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from life_runs import LIVES, life_records

from bench.charts.axis import axis_of
from bench.charts.curve import curve_plot
from bench.charts.scatter import LETTER, LINE, WIDTH, places_for, states_plot
from bench.summary.build import build_report
from bench.summary.lifecycle_records import Curve, Training
from bench.summary.variants import pareto_frontier
from suite.runs.load import Run

FINITE = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False).filter(
    lambda value: value == 0 or abs(value) > 1e-6
)
POSITIVE = st.floats(min_value=1e-7, max_value=1e5)


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_a_linear_axis_holds_every_value_between_its_ticks_and_ends(values: list[float]) -> None:
    axis = axis_of(values)
    assert axis is not None
    assert all(0 <= axis.place(value) <= 100 for value in values)
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks())
    assert 1 <= len(axis.ticks()) <= 7


@given(st.lists(POSITIVE, min_size=1, max_size=20))
def test_a_logarithmic_axis_keeps_the_order_of_its_values(values: list[float]) -> None:
    axis = axis_of(values, is_log=True)
    assert axis is not None
    places = [axis.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert places[0] > 0
    assert places[-1] < 100
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks())


def test_an_axis_of_nothing_is_none() -> None:
    assert axis_of([]) is None
    assert axis_of([math.nan, math.inf]) is None
    assert axis_of([-1.0, 0.0], is_log=True) is None


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=15))
def test_the_front_is_never_empty_and_never_beaten(points: list[tuple[float, float]]) -> None:
    best = [point for point, is_on in zip(points, pareto_frontier(points), strict=True) if is_on]
    assert best
    for point in points:
        assert any(b[0] >= point[0] and b[1] >= point[1] for b in best)
    for point in best:
        assert not any(p[0] > point[0] and p[1] > point[1] for p in points)


def test_points_that_are_alike_are_on_the_front_together() -> None:
    assert pareto_frontier([(1.0, 1.0), (1.0, 1.0), (0.5, 1.0)]) == (True, True, False)


def test_a_broken_curve_is_drawn_in_pieces() -> None:
    curve = Curve(steps=(1.0, 2.0, 3.0, 4.0), losses=(2.0, math.nan, 1.0, 0.5), num_steps=4)
    plot = curve_plot(curve)
    assert plot is not None
    assert plot.raw.count("M") == 2
    assert "nan" not in plot.raw


def test_a_curve_of_nothing_but_nan_is_not_drawn() -> None:
    assert curve_plot(Curve(steps=(1.0,), losses=(math.nan,), num_steps=1)) is None
    assert curve_plot(None) is None


@pytest.mark.parametrize("losses", [(1.0,), (1.0, 1.0), (0.0, -3.0), (1e-9, 1e9), (5.0, 5e-4)])
def test_curves_of_any_range_stay_inside_their_box(losses: tuple[float, ...]) -> None:
    steps = tuple(float(i + 1) for i in range(len(losses)))
    training = Training(validation=((1.0, losses[0]), (9.0, losses[-1])))
    plot = curve_plot(Curve(steps=steps, losses=losses, num_steps=len(losses)), training)
    assert plot is not None
    numbers = [float(n) for n in re.findall(r"-?\d+", plot.raw)]
    assert all(0 <= number <= 1000 for number in numbers)
    assert all(0 <= left <= 100 and 0 <= top <= 100 for left, top, _ in plot.validation)


def test_a_loss_over_many_magnitudes_has_a_logarithmic_axis() -> None:
    curve = Curve(steps=(1.0, 2.0), losses=(8.0, 0.01), num_steps=2)
    assert curve_plot(curve).is_log
    assert not curve_plot(Curve(steps=(1.0, 2.0), losses=(2.0, 0.5), num_steps=2)).is_log


def drawn(name: str):
    row = next(row for row in LIVES if row[0] == name)
    records = tuple(life_records(row, bad={}))
    (life,) = build_report(Run(folder=Path("made-up"), records=records)).lives
    return states_plot(life)


def test_faster_is_to_the_left_and_better_is_to_the_top_whatever_the_metric() -> None:
    for name in ("resnet18", "gpt2"):
        points = {(p.state.name, p.state.backend): p for p in drawn(name).points}
        trained, int8 = points["trained", "eager"], points["int8", "onnxruntime"]
        assert int8.left < trained.left
        assert int8.top > trained.top


def test_the_drawing_says_in_words_what_it_shows() -> None:
    plot = drawn("resnet18")
    assert "pruned + int8, ONNX Runtime" in plot.summary
    assert "accuracy 98.8%" in plot.summary
    assert any(is_on for is_on in (p.state.is_best for p in plot.points))


def test_the_steps_of_the_front_join_its_points() -> None:
    plot = drawn("resnet18")
    best = sorted(p.left for p in plot.points if p.state.is_best)
    assert len(plot.front) == 2 * (len(best) - 1)
    assert plot.front[0][0] == best[0]
    assert plot.front[-1][2] == best[-1]


SPOT = st.tuples(st.floats(0, 100), st.floats(0, 260))


@given(st.lists(SPOT, min_size=1, max_size=6), st.lists(st.booleans(), min_size=6, max_size=6))
def test_labels_of_a_few_points_do_not_cover_each_other(
    points: list[tuple[float, float]], joined: list[bool]
) -> None:
    labels = ["trained", "int8", "pruned", "masks", "pt2e", "lora"][: len(points)]
    places = places_for(points, labels, 260.0, joined)
    boxes = []
    for (left, top), label, place in zip(points, labels, places, strict=True):
        width = LETTER * len(label)
        start = left * WIDTH / 100 + place.x - (width if place.is_left else 0)
        middle = top + place.y
        boxes.append((start, middle - LINE / 2, start + width, middle + LINE / 2))
        assert -2 * LINE <= middle <= 260 + 2 * LINE
    clashes = sum(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] - 1e-6 and b[1] + 1e-6 < a[3]
        for i, a in enumerate(boxes)
        for b in boxes[:i]
    )
    # Points on one spot may leave no room: then labels do what they can.
    crowded = any(
        abs(a[0] - b[0]) < 30 and abs(a[1] - b[1]) < 60
        for i, a in enumerate(points)
        for b in points[:i]
    )
    assert clashes == 0 or crowded
