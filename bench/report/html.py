"""Report as one self-contained HTML file: it makes no requests and works without JavaScript."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from shlex import quote as quoted
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup

from bench.charts.axis import decade_axis
from bench.charts.bars import share
from bench.charts.depth_curves import depth_plots
from bench.charts.roofline import LIMITS, roof_plots
from bench.charts.scatter import mark_path
from bench.graph_analysis.folder import Anatomies, load_anatomies
from bench.output import names
from bench.output.page import style_of, templates_in
from bench.output.text import shortened
from bench.paired_ratio import CLOSE
from bench.report import filters, row_markup
from bench.report.anatomies import inlined, placed
from bench.report.anchor import anchor
from bench.report.generation_table import LEGEND, filled_heads, lines_of
from bench.report.generation_words import generation_sentences
from bench.report.lane_tables import (
    AnswerLine,
    CauseLine,
    CompilationLine,
    answer_lines,
    cause_lines,
    compilation_lines,
)
from bench.report.layers_view import harm_rows, layers_note, mending_text
from bench.report.lifecycle_view import foundations_view, life_views, stage_anchor
from bench.report.view import MEMORY, PASSED, RowView, between, quantity_text, row_views
from bench.steps import step_name
from bench.summary import advice_text, labels
from bench.summary.advice import advice_for
from bench.summary.advice_text import from_here
from bench.summary.elements import Step
from bench.summary.headline import average, headline
from bench.summary.model import Report
from bench.summary.quality_text import (
    change_text,
    drop_text,
    loss_of,
    metric_text,
    training_warnings,
)
from bench.summary.scaling import AXES, scalings_of
from bench.summary.ship import answers_of, next_steps
from bench.summary.step_outcomes import outcome_counts
from diagnostics.atomic_write import write_whole
from suite import units
from suite.axes import EXPORT
from suite.runs.folder import RUNS

TEMPLATES: Final = Path(__file__).with_name("templates")
DRAWN: Final = 60
"""Maximum number of rows in the overview chart; a longer run shows its slowest there, and all in the tables."""
TABLES: Final = {
    "latency": "Latency",
    "answers": "Answers",
    "compilation": "Compilation",
    "causes": "Why slow",
    "memory": "Memory",
    "coldstart": "Cold start",
    "generation": "Generation",
    "learning": "Training",
    "size": "Size and graph",
}
"""Template of a benchmark table -> its title, in the order of the page."""
SHIPPED: Final = 30
"""Maximum number of models at the top whose answer is in sight; the others' open with a click."""
LOGS: Final = 4_000_000
"""Maximum number of characters of log tails in one file; every full log is in the run folder."""
LEAST_LOG: Final = 600
BULKY: Final = frozenset({"distributions", "conda", "files", "linkage", "findings"})
"""Long facts that are summarized in one line elsewhere; environment.json has them in full."""


def write_html(report: Report, path: Path) -> None:
    """Write the report to `path` atomically; relative links start there.

    Raises OSError if the file cannot be written.
    """
    here = path.absolute().parent
    folder = Path(report.location) if report.location else here
    base = "" if folder == here else f"{Path(os.path.relpath(folder, here)).as_posix()}/"
    write_whole(path, html_parts(report, base=base, anatomies=load_anatomies(folder)))


def to_html(report: Report, *, base: str = "", anatomies: Anatomies | None = None) -> str:
    """Return the report as one HTML document; see `html_parts`."""
    return "".join(html_parts(report, base=base, anatomies=anatomies))


