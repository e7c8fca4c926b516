"""What to ship, model by model: of the states of its life, else of the lanes that were measured; for every renderer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final

from bench.compilation import STEP as COMPILATION
from bench.output.names import backend_name, plural
from bench.summary.advice import Advice, advice_for
from bench.summary.advice_text import (
    as_typed,
    from_here,
    loss_text,
    next_command,
    none_text,
    not_found_out,
    ratio_text,
    said_again,
    state_text,
    sureness_text,
)
from bench.summary.answers import is_wrong, likeness_text
from bench.summary.labels import interval_text, life_names, times
from bench.summary.model import Report, Row, Speedup
from suite.axes import COMPILED, DTYPES, ORIGINAL, REFERENCE
from suite.weight_sources import RANDOM

LINES: Final = 4
"""Most models with a line of their own on a terminal, of those without a life; more are counted."""
UNKNOWN: Final = "not known"
MORE_TURNS: Final = "--plan rigorous"
REPEATED: Final = ("pytest bench", "vitals bench")
"""Commands that have plans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to ship of one model."""

    place: str
    """Id of the life, or of the row, that says more."""
    name: str
    what: str = ""
    """`int8 on ONNX Runtime`, `ONNX Runtime`; empty if nothing is named."""
    fast: str = ""
    """Times as fast as eager, with the interval."""
    lost: str = ""
    """Quality lost, or why that is not known."""
    sure: str = ""
    """How sure the choice is; of an empty `what`, why nothing is named."""
    has_few_pairs: bool = False
    """Whether more turns would tell more."""
    is_of_life: bool = False
    """Whether it was chosen among the states of a life, by quality and speed; else among lanes, by speed alone."""

    @property
    def has_unknown_quality(self) -> bool:
        """Whether `lost` says why it is not known."""
        return not self.is_of_life

    @property
    def text(self) -> str:
        """The whole answer in one line."""
        if not self.what:
            return self.sure
        lost = f"{'quality' if self.has_unknown_quality else 'lost'} {self.lost}"
        return f"ship {self.what}: {self.fast} as fast; {lost}; {self.sure}"


def answers_of(report: Report) -> tuple[Answer, ...]:
    """Return what to ship of every model with something to choose from: lives first, then models that were only
    measured. A run that compared nothing, such as one of eager alone, has none.
    """
    advice, names = advice_for(report.lives), life_names(report)
    with_life = {(one.life.model, one.life.size) for one in advice.values()}
    return (
        *(of_life(place, names[place], one) for place, one in advice.items()),
        *(
            _of_row(row, str(report.options.get("weights") or RANDOM))
            for row in _rows(report)
            if (row.model, row.size) not in with_life
        ),
    )


def next_steps(
    report: Report, answers: Sequence[Answer] | None = None
) -> tuple[tuple[str, str], ...]:
    """Return (what it would tell, command): those that make or measure more, to be run where this was called."""
    answers = answers_of(report) if answers is None else answers
    if not answers and not report.lives:
        return ()
    found = []
    if command := next_command(report):
        found.append(("States to ship were not made, or not measured", command))
    if any(one.has_few_pairs for one in answers) and report.command.startswith(REPEATED):
        # The plan that was asked for goes: two of them in one command leave open which one holds.
        again = f"{re.sub(r' --plan[ =][a-z]+', '', report.command)} {MORE_TURNS}"
        found.append(("With more turns, on a machine that does nothing else", again))
    rows = _rows(report)
    if rows and any(not one.is_of_life for one in answers):
        found.append(("Over dtypes, threads, 8 bits and quality", tune_command(report, rows[0])))
    return tuple(found)


def ship_lines(report: Report) -> list[str]:
    """Return the answers as lines: one for each life, one for each other model or, of many, one for all of them."""
    answers = answers_of(report)
    measured = [one for one in answers if not one.is_of_life]
    lines = [f"{one.name}: {one.text}." for one in answers if one.is_of_life]
    if len(measured) <= LINES:
        lines += [f"{one.name}: {one.text}." for one in measured]
    else:
        lines.append(_counted(measured))
    return lines


def tune_command(report: Report, row: Row) -> str:
    """Return the command that measures all lanes of the row's model."""
    model, own = _typed(report, row)
    return f"python -m bench tune {model}{own} --size {row.size} --max-drop 1{said_again(report)}"


