"""What a longer block of a gate is worth: `python tests/speed/block_length.py [--models '*'] [--rounds 5]`.

Blocks of equal arms, of the length that a plan has and of those that are named (`--also 8:60`: turns,
milliseconds of the warm-up), are taken in turns row by row at whatever load there is. Prints per length the
seconds of a block, the spread of a row's effects (median and mean over the rows), and how many screens of five blocks
are flagged: that much a shorter one costs in blocks that confirm.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean, median, stdev

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from equal_arms import equal_arms, tiny_cells  # noqa: E402

from bench.gate.budget import BUDGETS, BlockLength  # noqa: E402
from bench.gate.pairing import run_block  # noqa: E402
from bench.gate.thresholds import Thresholds  # noqa: E402
from bench.gate.verdict import is_flagged, summarize_effects  # noqa: E402
from tests.machine import machine  # noqa: E402


def length_of(text, seconds):
    """Return the block that `turns:milliseconds of the warm-up` names."""
    turns, warmup = text.split(":")
    return BlockLength(
        num_turns=int(turns),
        seconds=seconds,
        warmup_seconds=float(warmup) / 1000,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="*")
    parser.add_argument("--plan", default="quick", choices=BUDGETS)
    parser.add_argument("--rounds", type=int, default=5, help="blocks of each length per row")
    parser.add_argument("--also", nargs="*", default=(), metavar="N:MS", help="more lengths")
    given = parser.parse_args()
    budget = BUDGETS[given.plan]
    lengths = {given.plan: budget.block}
    lengths |= {text: length_of(text, budget.block.seconds) for text in given.also}
    selection = tiny_cells(given.models)
    effects, seconds = defaultdict(list), defaultdict(list)
    with equal_arms(selection, given.plan) as arms:
        for number in range(given.rounds):
            for cell in selection.cells:
                for name, length in lengths.items():
                    began = time.perf_counter()
                    block = run_block(arms, cell, number=number, length=length)
                    seconds[name].append(time.perf_counter() - began)
                    effects[name, cell.id].append(block.effect)
    print(f"{machine()} at the end; {len(selection.cells)} rows, plan {given.plan}\n")
    print("| block | turns | warm-up | seconds | spread, median | spread, mean | screens flagged |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, length in lengths.items():
        rows = {key[1]: found for key, found in effects.items() if key[0] == name}
        spreads = [stdev(found) for found in rows.values()]
        screens = [
            found[start : start + budget.screen]
            for found in rows.values()
            for start in range(0, given.rounds - budget.screen + 1, budget.screen)
        ]
        limits = Thresholds().for_cell(selection.cells[0])
        flagged = sum(
            is_flagged(
                summarize_effects(screen, least=limits.least),
                least=limits.least,
                clear=limits.clear,
            )
            for screen in screens
        )
        print(
            f"| {name} | {length.num_turns} |"
            f" {1000 * length.warmup_seconds:g} ms | {mean(seconds[name]):.2f} | {median(spreads):.2%} |"
            f" {mean(spreads):.2%} | {flagged} of {len(screens)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
