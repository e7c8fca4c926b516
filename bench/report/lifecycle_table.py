"""Terminal table of the lives of a run's models: a mark per stage, then the results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table
from rich.text import Text

from bench.output.names import COMPARISON_STYLES, MARKS, STYLES, stage_short, variant_name
from bench.report.columns import Column, drawn, fitting
from bench.report.table import NAME
from bench.summary.labels import known_text, life_names
from bench.summary.lifecycle_records import Life, State
from bench.summary.matrix import Group, groups_of, stages_in, summed_states
from bench.summary.model import Report
from bench.summary.quality_text import loss_of, metric_text
from suite import units
from suite.axes import TRAINED


def life_table(report: Report, width: int) -> Table:
    """Return one row per life in as many columns as fit into `width` characters: marks first, then quality, then
    speed.
    """
    lives, names = report.lives, life_names(report)
    columns = {"model": Column("model", [Text(names[life.id]) for life in lives], False)}
    groups = groups_of(lives)
    for group in groups:
        head = stage_short(group.step)
        columns[group.step] = Column(head, [_marks(life, group) for life in lives], False)
    columns[TRAINED] = _column("quality\ntrained", lives, _trained)
    states = summed_states(lives)
    for state in states:
        short = variant_name(state).replace(" + ", "+")
        columns[f"drop {state}"] = _column(f"drop\n{short}", lives, _drop(state))
    for state in states:
        short = variant_name(state).replace(" + ", "+")
        columns[f"speed {state}"] = _column(f"speed\n{short}", lives, _speed(state))
        alike = _column(f"like for like\n{short}", lives, _like_for_like(state))
        if any(cell.plain != units.ABSENT for cell in alike.cells):
            columns[f"alike {state}"] = alike
    columns["metric"] = _column("metric", lives, lambda life: _metric(life), is_number=False)
    order = ["model", *(group.step for group in groups), TRAINED]
    for state in states:
        order += [f"drop {state}", f"speed {state}", f"alike {state}"]
    return drawn(fitting(columns, width, [*order, "metric"], least=NAME))


def life_legend(report: Report) -> str:
    """Return the legend of the marks, stage by stage, if a stage has several."""
    parts = [
        f"{stage_short(group.step)}: {', '.join(place.name for place in group.places)}"
        for group in groups_of(report.lives)
        if not group.is_alone
    ]
    if summed_states(report.lives):
        parts.append("drop and speed against the trained model in eager PyTorch")
        states = [state for life in report.lives for state in life.states]
        if any(s.like_for_like and s.like_for_like.is_known for s in states):
            parts.append("like for like: against the float state on the same backend")
    return "; ".join(parts)


def _marks(life: Life, group: Group) -> Text:
    text = Text()
    for stage in stages_in(life, group):
        outcome = stage.step.outcome if stage else ""
        text.append(MARKS.get(outcome, "?") if outcome else " ", STYLES.get(outcome, ""))
    return text


def _column(
    title: str, lives: Sequence[Life], cell: Callable[[Life], Text], *, is_number: bool = True
) -> Column:
    return Column(title, [cell(life) for life in lives], is_number)


def _trained(life: Life) -> Text:
    value = life.training.trained if life.training else None
    return Text(metric_text(life.quality, value), style="" if value is not None else "dim")


def _metric(life: Life) -> Text:
    return Text(life.quality.name if life.quality else "", style="dim")


def _drop(name: str) -> Callable[[Life], Text]:
    def cell(life: Life) -> Text:
        state = life.state(name)
        text = loss_of(life.quality, state).replace(" points", " pt") if state else ""
        if state is None or not text:
            return Text(units.ABSENT, style="dim")
        return Text(text, style="" if state.outcome == "passed" else STYLES["failed"])

    return cell


def _speed(name: str) -> Callable[[Life], Text]:
    def cell(life: Life) -> Text:
        state = life.state(name)
        if state is None or state.ratio is None:
            return Text(units.ABSENT, style="dim")
        return Text(known_text(state.ratio), style=COMPARISON_STYLES[slowest_verdict(state)])

    return cell


def _like_for_like(name: str) -> Callable[[Life], Text]:
    def cell(life: Life) -> Text:
        state = life.state(name)
        ratio = state.like_for_like if state else None
        if ratio is None:
            return Text(units.ABSENT, style="dim")
        return Text(known_text(ratio), style=COMPARISON_STYLES[ratio.verdict])

    return cell


def slowest_verdict(state: State) -> str:
    """Return the verdict that a state's speed is coloured by: slower than the float state on the same backend is no
    gain, however eager compares.
    """
    alike = state.like_for_like
    if alike is not None and alike.verdict == "slower":
        return "slower"
    return state.ratio.verdict if state.ratio else "few"
