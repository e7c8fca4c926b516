"""Each doubt appears for its reason, not without it, and its advice heeds the plan."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import facts_from

from bench.doubts import DOUBTS, DOUBTS_OF_TURNS, doubts, doubts_of_turns
from bench.plan import PLANS
from suite.record import Measurement
from suite.results.measuring import PairedArm

PLAN = PLANS["standard"]
QUIET = {
    "plan": "standard",
    "stopped_because": "interval",
    "warmup_ended_because": "flat",
    "num_rounds": 40,
    "void_rounds": 0,
    "void_reasons": {},
    "are_voids_kept": False,
    "round_seconds": 0.022,
    "target_round_seconds": 0.02,
    "wait_share": 0.0,
    "throttled_periods": 0,
    "threads": 2,
    "available_cores": 2,
    "quota_cores": None,
    "gpu_throttle": [],
}
STEADY = tuple(0.01 * (1 + 0.001 * (i % 3)) for i in range(40))
RISING = tuple(0.01 * (1 + 0.01 * i) for i in range(40))
WIDE = tuple(0.01 * (1 + 0.9 * (i * 7 % 10) / 10) for i in range(12))


def latency(samples=STEADY, **facts):
    return Measurement(
        metric="latency", unit="s", samples=samples, facts=facts_from(**{**QUIET, **facts})
    )


def codes(measurement, plan=PLAN):
    return [doubt.code for doubt in doubts(measurement, plan)]


def test_a_quiet_measurement_has_no_doubts():
    assert codes(latency()) == []


CASES = {
    "throttled": latency(gpu_throttle=["hardware thermal slowdown"]),
    "quota": latency(throttled_periods=3, quota_cores=1.5),
    "oversubscribed": latency(threads=8),
    "emulated": latency(emulated="bfloat16: this CPU has no AMX or AVX512-BF16"),
    "busy_machine": latency(void_rounds=40, void_reasons={"delayed": 38, "sentinel": 2}),
    "no_steady_state": latency(RISING, warmup_ended_because="cap"),
    "drifting": latency(RISING),
    "wide_interval": latency(WIDE, num_rounds=12),
    "short_rounds": latency(round_seconds=0.001),
    "swapped": Measurement(
        metric="peak_rss_delta", unit="B", samples=(1e6,), facts=facts_from(swap_bytes=4096)
    ),
    "allocator_retried": Measurement(
        metric="cuda_allocated",
        unit="B",
        samples=(1e6,),
        facts=facts_from(num_alloc_retries=2, num_ooms=0),
    ),
}


@pytest.mark.parametrize("code", DOUBTS)
def test_every_doubt_is_found_where_it_is_due_and_says_what_to_do(code):
    found = {doubt.code: doubt for doubt in doubts(CASES[code], PLAN)}
    assert code in found
    assert found[code].summary
    assert found[code].advice
    assert "{" not in found[code].summary + found[code].advice


def turns(*seconds, **facts):
    return PairedArm(cell="net-tiny-eager-cpu-float32-b1", seconds=seconds, **facts)


@pytest.mark.parametrize("factor", [1.7, 1 / 1.7])
def test_rounds_and_turns_that_are_far_apart_show_a_machine_with_two_speeds(factor):
    (found,) = doubts_of_turns(latency(), turns(*(factor * s for s in STEADY)))
    assert (found.code, found.questions, found.is_of_run) == ("two_speeds", "p50", True)
    assert "ratios" in found.advice


def test_turns_that_are_near_or_few_or_disturbed_or_overlap_the_rounds_are_no_doubt():
    slow = [1.7 * s for s in STEADY]
    assert doubts_of_turns(latency(), turns(*(1.1 * s for s in STEADY))) == ()
    assert doubts_of_turns(latency(), turns(*slow[:2])) == ()
    starved = turns(*slow, void=tuple(range(len(slow))), starved=tuple(range(len(slow))))
    assert doubts_of_turns(latency(), starved) == ()
    assert doubts_of_turns(latency(), turns(STEADY[0], 2 * STEADY[0], 2 * STEADY[0])) == ()


def test_every_doubt_is_on_the_page():
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    for code, check in {**DOUBTS, **DOUBTS_OF_TURNS}.items():
        assert f"| `{code}` | {' '.join(check.__doc__.split())} |" in page


def advice(measurement, plan, code):
    return next(d.advice for d in doubts(measurement, plan) if d.code == code)


def test_advice_names_the_next_harder_plan_and_after_the_hardest_another_way():
    wide = CASES["wide_interval"]
    assert "--plan standard" in advice(wide, PLANS["quick"], "wide_interval")
    assert "--plan rigorous" in advice(wide, PLANS["standard"], "wide_interval")
    assert "--plan" not in advice(wide, PLANS["rigorous"], "wide_interval")


@pytest.mark.parametrize("num", [1, 3, 20])
def test_a_percentile_or_an_interval_that_is_not_shown_is_no_reason_to_doubt(num):
    few = latency(STEADY[:num], num_rounds=num, stopped_because="time_cap")
    assert codes(few) == []


def test_a_doubt_names_the_figure_that_it_puts_in_question():
    (wide,) = doubts(CASES["wide_interval"], PLAN)
    assert (wide.questions, wide.is_of_run) == ("p50", False)
    (swapped,) = doubts(CASES["swapped"], PLAN)
    assert swapped.questions == "peak RSS"


def test_what_a_busy_machine_explains_is_not_said_again():
    facts = {"num_rounds": 12, "are_voids_kept": True, "void_rounds": 12}
    assert codes(latency(WIDE, warmup_ended_because="cap", **facts)) == ["busy_machine"]


def test_a_doubt_about_the_machine_is_one_of_the_run():
    of_run = [
        found.code for case in CASES.values() for found in doubts(case, PLAN) if found.is_of_run
    ]
    assert set(of_run) == {"quota", "oversubscribed", "busy_machine"}


def test_a_capped_warm_up_is_forgiven_when_what_was_measured_was_flat():
    assert codes(latency(warmup_ended_because="cap")) == []


def test_a_time_cap_with_a_narrow_interval_is_no_reason_to_doubt():
    assert codes(latency(stopped_because="time_cap")) == []


def test_a_quota_below_the_threads_is_said_before_it_bites():
    (found,) = doubts(latency(threads=2, quota_cores=1.0), PLAN)
    assert found.code == "quota"
    assert "--threads 1" in found.advice


def test_noise_alone_is_not_called_a_drift():
    assert "drifting" not in codes(CASES["wide_interval"])


def test_disturbed_rounds_that_all_count_are_said_with_their_reasons():
    kept = latency(are_voids_kept=True, void_rounds=39, void_reasons={"delayed": 39})
    summary = next(d.summary for d in doubts(kept, PLAN) if d.code == "busy_machine")
    assert "39 of 40 rounds" in summary
    assert "had no core 39x" in summary


def test_a_fact_that_needs_no_rounds_has_no_doubts():
    count = Measurement(metric="parameters", unit="1", samples=(101770.0,))
    assert doubts(count, PLAN) == ()
    assert doubts(Measurement(metric="latency", unit="s", samples=()), PLAN) == ()
