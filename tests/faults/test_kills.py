"""SIGKILL of any process of a run at any moment: no finished cell is lost, `--resume` does the rest, nothing stays."""

from __future__ import annotations

import random
import sys

import pytest
from killing import Place, check_finished, finish, kept, kill_at
from mutations import count
from scripted_cells import MODELS, NAME, STEPS

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
        *(("parent", seed) for seed in range(count(3, 70))),
        *(("launcher", seed) for seed in range(count(1, 40))),
        *(("worker", seed) for seed in range(count(1, 40))),
        *(("outputs", seed) for seed in range(count(1, 20))),
    ],
)
def test_a_run_of_which_a_process_is_killed(place_of, role, seed):
    place = place_of(SCRIPTED)
    kill_at(place, role, random.Random(f"{role}{seed}"), len(WANTED))
    before = kept(place)
    finish(place)
    check_finished(place, before, WANTED)
