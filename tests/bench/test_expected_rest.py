"""How well the expected rest of a whole run is known: a run of the catalogue on a scripted machine."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest

from bench.run import TYPICAL
from bench.steps import STEPS, steps_of
from suite.axes import EXPORT
from suite.catalog import builtin_specs
from suite.cell import Cell
from suite.engine.progress import Work, kind_of, progress_of
from suite.engine.steps import typical_seconds
from suite.engine.typical_weights import COLUMNS, WEIGHTS
from suite.outcome import Outcome
from suite.record import Record

MODELS = 28
NAMES = [spec.name for spec in builtin_specs()]
LANES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One step or closing task of the scripted run."""

    kind: str
    typical: float
    seconds: float
    record: Record | None = None


def scripted_run(size: str, speed: float, seed: int) -> list[Piece]:
    """Every step of 28 models, exports first, on a machine `speed` times as slow as the typical one.

    Models differ by up to two times from each other, every step by another fifth.
    """
    dice = random.Random(seed)
    weights = [dice.uniform(0.7, 1.5) for _ in range(MODELS)]
    pieces = []
    for backend in ("eager", "onnxruntime"):
        for number, weight in enumerate(weights):
            cell = Cell(model=f"m{number}", size=size, backend=backend)
            for step in steps_of(cell):
                typical = typical_seconds(cell, step, STEPS)
                seconds = typical * speed * weight * dice.uniform(0.8, 1.2)
                record = Record(
                    run_id="r", cell=cell, step=step, outcome=Outcome.PASSED, seconds=seconds
                )
                pieces.append(
                    Piece(kind=kind_of(step, cell), typical=typical, seconds=seconds, record=record)
                )
    pieces = [p for p in pieces if p.kind.split()[0] != "build"]
    pieces.sort(key=lambda piece: not piece.kind.startswith(EXPORT))
    for kind, number in (("peaks", 1), ("analysis", MODELS), ("pictures", LANES), ("report", 1)):
        typical = TYPICAL[kind][size]
        pieces += [
            Piece(kind=kind, typical=typical, seconds=typical * speed * dice.uniform(0.7, 1.4))
            for _ in range(number)
        ]
    return pieces


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("speed", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("size", ["tiny", "base"])
def test_from_the_first_tenth_on_the_rest_is_known_within_three_tenths(size, speed, seed):
    pieces = scripted_run(size, speed, seed)
    lanes = dict.fromkeys(("export onnxruntime", "analysis", "pictures"), LANES)
    work = [Work(kind=p.kind, seconds=p.typical) for p in pieces]
    progress = progress_of(sum(p.record is not None for p in pieces), work, lanes=lanes)
    left = sum(p.seconds / lanes.get(p.kind, 1) for p in pieces)
    total = left
    for piece in pieces:
        if piece.record is not None:
            progress.count(replace(piece.record))
        else:
            progress.finish(piece.kind, piece.seconds)
        left -= piece.seconds / lanes.get(piece.kind, 1)
        if total / 10 <= total - left:
            # At the very end an error of a thirtieth of the run hurts nobody.
            assert progress.rest() == pytest.approx(left, rel=0.3, abs=total / 30)
    assert progress.rest() == 0


def test_models_of_the_catalogue_have_weights_and_others_are_typical():
    assert set(WEIGHTS["base"]) == set(NAMES)
    for number in range(len(COLUMNS)):
        weights = [row[number] for row in WEIGHTS["base"].values()]
        assert sum(weights) / len(weights) == pytest.approx(1, rel=0.15)
    own = Cell(model="mine", size="base", backend="eager")
    mlp = replace(own, model="mlp")
    assert typical_seconds(own, "latency", STEPS) == STEPS["latency"].typical_seconds["base"][0]
    assert typical_seconds(mlp, "latency", STEPS) < typical_seconds(own, "latency", STEPS)
    assert typical_seconds(replace(mlp, size="tiny"), "size", STEPS) == 0.2


def test_the_rest_is_known_at_once_though_the_quick_models_come_first():
    """By the mean of a step alone, a tenth of the way into the exports a third of the truth was told."""
    cells = [Cell(model=name, size="base", backend="onnxruntime") for name in NAMES]
    steps = [(cell, "export") for cell in cells]
    steps += [(replace(c, backend="eager"), s) for c in cells for s in ("latency", "training")]
    seconds = [1.3 * typical_seconds(cell, step, STEPS) for cell, step in steps]
    progress = progress_of(
        len(steps),
        [Work(kind=kind_of(s, c), seconds=typical_seconds(c, s, STEPS)) for c, s in steps],
    )
    for (cell, step), took in list(zip(steps, seconds, strict=True))[:3]:
        progress.count(
            Record(run_id="r", cell=cell, step=step, outcome=Outcome.PASSED, seconds=took)
        )
    assert progress.rest() == pytest.approx(sum(seconds[3:]), rel=0.01)
