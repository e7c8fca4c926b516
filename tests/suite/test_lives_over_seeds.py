"""The table of lives: what counts as red, and what a step behind a red one counts as."""

import json

import pytest

pytestmark = pytest.mark.heavy


def record(outcome, step="train", model="mlp", **more):
    return {
        "step": step,
        "outcome": outcome,
        "cell": {"model": model, "variant": "trained", "backend": "eager"},
        "result": None,
        "failure": None,
        "seconds": 1.0,
        **more,
    }


def life(*records, model="mlp"):
    from lives_over_seeds import life_of

    about = {"model": model, "seed": 0, "data": False, "instructions": "AVX2"}
    return {**about, **life_of(records)}


def test_a_step_that_was_not_tried_is_neither_green_nor_red():
    from lives_over_seeds import table

    few = record("failed", failure={"message": "too few"})
    rows = [
        life(*[record("passed")] * 3),
        life(few, record("not_run"), record("unsupported"), model="cnn"),
    ]
    lines = list(table(rows))
    assert "| AVX2 | embedded | 0 | 2 | 3 | 1 | 1 | 1 |" in lines
    assert "\n3 of 4 steps green: 75.00% (goal 99.5%)." in lines
    assert lines[-1] == "- cnn, seed 0, AVX2, train trained eager: too few"


def test_a_row_names_the_claims_that_did_not_hold():
    claims = [
        {"name": "the loss falls", "holds": True, "evidence": "2 to 1"},
        {"name": "better than trivial", "holds": False, "evidence": "+0.2"},
    ]
    failure = {"message": "a claim does not hold"}
    (red,) = life(record("failed", result={"claims": claims}, failure=failure))["red"]
    assert red == {"step": "train trained eager", "why": "better than trivial: +0.2"}
    (red,) = life(record("failed", failure=failure))["red"]
    assert red["why"] == "a claim does not hold"
    long = {"message": f"g++ {'-O3 ' * 900}error: no such kernel"}
    (red,) = life(record("crashed", failure=long))["red"]
    assert red["why"].startswith("g++ -O3")
    assert red["why"].endswith("error: no such kernel")


def test_of_a_run_that_was_stopped_the_lives_that_were_over_are_taken(tmp_path):
    from lives_over_seeds import lives_in

    made = [record("passed"), record("passed", "prune"), record("passed", model="cnn")]
    planned = [*made, record("", "prune", model="cnn")]
    (tmp_path / "run.json").write_text(json.dumps({"planned": planned}))
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(one) + "\n" for one in made))
    assert lives_in(tmp_path) == {"mlp": made[:2]}
