"""The table of lives: what counts as red, and what a step behind a red one counts as."""

from lives_over_seeds import row_of, table


def row(model, outcome, seed=0, **more):
    return {
        "model": model,
        "seed": seed,
        "data": False,
        "instructions": "native",
        "step": "train trained",
        "outcome": outcome,
        "why": "",
        **more,
    }


def test_a_step_that_was_not_tried_is_neither_green_nor_red():
    rows = [row("mlp", "passed")] * 3 + [row("cnn", "failed", why="too few"), row("cnn", "not_run")]
    lines = list(table([*rows, row("cnn", "unsupported")]))
    assert "| native | embedded | 0 | 2 | 3 | 1 | 1 | 1 |" in lines
    assert "\n3 of 4 steps green: 75.00% (goal 99.5%)." in lines
    assert lines[-1] == "- cnn, seed 0, native, train trained: too few"


def test_a_row_names_the_claims_that_did_not_hold():
    claims = [
        {"name": "the loss falls", "holds": True, "evidence": "2 to 1"},
        {"name": "better than trivial", "holds": False, "evidence": "+0.2"},
    ]
    record = {
        "step": "train",
        "outcome": "failed",
        "cell": {"variant": "trained"},
        "result": {"claims": claims},
        "failure": {"message": "a claim does not hold"},
    }
    found = row_of(record)
    assert found["step"] == "train trained"
    assert found["why"] == "better than trivial: +0.2"
    assert row_of({**record, "result": None})["why"] == "a claim does not hold"
    long = {"message": f"g++ {'-O3 ' * 900}error: no such kernel"}
    why = row_of({**record, "result": None, "failure": long})["why"]
    assert why.startswith("g++ -O3")
    assert why.endswith("error: no such kernel")
