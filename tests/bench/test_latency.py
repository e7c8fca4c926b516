"""The latency instrument on a scripted call, and its cost on an empty one."""

from __future__ import annotations

import gc
import json
import time

import pytest
from scripted import Machine

from bench.doubts import doubts
from bench.instruments import latency
from bench.instruments.garbage import frozen_heap, is_frozen
from bench.instruments.phases import Phases
from bench.instruments.stopwatch import overhead, time_round
from bench.plan import PLANS, Plan
from bench.stats import median
from diagnostics.codec import encode
from suite.backends.runnable import Runnable
from suite.cell import Cell
from suite.record import measurement_from
from suite.results.measuring import RunResult
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

PLAN = PLANS["standard"]


def runnable(call, **facts):
    return Runnable(
        call=call,
        outputs=list,
        synchronize=lambda: None,
        setup=RunResult(num_samples=4, num_tokens=None, **facts),
    )


class Heard:
    def __init__(self):
        self.names = []

    def __call__(self, kind, /, **data):
        assert kind == "phase"
        self.names.append(data["name"])


def test_a_scripted_call_is_reported_as_it_took():
    machine = Machine(tick=50)
    heard = Heard()
    found = latency.measure(
        runnable(machine.call([0.0031]), threads=1), PLAN, heard, clock=machine.clock
    )
    assert [m.metric for m in found] == ["latency"]
    assert median(found[0].samples) == pytest.approx(0.0031, rel=1e-4)
    assert found[0].iterations_per_sample == 8
    assert found[0].facts.threads == 1
    assert found[0].facts.warmup_ended_because == "flat"
    assert found[0].facts.round_seconds >= PLAN.round_seconds
    assert found[0].facts.num_rounds >= len(found[0].samples)
    assert heard.names == ["warmup", "rounds"]


def test_what_is_reported_travels_as_json_and_makes_a_measurement():
    machine = Machine()
    (fields,) = latency.measure(runnable(machine.call([0.03])), PLAN, Heard(), clock=machine.clock)
    again = measurement_from(json.loads(json.dumps(encode(fields))))
    assert again.warmup
    assert again.unit == "s"
    assert isinstance(doubts(again, PLAN), tuple)


def test_a_run_keeps_the_cold_forward_apart_from_the_warm_ones(monkeypatch):
    durations = iter([0.3])

    def call():
        time.sleep(next(durations, 0.002))

    monkeypatch.setattr(latency, "runnable_for", lambda job, emit: build(emit, call))
    heard = Heard()
    cell = Cell(model="m", size="tiny")
    plan = {**PLANS["quick"].as_dict(), "name": "mine"}
    result = latency.run(
        CellJob(runner="", cell=cell, options=JobOptions.from_dict({"plan": plan})), heard
    )
    found = {m.metric: m for m in result.measurements}
    assert set(found) == {"latency", "build", "first_forward"}
    assert found["first_forward"].samples[0] >= 0.3
    assert max(found["latency"].warmup) < 0.3
    assert 0.002 <= median(found["latency"].samples) < 0.1
    assert result.result.num_samples == 4
    assert result.result.plan == "mine"
    assert heard.names[:2] == ["build", "first_forward"]


def build(emit, call):
    emit("phase", name="build")
    return runnable(call, threads=1)


def test_phases_are_handed_on_and_added_up():
    machine = Machine()
    heard = Heard()
    phases = Phases(heard, clock=machine.clock)
    for name, seconds in (("build", 2.0), ("input", 1.0), ("build", 0.5)):
        phases("phase", name=name)
        machine.sleep(seconds)
    phases.close()
    machine.sleep(9)
    assert phases.seconds == {"build": pytest.approx(2.5), "input": pytest.approx(1.0)}
    assert [m.metric for m in phases.measurements()] == ["build"]
    assert heard.names == ["build", "input", "build"]


def test_garbage_is_not_collected_inside_a_round():
    seen = []

    def call():
        seen.append(gc.isenabled())
        time.sleep(0.001)

    plan = Plan.from_dict({**PLANS["quick"].as_dict(), "cap_seconds": 0.05})
    latency.measure(runnable(call), plan, Heard())
    assert seen
    assert not any(seen)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_what_a_launcher_has_frozen_stays_frozen_behind_a_pause():
    gc.freeze()
    try:
        with latency.paused_garbage_collector():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_a_frozen_heap_is_known_without_a_walk_through_it(monkeypatch):
    """Counting half a million frozen objects takes as long as two turns of a gate, in every process."""
    monkeypatch.setattr(
        gc, "get_freeze_count", lambda: pytest.fail("every frozen object was counted")
    )
    assert not is_frozen()
    with frozen_heap():
        assert is_frozen()
        with frozen_heap():
            pass
        assert is_frozen()
    assert not is_frozen()


def test_the_collector_is_left_as_it_was_found_when_a_call_fails():
    with pytest.raises(ValueError, match="broken"), latency.paused_garbage_collector():
        raise ValueError("broken")
    assert gc.isenabled()


def test_an_empty_call_costs_less_than_a_thousandth_of_a_round():
    def nothing() -> None:
        return None

    # The best of many: what the code costs, not what the neighbours do.
    best = min(time_round(nothing, nothing, 1) for _ in range(500))
    assert best < 0.001 * PLAN.round_seconds
    assert overhead(nothing) < 0.001 * PLAN.round_seconds
