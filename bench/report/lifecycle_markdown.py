"""Markdown table of the lives of a run's models."""

from __future__ import annotations

from typing import Final

from bench.output.markdown import line, safe
from bench.output.names import MARKS, stage_short, variant_name
from bench.summary.labels import known_text, life_names
from bench.summary.lifecycle_records import Life, State
from bench.summary.matrix import Group, groups_of, stages_in, summed_states
from bench.summary.model import Report
from bench.summary.quality_text import loss_of, metric_text
from suite.axes import TRAINED

ROWS: Final = 500


def life_markdown(report: Report) -> str:
    """Return one line per life: a mark per stage, the trained quality, and the loss and gain of pruning and
    quantizing.
    """
    groups, states = groups_of(report.lives), summed_states(report.lives)
    names = life_names(report)
    heads = ["model", *(safe(stage_short(group.step)) for group in groups), TRAINED]
    for state in states:
        heads += [f"drop {variant_name(state)}", f"speed {variant_name(state)}"]
    aligns = [":--", *(":-:" for _ in groups), *("--:" for _ in range(1 + 2 * len(states)))]
    lines = [line(heads), line(aligns)]
    for life in report.lives[:ROWS]:
        cells = [safe(names[life.id]), *(_marks(life, group) for group in groups)]
        cells.append(_trained(life))
        for name in states:
            cells += _state(life, name)
        lines.append(line(cells))
    if len(report.lives) > ROWS:
        lines.append(line([f"and {len(report.lives) - ROWS} more", *("" for _ in heads[1:])]))
    return "\n".join(lines)


def _marks(life: Life, group: Group) -> str:
    return "".join(
        MARKS.get(stage.step.outcome, "?") if stage else "\u2002"
        for stage in stages_in(life, group)
    )


def _trained(life: Life) -> str:
    value = life.training.trained if life.training else None
    if value is None:
        return ""
    name = life.quality.name if life.quality else ""
    return safe(f"{metric_text(life.quality, value)} {name}")


def _state(life: Life, name: str) -> list[str]:
    """Return the state's drop and its speed; a drop that is out of bounds is marked."""
    state = life.state(name)
    if state is None:
        return ["", ""]
    lost = loss_of(life.quality, state)
    mark = f" {MARKS['failed']}" if lost and state.outcome != "passed" else ""
    return [f"{lost}{mark}", _speed(state)]


def _speed(state: State) -> str:
    """Return the ratio to eager with its interval, and to the float state on the same backend if there is one."""
    text = known_text(state.ratio) if state.ratio else ""
    alike = state.like_for_like
    return f"{text}; like for like {known_text(alike)}" if alike and alike.is_known else text