def html_parts(
    report: Report, *, base: str = "", anatomies: Anatomies | None = None
) -> Iterator[str]:
    """Yield the HTML document in parts: that of 2,000 cells takes 23 MB as one string.

    `base` is put before links to files of the run folder; `anatomies` are those of the run's graphs, None for none.
    """
    rows = row_views(report, report.unfinished)
    anatomies = anatomies or Anatomies()
    scalings = {axis: scalings_of(report.rows, axis) for axis in AXES}
    places, pictures = placed(report, anatomies), inlined(anatomies)
    homes = {(view.model, view.size): anchor(place) for place, view in places.items()}
    script = _text("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    timed = [view for view in rows if any(lane.latency for lane in view.lanes)]
    timed.sort(key=lambda view: view.sort["latency"])
    groups = labels.grouped(s for s in report.unfinished if s.outcome != names.NOT_REACHED)
    waiting = labels.grouped(s for s in report.unfinished if s.outcome == names.NOT_REACHED)
    life_groups, states, lives = life_views(report)
    cases = foundations_view(report)
    advice = advice_for(report.lives)
    generation_lines, answers = lines_of(report), answers_of(report)
    lane_answers, compilations = answer_lines(report), compilation_lines(report)
    slow_lanes = cause_lines(report)
    num_logs = sum(bool(group.first.log_tail) for group in groups) or 1
    return (
        _templates()
        .get_template("report.html.j2")
        .generate(
            report=report,
            rows=rows,
            by_row={view.row.id: view for view in rows},
            glance=timed[-DRAWN:],
            glance_left_out=max(0, len(timed) - DRAWN),
            axis=decade_axis([x.lane.timing.p50 for v in timed for x in v.lanes if x.lane.timing]),
            title=headline(report),
            subtitle=average(report),
            groups=groups,
            waiting=waiting,
            doubt_groups=labels.doubts_of(report),
            backends=labels.backends_of(report),
            common=labels.common_axes(report),
            memory=_memory_columns(rows),
            cold=tuple(dict.fromkeys(m for v in rows for lane in v.lanes for m in lane.cold)),
            target=targets_of(report, rows),
            followers=labels.followers_of(report.unfinished),
            tables=_tables(rows, lane_answers, compilations, slow_lanes),
            answer_lines=lane_answers,
            compilation_lines=compilations,
            cause_lines=slow_lanes,
            lives=lives,
            groups_of_life=life_groups,
            life_states=states,
            life_outcomes=_outcomes_of(report),
            gaps_in_matrix=any(s is None for v in lives for marks in v.marks for s in marks),
            foundations=cases,
            outcomes_at=lambda device, dtype: _outcomes_at(report, device, dtype),
            stage_anchor=stage_anchor,
            stage_name=labels.stage_name,
            state_anchor=lambda life, state: anchor(f"{life.id}:{state.name}:{state.backend}"),
            name_of=labels.name_of,
            times=labels.times,
            mark_path=mark_path,
            metric_text=metric_text,
            training_warnings=training_warnings,
            change_text=change_text,
            drop_text=drop_text,
            loss_of=loss_of,
            harm_rows=harm_rows,
            layers_note=layers_note,
            mending_text=mending_text,
            between=between,
            quantity_text=quantity_text,
            link=lambda path: _link(path, base),
            log_limit=max(LEAST_LOG, LOGS // num_logs),
            style=style_of(TEMPLATES / "life.css", TEMPLATES / "anatomy.css"),
            script=Markup(script),
            script_digest=digest,
            environment={k: v for k, v in report.environment.items() if k not in BULKY},
            least_effect=CLOSE,
            words=names,
            step_name=step_name,
            units=units,
            share=share,
            anchor=anchor,
            shortened=shortened,
            web_link=filters.web_link,
            problems=(*report.problems, *anatomies.problems),
            anatomy_at=places.get,
            roof_plots=roof_plots(report.roofline, labels.labels_of(report)),
            limits=LIMITS,
            scalings_by_axis=scalings,
            generation_lines=generation_lines,
            generation_heads=filled_heads(generation_lines),
            depth_plots=depth_plots(report.rows),
            generation_legend=LEGEND,
            generation_sentences=generation_sentences(report),
            has_scaling=any(scalings.values()),
            extents_of=lambda group: sorted({extent for one in group for extent in one.extents}),
            answers=answers,
            shipped=SHIPPED,
            again=_again(report),
            next_steps=next_steps(report, answers),
            advice_at=advice.get,
            advice_text=advice_text,
            pictures=pictures,
            no_pictures=anatomies.no_pictures,
            repeated_of=_repeated(rows),
            badges=_badges(rows),
            missing=_missing(rows),
            metric_titles=lambda metrics: [(m, names.metric_name(m)) for m in metrics],
            home_of=lambda row: homes.get((row.model, row.size), ""),
            tail=filters.tail,
            when=filters.when,
        )
    )


@dataclass(frozen=True, slots=True)
class Repeated:
    """Markup of one row that every table has, made once."""

    attributes: Markup
    """By which the page filters the row."""
    head: Markup
    backends: Markup


def _repeated(rows: Sequence[RowView]) -> dict[str, Repeated]:
    """Return anchor of a row -> its repeated parts."""
    parts: Any = _templates().get_template("parts.html.j2").make_module({"words": names})
    return {
        view.anchor: Repeated(parts.found(view), parts.model(view), parts.names(view))
        for view in rows
    }


def _badges(rows: Sequence[RowView]) -> dict[str, Markup]:
    """Return outcome of a step -> its mark and name."""
    parts: Any = _templates().get_template("parts.html.j2").make_module({"words": names})
    found = {line.outcome for view in rows for line in view.step_lines}
    return {name: Markup("✓ passed") if name == PASSED else parts.badge(name) for name in found}


def _missing(rows: Sequence[RowView]) -> dict[str, Markup]:
    """Return outcome of a step -> what stands in place of its numbers."""
    parts: Any = _templates().get_template("parts.html.j2").make_module({"words": names})
    lanes = [lane for view in rows for lane in view.lanes]
    found = {o for lane in lanes for o in (lane.missing, lane.memory_missing, lane.cold_missing)}
    return {outcome: parts.missing(outcome) for outcome in found}


@cache
def _templates() -> Environment:
    environment = templates_in(TEMPLATES)
    environment.filters["tojson_plain"] = lambda data: json.dumps(
        data, indent=1, default=str, ensure_ascii=False
    )
    environment.filters["name_of"] = labels.name_of
    environment.filters["step_name"] = step_name
    environment.filters["metric_name"] = names.metric_name
    environment.filters["latency_bars"] = row_markup.latency_bars
    environment.filters["lane_speed"] = row_markup.lane_speed
    environment.filters["cold_stacks"] = row_markup.cold_stacks
    environment.filters["memory_meters"] = row_markup.memory_meters
    environment.filters["ratios"] = row_markup.ratios
    environment.filters["medians"] = row_markup.medians
    environment.filters["half_widths"] = row_markup.half_widths
    environment.filters["cold_totals"] = row_markup.cold_totals
    environment.filters["ship_rows"] = row_markup.ship_rows
    environment.filters["operator_bars"] = filters.operator_bars
    environment.filters["cold_lines"] = filters.cold_lines
    environment.filters["lane_texts"] = filters.lane_texts
    environment.filters["lines"] = filters.lines
    environment.filters["step_rows"] = filters.step_rows
    environment.filters["pair_list"] = filters.pair_list
    environment.filters["parity_table"] = filters.parity_table
    environment.filters["sort_keys"] = filters.sort_keys
    environment.filters["code"] = filters.with_code
    return environment


@cache
def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _again(report: Report) -> str:
    """Return how `python -m bench report` finds the run: by its name where runs lie, else by its path."""
    is_at_home = Path(report.location).parent == RUNS.absolute()
    return (
        report.folder if is_at_home or not report.location else quoted(from_here(report.location))
    )


def _memory_columns(rows: tuple[RowView, ...]) -> tuple[str, ...]:
    found = {metric for view in rows for lane in view.lanes for metric in lane.memory}
    return tuple(metric for metric in MEMORY if metric in found)


def _tables(
    rows: tuple[RowView, ...],
    answers: Sequence[AnswerLine],
    compilations: Sequence[CompilationLine],
    slow_lanes: Sequence[CauseLine],
) -> tuple[tuple[str, str], ...]:
    """Return (template, title) of the benchmark tables that are not empty."""
    steps = {step.step for view in rows for step in view.steps}
    wanted = {
        "latency": "latency" in steps,
        "answers": bool(answers),
        "compilation": bool(compilations),
        "causes": bool(slow_lanes),
        "memory": "memory" in steps,
        "coldstart": "coldstart" in steps,
        "generation": any(lane.generation for view in rows for lane in view.row.lanes),
        "learning": any(view.row.learning for view in rows),
        "size": bool(steps & {"size", EXPORT}),
    }
    return tuple((name, TABLES[name]) for name, is_wanted in wanted.items() if is_wanted)


def _outcomes_of(report: Report) -> dict[str, int]:
    return outcome_counts(stage.step for life in report.lives for stage in life.stages)


def _outcomes_at(report: Report, device: str, dtype: str) -> dict[str, int]:
    return outcome_counts(
        case.step for case in report.foundations if (case.device, case.dtype) == (device, dtype)
    )


def _link(path: str, base: str) -> str:
    """Return the address of a file of the run folder, or an empty string for a path outside of it."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or re.match(r"[A-Za-z]:", path):
        return ""
    return quote(f"{base}{pure.as_posix()}" if base else f"./{pure.as_posix()}")


# Link targets: the anchor of a step on the page.


def targets_of(report: Report, rows: Sequence[RowView]) -> Callable[[Step], str]:
    """Return a function that gives a step's anchor: of its stage, its lane, or the row with its details; empty for
    none.
    """
    stages = {(s.step.cell, s.step.step) for life in report.lives for s in life.stages}
    stages |= {(case.step.cell, case.step.step) for case in report.foundations}
    found: dict[str, str] = {}
    for view in rows:
        for step in view.row.shared:
            found.setdefault(step.cell, view.anchor)
    for view in rows:
        for lane in view.lanes:
            found[lane.lane.cell] = anchor(lane.lane.cell)

    def target(step: Step) -> str:
        if (step.cell, step.step) in stages:
            return stage_anchor(step.cell, step.step)
        return found.get(step.cell, "")

    return target
