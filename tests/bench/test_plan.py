"""Plans are valid, ordered, and travel as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.options import hide_benchmark_table
from bench.plan import PLANS, Plan, next_harder_plan
from bench.stats import samples_needed


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_plan_survives_the_way_to_the_worker(plan):
    assert Plan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_plan_has_rounds_enough_for_an_interval(plan):
    assert plan.min_rounds >= samples_needed(0.5)


@pytest.mark.parametrize("name", ["standard", "rigorous"])
def test_a_plan_that_wants_a_percentile_has_the_time_for_its_rounds(name):
    plan = PLANS[name]
    assert samples_needed(plan.tail) * plan.round_seconds <= plan.cap_seconds


def test_a_standard_cell_is_measured_within_a_second_and_a_half():
    plan = PLANS["standard"]
    assert plan.warmup_seconds + plan.cap_seconds <= 1.5
    assert plan.target_interval == 0.03


def test_a_harder_plan_takes_longer():
    plans = list(PLANS.values())
    for easy, hard in pairwise(plans):
        assert next_harder_plan(easy.name) == hard.name
        assert easy.cap_seconds < hard.cap_seconds
        assert easy.warmup_seconds < hard.warmup_seconds
    assert next_harder_plan("rigorous") is None
    assert next_harder_plan("my own") is None


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match="speed"):
        Plan.from_dict({**PLANS["quick"].as_dict(), "speed": 9})


def test_a_missing_field_is_named():
    data = PLANS["quick"].as_dict()
    del data["cap_seconds"]
    with pytest.raises(ValueError, match="cap_seconds"):
        Plan.from_dict(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [("cap_seconds", 0), ("round_seconds", -1), ("min_rounds", 0), ("tail", 0.3), ("tail", 1.0)],
)
def test_a_plan_that_cannot_work_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        replace(PLANS["standard"], **{field: value})


def test_the_page_has_every_plan_with_its_figures():
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if "| up to " in line}
    assert list(rows) == list(PLANS)
    for name, plan in PLANS.items():
        warmup, rounds, interval, tail = rows[name].split("|")[3:7]
        assert warmup.strip() == f"up to {plan.warmup_seconds:g} s"
        assert rounds.strip() == f"up to {plan.cap_seconds:g} s"
        assert interval.strip() == f"±{100 * plan.target_interval:g}%"
        assert tail.strip() == (f"p{100 * plan.tail:g}" if plan.tail else "")


@pytest.mark.parametrize(
    ("given", "is_quiet"),
    [({}, True), ({"benchmark_table": True}, False), ({"benchmark_compare": "0001"}, False)],
)
def test_pytest_benchmarks_table_is_shown_on_request(given, is_quiet):
    option = SimpleNamespace(benchmark_quiet=False, **given)
    hide_benchmark_table(option)
    assert option.benchmark_quiet is is_quiet
