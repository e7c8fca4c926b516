"""Which state to ship: the fastest and the smallest within limits, and how sure that is."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from life_runs import write_suite_run

from bench.__main__ import main
from bench.summary.advice import Limits, advice_for, advise
from bench.summary.advice_text import (
    cost_text,
    loss_text,
    next_command,
    size_text,
    speed_text,
    sureness_text,
    verdict,
)
from bench.summary.lifecycle_records import Clock, Life, Quality, Ratio, State, Training
from bench.summary.ship import of_life

ACCURACY = Quality(
    task="image_classification", name="accuracy", unit="%", direction="higher", change_unit="points"
)


def state(name, backend="onnxruntime", *, ratio=2.0, spread=0.1, drop=0.0, size=1000, **rest):
    return State(
        name=name, backend=backend, cell=f"net-{name}", outcome=rest.pop("outcome", "passed"),
        metric=95.0 - drop, drop=drop, num_bytes=size,
        latency=Clock(p50=1e-3 / ratio, low=None, high=None, num_samples=30),
        ratio=Ratio(value=ratio, low=ratio - spread, high=ratio + spread, is_paired=True), **rest,
    )  # fmt: skip


def life(*states, samples=10_000, trained=95.0, quality=ACCURACY):
    return Life(
        id="net-tiny-cpu-float32-b1-life", model="net", size="tiny", device="cpu", dtype="float32",
        batch=1, quality=quality, stages=(), states=states,
        training=Training(trained=trained, num_test_samples=samples),
    )  # fmt: skip


EAGER = state("trained", "eager", ratio=1.0, size=4000)
INT8 = state("int8", ratio=4.0, drop=0.4, size=1000)
PRUNED = state("pruned", ratio=3.0, drop=0.2, size=900)


def test_the_fastest_and_the_smallest_within_the_limit_are_named():
    found = advise(life(EAGER, INT8, PRUNED))
    assert (found.fastest.name, found.smallest.name) == ("int8", "pruned")
    assert not found.refused
    assert not found.rivals
    assert verdict(found) == "Ship int8 on ONNX Runtime for speed, pruned on ONNX Runtime for size."
    assert speed_text(found.fastest) == "4.00× as fast (3.90–4.10×), 250 µs"
    assert size_text(found.fastest, found.reference) == "1.00 kB, 4.00× smaller"
    assert cost_text(found.fastest, ACCURACY) == "loses 0.4 points (now 94.6%)"


def test_what_loses_too_much_is_refused_with_its_reason():
    found = advise(life(EAGER, replace(INT8, drop=1.2), PRUNED))
    assert found.fastest.name == "pruned"
    assert [(r.state.name, r.reasons) for r in found.refused] == [
        ("int8", ("it loses 1.2 points",))
    ]


@pytest.mark.parametrize(
    ("origins", "command"),
    [
        ({}, "pytest suite --models net --size tiny"),
        ({"net": "timm:net"}, "pytest bench --models timm:net --variant original,int8 --size tiny"),
        (
            {"net": "python:/my/net.py:Net"},
            "pytest bench --models /my/net.py:Net --variant original,int8 --size tiny",
        ),
        (
            {"net": "onnx:/my nets/net.onnx"},
            "pytest bench --models '/my nets/net.onnx' --variant original,int8 --size tiny",
        ),
        (
            {"net": "python:HERE/nets/net.py:Net"},
            "pytest bench --models nets/net.py:Net --variant original,int8 --size tiny",
        ),
    ],
)
def test_a_model_that_is_judged_as_built_is_not_sent_through_a_life_that_it_has_not(
    origins, command
):
    unmeasured = replace(INT8, ratio=None)
    here = {name: told.replace("HERE", str(Path.cwd())) for name, told in origins.items()}
    report = SimpleNamespace(
        rows=(), lives=(life(EAGER, unmeasured),), options={"origins": here}, command=""
    )
    assert next_command(report) == command


def test_a_command_to_copy_names_models_and_nothing_else():
    """An ellipsis after the sixth name was taken for a model."""
    rows = [SimpleNamespace(model=f"m{n}", size="tiny") for n in range(9)]
    report = SimpleNamespace(rows=rows, lives=(), options={}, command="")
    named = ",".join(f"m{n}" for n in range(9))
    assert next_command(report) == f"pytest suite --models {named} --size tiny"


def test_the_life_of_a_model_of_the_users_own_is_asked_for_with_its_file():
    unmeasured = replace(INT8, ratio=None)
    report = SimpleNamespace(
        rows=(),
        lives=(life(EAGER, unmeasured),),
        options={"models_from": "/my/nets.py"},
        command="",
    )
    assert next_command(report) == "pytest suite --models-from /my/nets.py --models net --size tiny"


@pytest.mark.parametrize(
    ("typed", "again"),
    [
        ("pytest bench --data '/my data' --seed=3 -k latency", " --data '/my data' --seed 3"),
        ("pytest bench --weights pretrained --size base", " --weights pretrained"),
        ("pytest bench --data", ""),
        ("pytest bench 'cut", ""),
    ],
)
def test_a_command_to_copy_is_of_the_same_samples_and_weights(typed, again):
    unmeasured = replace(INT8, ratio=None)
    report = SimpleNamespace(rows=(), lives=(life(EAGER, unmeasured),), options={}, command=typed)
    assert next_command(report) == f"pytest suite --models net --size tiny{again}"


def test_a_state_whose_stage_failed_is_never_shipped():
    found = advise(life(EAGER, replace(INT8, outcome="failed")))
    assert found.fastest.name == "trained"
    assert found.refused[0].reasons == ("its stage failed",)


def test_masks_and_the_untrained_model_are_no_candidates():
    masked = state("masked", "eager", ratio=9.0)
    original = state("original", "eager", ratio=9.0)
    assert advise(life(original, EAGER, masked)).fastest.name == "trained"


def test_sizes_and_times_limit_too():
    found = advise(life(EAGER, INT8, PRUNED), Limits(max_bytes=950))
    assert (found.fastest.name, found.smallest.name) == ("pruned", "pruned")
    assert "fastest and the smallest" in verdict(found)
    found = advise(life(EAGER, INT8, PRUNED), Limits(max_seconds=0.3e-3))
    assert found.fastest.name == "int8"


def test_it_is_said_when_none_qualifies():
    found = advise(life(EAGER, INT8), Limits(max_bytes=10))
    assert found.fastest is None
    assert found.smallest is None
    assert verdict(found) == "No state qualifies."
    assert len(found.refused) == 2


def test_states_whose_intervals_meet_are_called_about_as_fast():
    found = advise(life(EAGER, INT8, state("trained", ratio=3.85, spread=0.1)))
    assert [s.name for s in found.rivals] == ["trained"]


def test_the_only_state_with_a_known_speed_is_no_answer():
    few = Ratio(value=4.0, low=None, high=None, is_paired=True)
    itself = replace(EAGER, ratio=Ratio(value=1.0, low=1.0, high=1.0, is_paired=True))
    found = advise(life(itself, replace(INT8, ratio=few), replace(PRUNED, ratio=None)))
    assert of_life("", "net", found).text == (
        "not known: the speed of 2 other states was not found out, too few pairs of turns"
    )
    assert verdict(found).startswith("What to ship is not known: the speed of 2 other states")
    lossy = replace(INT8, ratio=few, drop=3.0)
    assert sureness_text(advise(life(itself, lossy))).startswith("sure")


def test_few_test_samples_make_the_answer_unsure():
    assert not advise(life(EAGER, INT8)).doubts
    (doubt,) = advise(life(EAGER, INT8, samples=256)).doubts
    assert "on 256 test samples the metric moves by 2.7 points by chance" in doubt
    perfect = advise(life(EAGER, INT8, samples=50, trained=100.0))
    assert perfect.chance == pytest.approx(2.0)


def test_of_another_metric_it_is_said_that_chance_is_not_known():
    perplexity = Quality(
        task="language_modeling", name="perplexity", unit="1", direction="lower", change_unit="%"
    )
    (doubt,) = advise(life(EAGER, INT8, quality=perplexity)).doubts
    assert "not known for this metric" in doubt


def test_a_life_without_qualities_gets_no_advice():
    assert not advice_for([life(replace(EAGER, drop=None))])


def test_the_command_says_so_when_nothing_is_known(tmp_path, capsys):
    assert main(["advise", "bert", "--runs-dir", str(tmp_path)]) == 2
    assert "Next: pytest suite --models bert" in capsys.readouterr().err


def test_a_size_that_is_none_is_told(capsys):
    with pytest.raises(SystemExit):
        main(["advise", "bert", "--max-size", "fifty"])
    assert "expected a size such as 50MB" in capsys.readouterr().err


def test_stored_runs_are_asked_newest_first(tmp_path, capsys):
    write_suite_run(tmp_path / "20260101-000000-aaaa")
    write_suite_run(tmp_path / "20260202-000000-bbbb")
    code = main(["advise", "cnn", "--runs-dir", str(tmp_path), "--max-drop", "100"])
    text = capsys.readouterr().out
    assert code == 0
    assert "from run 20260202-000000-bbbb" in text
    assert "Ship " in text
    assert main(["advise", "cnn", "--runs-dir", str(tmp_path), "--max-size", "1B"]) == 1
    assert "No state qualifies." in capsys.readouterr().out
    assert main(["advise", "cmn", "--runs-dir", str(tmp_path)]) == 2
    assert "did you mean cnn" in capsys.readouterr().err


def test_a_metric_that_is_no_share_is_named_and_the_reference_is_not_compared_with_itself():
    perplexity = Quality(
        task="language_modeling", name="perplexity", unit="1", direction="lower", change_unit="%"
    )
    assert loss_text(replace(EAGER, metric=115.0), perplexity) == "none (now perplexity 115)"
    assert cost_text(EAGER, ACCURACY) == "no loss (95.0%)"
    assert size_text(EAGER, EAGER) == "4.00 kB"