def compilation_command(report: Report, row: Row) -> str:
    """Return the command that takes apart what torch.compile makes of the row's model."""
    model, own = _typed(report, row)
    axes = f" --variant {row.variant}" if row.variant != ORIGINAL else ""
    axes += f" --dtype {row.dtype}" if row.dtype != DTYPES[0] else ""
    return (
        f"pytest bench --models {model}{own} --size {row.size}{axes} --backend {COMPILED} -k {COMPILATION}"
        f"{said_again(report)}"
    )


def _typed(report: Report, row: Row) -> tuple[str, str]:
    """Return the row's model as a command names it, and the option for the user's own records, after a space."""
    if origin := report.options.get("origins", {}).get(row.model, ""):
        return as_typed(origin), ""
    own = report.options.get("models_from", "")
    return row.model, f" --models-from {quote(from_here(own))}" if own else ""


def _rows(report: Report) -> list[Row]:
    """Return one row per model: as built, in float32, the first batch, with a comparison of backends."""
    found: dict[tuple[str, str], Row] = {}
    for row in report.rows:
        if row.variant == ORIGINAL and row.dtype == DTYPES[0] and row.speedups:
            found.setdefault((row.model, row.size), row)
    return list(found.values())


def of_life(place: str, name: str, advice: Advice) -> Answer:
    """Return the fastest state within the limits, or why there is none."""
    best = advice.fastest
    if best is None:
        return Answer(place=place, name=name, sure=none_text(advice), is_of_life=True)
    if told := not_found_out(advice):
        sure = f"{UNKNOWN}: {told}"
        return Answer(place=place, name=name, sure=sure, has_few_pairs=True, is_of_life=True)
    return Answer(
        place=place,
        name=name,
        what=state_text(best),
        fast=ratio_text(best),
        lost=loss_text(best, advice.life.quality),
        sure=sureness_text(advice),
        is_of_life=True,
    )


def _of_row(row: Row, weights: str) -> Answer:
    """Return the fastest measured lane whose answers are not known to differ from eager's."""
    lost = f"{UNKNOWN}: its weights are random" if weights == RANDOM else "not measured"
    wrong = [one for one in row.speedups if is_wrong(row, one.backend)]
    left = [one for one in row.speedups if one not in wrong]
    faster = sorted((s for s in left if s.verdict == "faster"), key=lambda s: -s.ratio)
    told = f"; {_left_out(wrong)}" if wrong else ""
    if faster:
        best, *others = faster
        rivals = sum((one.high or 0.0) >= (best.low or 0.0) for one in others)
        sure = f"not sure: {plural(rivals, 'other')} may be as fast" if rivals else "sure of speed"
        return Answer(
            place=row.id,
            name=row.model,
            what=backend_name(best.backend),
            fast=times(best.ratio) + interval_text(best.low, best.high),
            lost=lost,
            sure=f"{sure}, {likeness_text(row, best.backend)}{told}",
        )
    if all(one.verdict == "slower" for one in left):
        return Answer(
            place=row.id,
            name=row.model,
            what=backend_name(REFERENCE),
            fast=times(1.0),
            lost=lost,
            sure=f"nothing measured is faster{told}",
        )
    few = any(one.verdict == "few" for one in left)
    sure = f"no lane is surely faster than eager{': too few pairs of turns' if few else ''}{told}"
    return Answer(place=row.id, name=row.model, sure=sure, has_few_pairs=few)


def _left_out(wrong: Sequence[Speedup]) -> str:
    return f"{', '.join(backend_name(one.backend) for one in wrong)} left out: wrong answers"


def _counted(answers: Sequence[Answer]) -> str:
    """Return `Of what was measured, ship ONNX Runtime for 21 models, Eager for 4 models; 1 model open; ...`."""
    counts = Counter(one.what for one in answers)
    named = [f"{what} for {plural(num, 'model')}" for what, num in counts.most_common() if what]
    parts = [f"ship {', '.join(named)}"] if named else []
    if counts[""]:
        parts.append(f"{plural(counts[''], 'model')} open")
    if lost := next((one.lost for one in answers if one.what), ""):
        parts.append(f"quality {lost.replace('its weights', 'the weights')}")
    return f"Of what was measured, {'; '.join(parts)}."
