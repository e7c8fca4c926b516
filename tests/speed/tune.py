"""Whether the chooser chooses well, and what it saves: against an exhaustive run of the same lanes.

    python tests/speed/tune.py simulated [--trials N]      the search on scripted arms whose true speeds are known
    python tests/speed/tune.py real --models mlp,cnn       real lanes: the search, all lanes at full length, and the
                                                           choice again beside eager

Goals: 0 choices slower than eager when measured again, 95% within the interval of the exhaustive run's best, in a third
of its time. In the simulation a turn has noise (a normal distribution of logarithms), each process an offset of its own
(1%), one in twenty turns takes twice as long and is flagged, and one in fifty half as long again and is not. Of the
lanes a third are within 5% of the best.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.halving import ratio_of
from bench.instruments.options import SearchArm, SearchOptions
from bench.instruments.results import SearchResult
from bench.instruments.search import search
from bench.summary.advice import Limits
from bench.tune.choice import Choice, choose
from bench.tune.command import configure, opened
from bench.tune.lanes import Candidate, Cost
from bench.tune.measure import Measured, judge, time_in_turns
from suite.cell import Cell
from suite.worker.job_options import JobOptions

PASSES = 32
"""Passes of the exhaustive run."""
PROCESS = 0.01
"""Standard deviation of a process's offset from another of equal code."""
TURN = 0.05
"""Seconds of a turn of a short call, with waiting."""
BACKENDS = ("eager", "compiled", "onnxruntime", "openvino")


@dataclass(frozen=True)
class Outcome:
    """What one model showed."""

    is_slower: bool
    """Whether the choice, measured again, was slower than eager."""
    is_best: bool
    """Whether the choice is within the interval of the exhaustive run's best."""
    share: float
    """Time of the search over that of the exhaustive run."""


def lanes_at_random(dice: random.Random, num: int) -> list[tuple[Candidate, float]]:
    """Return candidates with their true seconds: eager takes 1, the others 0.2 to 3, a third of them near the best."""
    best = math.exp(dice.uniform(math.log(0.2), math.log(1.3)))
    found = []
    for place in range(num):
        cell = Cell(model="net", size="base", backend=BACKENDS[min(place, 1 + place % 3)])
        near = best * dice.uniform(1.0, 1.05) if place % 3 == 1 else best * dice.uniform(1.0, 4.0)
        one = Candidate(cell=cell, threads=1 + place, cost=Cost(drop=0.0), num_bytes=1)
        found.append((replace(one, threads=place + 1), 1.0 if place == 0 else near))
    return found


def simulated(
    lanes: Sequence[tuple[Candidate, float]], dice: random.Random, noise: float, *, halves: bool
) -> tuple[SearchResult, float]:
    """Return what a search over scripted arms found, and the seconds that it took."""
    offsets = [dice.gauss(0, PROCESS / math.sqrt(2)) for _ in lanes]
    now = [0]

    def ask(number: int, word: str) -> dict[str, object]:
        if word != "turn":
            return {}
        seconds = lanes[number][1] * 1e-3 * math.exp(offsets[number] + dice.gauss(0, noise))
        is_disturbed, is_missed = dice.random() < 0.05, dice.random() < 0.02
        seconds *= 2.0 if is_disturbed else 1.5 if is_missed else 1.0
        now[0] += round(TURN * 1e9)
        reasons = ["delayed"] if is_disturbed else []
        return {"seconds": seconds, "sentinel": 3e-5, "reasons": reasons}

    arms = tuple(
        SearchArm(
            label=one.label, cell=one.cell, options=JobOptions(threads=1), is_anchor=one.is_eager
        )
        for one, _ in lanes
    )
    asked = SearchOptions(arms=arms, seconds=60.0, halves=halves, passes=0 if halves else PASSES)
    found = search(
        asked,
        ask,
        lambda n: None,
        lambda n: True,
        lambda kind, /, **data: None,
        clock=lambda: now[0],
    )
    return found, now[0] / 1e9


