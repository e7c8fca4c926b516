"""SIGKILL of any process of a run at any moment: no finished cell is lost, `--resume` does the rest, nothing stays."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import sys
import time

import pytest
from killing import Place, check_finished, end, finish, kept, kill_at, wait_until_gone
from mutations import count
from report_runs import MODELS as MADE_UP
from report_runs import write_run
from scripted_cells import MODELS, NAME, STEPS

from bench.netron.devtools import has_browser

HAS_BROWSER = int(has_browser())

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

BENCH = ("pytest", "bench", "--size", "tiny", "--plan", "quick", "-q", "-p", "no:cacheprovider")
SCRIPTED = (*BENCH, "-p", NAME, "--backend", "eager", "--models", MODELS, "-k", "size or latency")
WANTED = {
    f"{model}-tiny-eager-cpu-float32-b1/{step}" for model in MODELS.split(",") for step in STEPS
}


@pytest.fixture
def place_of(tmp_path):
    places = []

    def make(arguments):
        places.append(Place(tmp_path, arguments))
        return places[-1]

    yield make
    for place in places:
        place.remove()


@pytest.mark.parametrize(
    "role, seed",
    [
        *(("parent", seed) for seed in range(count(3, 65))),
        *(("launcher", seed) for seed in range(count(1, 35))),
        *(("worker", seed) for seed in range(count(1, 35))),
        *(("outputs", seed) for seed in range(count(1, 20))),
    ],
)
def test_a_run_of_which_a_process_is_killed(place_of, role, seed, record_property):
    place = place_of(SCRIPTED)
    killed = kill_at(place, role, random.Random(f"{role}{seed}"), len(WANTED))
    record_property("killed", killed)
    before = kept(place)
    finish(place)
    check_finished(place, before, WANTED)


# With torch: what is measured, exported, drawn and trained is real, and so are the processes that do it.

MEASURED = (*BENCH, "--models", "mlp", "-k", "size or latency or export")
MEASURED_KEYS = {
    *(f"mlp-tiny-eager-cpu-float32-b1/{step}" for step in ("size", "latency")),
    *(f"mlp-tiny-onnxruntime-cpu-float32-b1/{step}" for step in ("export", "latency")),
}
LIFE = (
    *("pytest", "suite", "--models", "mlp", "--stages", "build,train", "-q"),
    *("-p", "no:cacheprovider"),
)
LIFE_KEYS = {
    "mlp-tiny-eager-cpu-float32-b1/build",
    "mlp-tiny-eager-cpu-float32-b1-trained/train",
    "mlp-tiny-onnxruntime-cpu-float32-b1-trained/export",
}


@pytest.mark.parametrize(
    "role, seed",
    [
        *(("browser", seed) for seed in range(count(HAS_BROWSER, 4 * HAS_BROWSER))),
        *(("parent", seed) for seed in range(count(0, 4))),
        *(("worker", seed) for seed in range(count(0, 4))),
    ],
)
def test_a_real_run_of_which_a_process_is_killed(place_of, role, seed, record_property):
    place = place_of(MEASURED)
    killed = kill_at(place, role, random.Random(f"real {role}{seed}"), len(MEASURED_KEYS))
    record_property("killed", killed)
    before = kept(place)
    finish(place)
    check_finished(place, before, MEASURED_KEYS)


@pytest.mark.parametrize(
    "role, seed", [(role, seed) for role in ("parent", "worker") for seed in range(count(0, 3))]
)
def test_a_life_of_which_a_process_is_killed(place_of, role, seed, record_property):
    place = place_of(LIFE)
    killed = kill_at(place, role, random.Random(f"life {role}{seed}"), len(LIFE_KEYS) - 1)
    record_property("killed", killed)
    before = kept(place)
    finish(place)
    after = kept(place)
    assert set(after) == LIFE_KEYS
    assert {key: after[key] for key in before} == before
    assert not place.processes()
    assert place.temporaries() == []


@pytest.mark.parametrize("seed", range(count(0, 2)))
def test_a_gate_that_is_killed_leaves_no_checkout_once_the_next_one_has_run(
    place_of, seed, record_property
):
    place = place_of(
        (*BENCH, "--models", "mlp", "--backend", "eager", "--against", "HEAD", "--anyway")
    )
    draw = random.Random(seed)
    started = place.start()
    until = time.monotonic() + 200
    while started.poll() is None and not any(place.scratch.glob("vitals-base-*")):
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(draw.uniform(0, 6))
    started.kill()
    end(started, place)
    record_property("killed", "parent of a gate")
    wait_until_gone(place)
    assert end(place.start(), place) in (0, 3), (place.out / "said").read_text()[-2000:]
    assert not place.processes()
    assert place.temporaries() == []


# Commands over a run that is there


@pytest.fixture(scope="module")
def measured_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept") / "runs" / "20261123-180411-abcd"
    write_run(folder, models=MADE_UP[:6])
    return folder


@pytest.mark.parametrize(
    "what, seed",
    [(what, seed) for what in ("report", "history") for seed in range(count(1, 12))],
)
def test_a_command_that_is_killed_and_given_again(
    measured_run, place_of, what, seed, record_property
):
    draw = random.Random(f"{what}{seed}")
    place = place_of(())
    page, store = place.out / "page.html", place.out / "history.db"
    place.arguments = {
        "report": ("bench", "report", str(measured_run), "--format", "html", "--out", str(page)),
        "history": ("bench", "history", "record", str(measured_run), "--store", str(store)),
    }[what]
    started = place.start(without_out=True)
    until = time.monotonic() + draw.uniform(0.2, 3.0)
    while started.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    started.kill()
    end(started, place)
    record_property("killed", what)
    assert end(place.start(without_out=True), place) == 0, (place.out / "said").read_text()
    if what == "report":
        assert page.read_text().rstrip().endswith("</html>")
    else:
        with contextlib.closing(sqlite3.connect(store)) as history:
            assert history.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert history.execute("SELECT count(*) FROM vitals_runs").fetchone() == (1,)
            assert history.execute("SELECT count(*) FROM vitals_records").fetchone()[0] > 10
    assert place.temporaries() == []
