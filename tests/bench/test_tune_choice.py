"""What is chosen from what was measured, and how that is told."""

from dataclasses import replace

import pytest
from tune_arms import candidate, searched

from bench.output.json_text import to_json
from bench.summary.advice import Limits
from bench.summary.lifecycle import quality_of
from bench.tune.choice import choose
from bench.tune.document import to_document
from bench.tune.markdown import to_markdown
from bench.tune.terminal import render_terminal
from bench.tune.tuned import Tuned
from bench.tune.wording import doubts, speed_head, verdict, why_left_out

EAGER = candidate()
ORT = candidate("onnxruntime", drop=0.1)
INT8 = candidate("onnxruntime", drop=3.0, size=300, variant="int8")
COMPILED = candidate("compiled", drop=0.0)


def labels(rows):
    return [one.candidate.label for one in rows]


def tuned(candidates, found, limits=None, **rest):
    limits = limits or Limits()
    return Tuned(
        model="net", size="tiny", device="cpu", folder="runs/1", machine={"processor": "a CPU"},
        quality=quality_of("image_classification"), candidates=tuple(candidates), found=found,
        choice=choose(candidates, found, limits), **rest,
    )  # fmt: skip


def test_the_fastest_within_the_limits_is_chosen_and_the_faster_one_that_loses_too_much_is_not():
    found = searched([(EAGER, 1.0), (ORT, 0.5), (INT8, 0.2)])
    choice = choose([EAGER, ORT, INT8], found, Limits(max_drop=1.0))
    assert choice.pick.candidate is ORT
    assert choice.pick.ratio.value == pytest.approx(2.0, rel=0.01)
    broken = next(one for one in choice.left_out if one.candidate is INT8)
    assert (broken.kind, broken.limits) == ("limit", ("drop",))
    assert choose([EAGER, ORT, INT8], found, Limits(max_drop=4.0)).pick.candidate is INT8


def test_nothing_slower_than_eager_is_chosen():
    found = searched([(EAGER, 1.0), (ORT, 1.5)])
    choice = choose([EAGER, ORT], found, Limits())
    assert choice.pick.candidate is EAGER
    assert not choice.is_tied_with_eager


def test_eager_is_chosen_if_nothing_is_surely_faster():
    found = searched([(EAGER, 1.0), (ORT, 0.995)])
    choice = choose([EAGER, ORT], found, Limits())
    assert choice.pick.candidate is EAGER
    assert choice.is_tied_with_eager
    assert labels(choice.ties) == [ORT.label]
    assert "nothing is surely faster" in verdict(tuned([EAGER, ORT], found))


def test_what_cannot_be_told_apart_from_the_choice_is_named():
    found = searched([(EAGER, 1.0), (ORT, 0.5), (COMPILED, 0.502)])
    choice = choose([EAGER, ORT, COMPILED], found, Limits())
    assert choice.pick.candidate is ORT
    assert labels(choice.ties) == [COMPILED.label]


def test_the_pareto_front_has_what_is_best_in_latency_quality_or_size():
    found = searched([(EAGER, 1.0), (ORT, 0.5), (INT8, 0.6), (COMPILED, 1.2)])
    choice = choose([EAGER, ORT, INT8, COMPILED], found, Limits())
    assert labels(choice.front) == [ORT.label, INT8.label, EAGER.label]


def test_a_void_figure_is_not_ranked_however_fast_it_looks():
    two = replace(ORT, threads=2)
    found = searched([(EAGER, 1.0), (two, 0.1)])
    arms = [
        replace(arm, turns=replace(arm.turns, void=tuple(range(8)))) if arm.threads == 2 else arm
        for arm in found.arms
    ]
    choice = choose([EAGER, two], replace(found, arms=tuple(arms)), Limits())
    assert choice.pick.candidate is EAGER
    assert [one.kind for one in choice.left_out] == ["void"]
    whole = tuned([EAGER, two], replace(found, arms=tuple(arms)))
    assert "no other speed within the limits is known" in verdict(whole)
    assert "8 of 10 turns were disturbed" in why_left_out(whole.choice.left_out[0], whole)
    assert any("1 other lane within the limits is not known" in doubt for doubt in doubts(whole))


def test_if_eagers_own_figures_are_void_nothing_is_chosen():
    two = replace(EAGER, threads=2)
    found = searched([(two, 1.0), (ORT, 0.1)])
    arms = [
        replace(arm, turns=replace(arm.turns, void=tuple(range(8)))) if arm.threads == 2 else arm
        for arm in found.arms
    ]
    whole = tuned([two, ORT], replace(found, arms=tuple(arms)))
    assert whole.choice.pick is None
    assert "too many turns were disturbed, those of eager among them" in verdict(whole)


def test_impossible_limits_name_the_nearest():
    found = searched([(EAGER, 1.0), (ORT, 0.5), (INT8, 0.2)])
    whole = tuned([EAGER, ORT, INT8], found, Limits(max_seconds=0.1))
    assert whole.choice.pick is None
    text = verdict(whole)
    assert text.startswith(
        "Nothing is within the limits (loses at most 1.0 points, at most 100 ms)."
    )
    assert "The nearest is int8 on ONNX Runtime, 1 thread: 200 ms ±0.8%; loses 3.0 points" in text
    arms = [
        replace(arm, turns=replace(arm.turns, void=tuple(range(8))))
        if ORT.label in arm.label
        else arm
        for arm in found.arms
    ]
    void = replace(found, arms=tuple(arms))
    unknown = verdict(tuned([ORT, INT8], void, Limits(max_drop=0.5)))
    assert unknown.startswith("What to ship is not known: of 1 lane within the limits")
    by_size = tuned([EAGER, ORT], searched([(EAGER, 1.0), (ORT, 0.5)]), Limits(max_bytes=10.0))
    assert "Nothing is within the limits" in verdict(by_size)


