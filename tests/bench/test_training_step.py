"""Which optimizer steps count as measured."""

from __future__ import annotations

import pytest

from bench.instruments import training
from bench.plan import PLANS
from suite.backends.runnable import Runnable
from suite.results.measuring import RunResult

PLAN = PLANS["standard"]


def subject_of(calls):
    return Runnable(
        call=lambda: calls.append(1),
        outputs=list,
        synchronize=lambda: None,
        setup=RunResult(threads=2),
    )


@pytest.mark.parametrize("second", [20.0, 0.8])
def test_a_step_so_slow_that_no_interval_fits_is_not_made_again(second):
    calls = []
    (step,) = training.steps_of(subject_of(calls), PLAN, lambda kind, **data: None, "cpu", second)
    assert (step.metric, step.samples, calls) == ("training_step", (second,), [])
    assert step.facts.stopped_because == "time_cap"


def test_a_quick_step_is_measured_in_rounds():
    calls = []
    plan = PLANS["quick"]
    (step,) = training.steps_of(subject_of(calls), plan, lambda kind, **data: None, "cpu", 1e-4)
    assert len(step.samples) >= plan.min_rounds
    assert len(calls) > len(step.samples)
    assert step.samples[0] == pytest.approx(0, abs=1e-3)