def judged(choice: Choice, everything: SearchResult, candidates: Sequence[Candidate]) -> bool:
    """Return whether the choice is within the interval of the exhaustive run's best."""
    best = choose(candidates, everything, Limits()).pick
    arms = {arm.label: arm for arm in everything.arms}
    if best is None or choice.pick is None:
        return False
    ratio = ratio_of(arms[best.candidate.label], arms[choice.pick.candidate.label])
    return best.candidate == choice.pick.candidate or (ratio is not None and ratio.high >= 1)


def trial(seed: int, noise: float, num: int) -> Outcome:
    """Return the outcome of one simulated model with `num` lanes."""
    dice = random.Random(seed)
    lanes = lanes_at_random(dice, num)
    candidates = [one for one, _ in lanes]
    found, seconds = simulated(lanes, dice, noise, halves=True)
    everything, longest = simulated(lanes, dice, noise, halves=False)
    choice = choose(candidates, found, Limits())
    true = dict(zip((one.label for one in candidates), (t for _, t in lanes), strict=True))
    is_slower = choice.pick is not None and true[choice.pick.candidate.label] > 1.0
    return Outcome(is_slower, judged(choice, everything, candidates), seconds / longest)


def simulate(trials: int) -> None:
    """Print a row per noise and number of lanes."""
    print(
        "| noise of a turn | lanes | slower than eager | within the best's interval | time of the exhaustive run |"
    )
    print("|---|---|---|---|---|")
    for noise in (0.01, 0.03, 0.1):
        for num in (4, 8, 16):
            found = [trial(seed, noise, num) for seed in range(trials)]
            slower, best = (sum(one.is_slower for one in found), sum(one.is_best for one in found))
            share = sum(one.share for one in found) / trials
            print(
                f"| {noise:.0%} | {num} | {slower} of {trials} | {best / trials:.1%} | {share:.2f} |"
            )


def real(options: Sequence[str], models: Sequence[str]) -> None:
    """Print a row per model of real lanes."""
    print(
        "| model | lanes | choice | against the exhaustive best | again beside eager | time | void turns |"
    )
    print("|---|---|---|---|---|---|---|")
    for model in models:
        parser = argparse.ArgumentParser()
        configure(parser)
        asked = opened(parser.parse_args([model, *options]), [])
        session, quiet = asked.run.session, lambda text: None
        try:
            measured = Measured()
            judge(session, asked.spec, asked.lanes, asked.threads, measured, quiet)
            clock = time.monotonic()
            time_in_turns(session, Limits(max_drop=1e9), measured, quiet)
            first, measured.found = measured.found, SearchResult()
            searched, clock = time.monotonic() - clock, time.monotonic()
            time_in_turns(
                session, Limits(max_drop=1e9), measured, quiet, halves=False, passes=PASSES
            )
            everything, exhaustive = measured.found, time.monotonic() - clock
            choice = choose(measured.candidates, first, Limits(max_drop=1e9))
            void = sum(len(arm.turns.void) for arm in first.arms)
            turns = sum(len(arm.turns.seconds) for arm in first.arms)
            if choice.pick is None:
                print(f"| {model} | {len(first.arms)} | none | | | | {void} of {turns} |")
                continue
            is_best = judged(choice, everything, measured.candidates)
            arms = {arm.label: arm for arm in everything.arms}
            again = ratio_of(arms[choice.reference], arms[choice.pick.candidate.label])
            told = f"{again.value:.2f} ({again.low:.2f}-{again.high:.2f})" if again else "not known"
            print(
                f"| {model} | {len(first.arms)} | {choice.pick.candidate.label} | {'within' if is_best else 'outside'}"
                f" | {told} | {searched:.0f} of {exhaustive:.0f} s; turns {first.turn_seconds:.0f} of"
                f" {everything.turn_seconds:.0f} s | {void} of {turns} |",
                flush=True,
            )
        finally:
            asked.run.close()


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("simulated", "real"))
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--models", default="mlp,cnn")
    asked, rest = parser.parse_known_args()
    if asked.what == "simulated":
        simulate(asked.trials)
    else:
        real(rest or ["--size", "tiny", "--variant", "original"], asked.models.split(","))


if __name__ == "__main__":
    main()
