"""How often a sitting is wrong, and how soon it knows: `python tests/speed/pairs.py [--trials N]`, simulated.

Two arms whose true ratio is known take turns by `bench.instruments.sitting.sit`, on a clock that follows a script: each
pair has noise (a normal distribution of logarithms), each process an offset of its own, as two processes of equal code
have (1%, the middle of what the gate's blocks showed). One in twenty turns takes twice as long and is flagged, and one
in fifty takes half as long again and is not. Prints per true ratio: the shares of the verdicts at the end of the
sitting, how often the interval held the true ratio, and the median number of passes.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.instruments.options import SittingArm
from bench.instruments.sitting import sit
from bench.paired_ratio import paired_ratio
from bench.pairs import BUDGETS
from bench.stats import median
from suite.cell import Cell
from suite.worker.job_options import JobOptions

RATIOS = (1.0, 1.02, 1.05, 1.1, 1.2, 1.5, 5.0)
NOISES = (0.02, 0.05)
PROCESS = 0.01
"""Standard deviation of a process's offset from another of equal code."""
PASS = 0.06
"""Seconds of a pass of two arms whose calls are short."""
CELLS = (Cell(model="net", size="base"), Cell(model="net", size="base", backend="onnxruntime"))
ARMS = (
    SittingArm(cell=CELLS[0], options=JobOptions()),
    SittingArm(cell=CELLS[1], options=JobOptions(), over=(0,)),
)


def trial(true: float, noise: float, seed: int) -> tuple[str, bool, int]:
    """Return the verdict, whether the interval held the true ratio, and the number of passes."""
    dice = random.Random(seed)
    offsets = [dice.gauss(0, PROCESS / math.sqrt(2)) for _ in ARMS]
    now = [0]

    def ask(number: int, word: str) -> dict[str, object]:
        if word != "turn":
            return {}
        now[0] += round(PASS / 2 * 1e9)
        seconds = (1.0, 1.0 / true)[number]
        seconds *= math.exp(offsets[number] + dice.gauss(0, noise / math.sqrt(2)))
        is_disturbed, is_missed = dice.random() < 0.05, dice.random() < 0.02
        seconds *= 2.0 if is_disturbed else 1.5 if is_missed else 1.0
        return {
            "seconds": seconds,
            "sentinel": 3e-5,
            "reasons": ["delayed"] if is_disturbed else [],
        }

    budget = BUDGETS["standard"]
    found = sit(
        ask,
        ARMS,
        lambda kind, /, **data: None,
        seconds=budget.seconds,
        precision=budget.precision,
        clock=lambda: now[0],
    )
    ratio = paired_ratio(*found.arms)
    assert ratio is not None
    return ratio.verdict, ratio.low <= true <= ratio.high, len(found.arms[0].seconds)


def table(trials: int) -> str:
    """The results as Markdown."""
    lines = [
        "| true ratio | noise of a pair | faster | slower | too close to tell | too few pairs"
        " | interval holds the truth | passes, median |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for noise in NOISES:
        for true in RATIOS:
            ends = [trial(true, noise, seed) for seed in range(trials)]
            verdicts = Counter(verdict for verdict, _, _ in ends)
            shares = [
                f"{verdicts[name] / trials:.1%}" for name in ("faster", "slower", "same", "few")
            ]
            held = sum(holds for _, holds, _ in ends) / trials
            passes = median([float(num) for _, _, num in ends])
            lines.append(
                f"| {true:g} | {noise:.0%} | {' | '.join(shares)} | {held:.1%} | {passes:g} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=400)
    print(table(parser.parse_args().trials))


if __name__ == "__main__":
    main()