def test_what_was_not_timed_says_why():
    missing = candidate("compiled", reason="g++ is not installed; next: apt-get install g++")
    broken = candidate("onnxruntime")
    found = replace(searched([(EAGER, 1.0)]), lost={broken.label: "RuntimeError: no kernel"})
    whole = tuned([EAGER, missing, broken], found)
    told = {one.candidate.cell.backend: why_left_out(one, whole) for one in whole.choice.left_out}
    assert told == {
        "compiled": "unavailable: g++ is not installed; next: apt-get install g++",
        "onnxruntime": "failed: RuntimeError: no kernel",
    }


def test_what_a_search_that_was_stopped_did_not_come_to_has_not_failed():
    whole = tuned([EAGER, ORT], searched([(EAGER, 1.0)]))
    (left,) = whole.choice.left_out
    assert why_left_out(left, whole) == "not timed: the search ended before"


def test_what_left_the_search_says_when_and_how_slow_it_was():
    found = searched([(EAGER, 1.0), (ORT, 0.5), (COMPILED, 0.8)])
    arms = [
        replace(arm, left_because="slower", left_after=1) if "compiled" in arm.label else arm
        for arm in found.arms
    ]
    whole = tuned([EAGER, ORT, COMPILED], replace(found, arms=tuple(arms)))
    slow = next(one for one in whole.choice.left_out if one.candidate is COMPILED)
    assert why_left_out(slow, whole).endswith("the speed of the choice, left after round 1")
    assert why_left_out(slow, whole).startswith("0.62×")


def test_an_arm_that_left_as_slower_is_not_chosen_by_a_lucky_median():
    found = searched([(EAGER, 1.0), (ORT, 0.5), (COMPILED, 0.4)])
    arms = [
        replace(arm, left_because="slower", left_after=1) if "compiled" in arm.label else arm
        for arm in found.arms
    ]
    choice = choose([EAGER, ORT, COMPILED], replace(found, arms=tuple(arms)), Limits())
    assert choice.pick.candidate is ORT


def test_a_graph_without_a_module_is_set_against_its_float_lane():
    own = candidate("onnxruntime", drop=0.0)
    int8 = candidate("onnxruntime", drop=0.5, variant="built_int8")
    missing = candidate(reason="a graph file has no module")
    found = searched([(own, 1.0), (int8, 0.4)])
    choice = choose([missing, own, int8], found, Limits())
    assert choice.reference == own.label
    assert choice.pick.candidate is int8
    assert speed_head(tuned([missing, own, int8], found)) == "× ORT"
    assert speed_head(tuned([EAGER, ORT], searched([(EAGER, 1.0), (ORT, 0.5)]))) == "× eager"


def test_batches_are_ranked_per_sample_and_limited_per_call():
    eight = candidate("onnxruntime", batch=8)
    found = searched([(EAGER, 1.0), (ORT, 0.5), (eight, 2.0)])
    assert choose([EAGER, ORT, eight], found, Limits()).pick.candidate is eight
    assert choose([EAGER, ORT, eight], found, Limits(max_seconds=1.5)).pick.candidate is ORT


def test_chance_in_the_metric_is_a_doubt():
    few = replace(INT8, cost=replace(INT8.cost, num_samples=100, drop=0.5, metric=94.5))
    found = searched([(EAGER, 1.0), (few, 0.2)])
    assert any(
        "moves by 4.5 points by chance" in text for text in doubts(tuned([EAGER, few], found))
    )


def test_of_eager_itself_no_chance_is_doubted():
    few = replace(EAGER, cost=replace(EAGER.cost, num_samples=100))
    assert doubts(tuned([few], searched([(few, 1.0)]))) == []


def test_the_same_answer_stands_in_every_output(capsys):
    from rich.console import Console

    whole = tuned(
        [EAGER, ORT, INT8, candidate("compiled", reason="no compiler")],
        searched([(EAGER, 1.0), (ORT, 0.5), (INT8, 0.2)]),
        bundle="runs/1/bundle", bundle_latency=(0.49, 0.51),
    )  # fmt: skip
    answer = verdict(whole)
    assert answer.startswith("Ship as built on ONNX Runtime, 1 thread: 2.00× (")
    render_terminal(whole, Console(width=140))
    shown = capsys.readouterr().out
    assert answer in " ".join(shown.split())
    assert "python runs/1/bundle/run.py" in shown
    assert "all float32, threads 1, batch 1; ▸ ship" in shown
    assert "500 ms ±0.8%" in shown
    assert "as fast as on Eager, 1 thread" in answer
    text = to_markdown(whole)
    assert "2.00×" in text
    assert "loses 3.0 points" in text
    assert "no compiler" in text
    document = to_document(whole)
    assert document["ship"] == ORT.label
    assert document["verdict"] == answer
    assert len(document["lanes"]) == 4
    assert '"ship": ' in to_json(document)


def test_what_was_broken_off_says_so():
    whole = tuned(
        [EAGER, ORT], searched([(EAGER, 1.0), (ORT, 0.5)]), is_broken_off=True, phase="turns"
    )
    assert any("broken off in turns" in text for text in doubts(whole))
    nothing = tuned([EAGER], searched([]), is_broken_off=True, phase="quality of x")
    assert verdict(nothing) == "Broken off in quality of x, before anything was timed."
