"""`python -m bench why MODEL | FILE.onnx`: why a graph is slow in ONNX Runtime, and every other lane by the records of
its run, with evidence and cure.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from bench.graph_analysis.causes import LEAST, Finding, causes_of, products, thread_ratio
from bench.graph_analysis.evidence import Evidence, SessionProfileOptions
from bench.graph_analysis.make import graphs_of
from bench.instruments.results import ProfileResult
from bench.lane_answers import LaneAnswer, lane_answers, lanes_document, show_lanes, told
from bench.onnx_graph.axes import parse_sizes
from bench.output.console import print_to, write_text
from bench.output.json_text import to_json
from bench.output.names import variant_name
from bench.summary.build import build_report
from bench.summary.model import Speedup
from diagnostics.codec import encode
from diagnostics.did_you_mean import did_you_mean
from suite import units
from suite.axes import BACKENDS, ONNXRUNTIME, ORIGINAL, REFERENCE
from suite.cell import Cell
from suite.outcome import Outcome
from suite.runs.folder import RUNS, NoSuchRun, find_run, runs_in
from suite.runs.load import Run, load_run
from suite.worker.client import Launcher, Worker
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob, Job

TROUBLE: Final = 2
PROFILE: Final = "bench.graph_analysis.session_profile:run"
EAGER_PROFILE: Final = "bench.instruments.profile:run"
DEADLINE: Final = 600.0
SEARCHED: Final = 50
"""Newest runs that are looked through for a model."""
SHOWN: Final = 4
"""Operators that are listed where no cause is named."""


class CannotTell(ValueError):
    """Error raised if there is no graph to profile, or it does not run; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A graph that is asked about."""

    title: str
    path: Path
    cell: Cell | None = None
    """None for a user's file."""
    options: JobOptions = field(default_factory=JobOptions)
    speedup: Speedup | None = None
    """How fast it was over eager in the run that it is from."""
    run: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add("what", metavar="MODEL | FILE.onnx", help="a model of a run, or any ONNX file")
    add("--size", default="", help="tiny or base (default: the first that the run has)")
    add("--variant", default=ORIGINAL, help=f"state of the model (default: {ORIGINAL})")
    add(
        "--backend",
        default="",
        metavar="LANE",
        help="this lane alone; of any but onnxruntime what its run recorded is read, and nothing measured",
    )
    add("--threads", type=int, default=0, metavar="N", help="default: all cores")
    add(
        "--axes",
        default="",
        metavar="SIZES",
        help="run a file at these sizes of its open axes, e.g. batch=1,sequence=128",
    )
    add("--run", default="", metavar="RUN", help="from this run (default: the newest that has it)")
    add("--runs-dir", type=Path, default=RUNS, metavar="DIR", help=f"default: {RUNS}")
    add("--format", choices=("text", "json"), default="text", help="default: text")


def main(arguments: argparse.Namespace) -> int:
    """Name the causes: 0 when there was anything to judge, 2 when there was not."""
    try:
        _check(arguments)
        lanes = _lanes(arguments)
        subject = _subject_beside(lanes, arguments)
        evidence = _evidence(subject, arguments) if subject else None
    except (CannotTell, NoSuchRun, ValueError) as error:
        print(f"python -m bench why: {error}", file=sys.stderr)
        return TROUBLE
    except KeyboardInterrupt:
        return 130
    if arguments.format == "json":
        write_text(to_json(document(subject, evidence, lanes)), None)
        return 0

    def write(console: Console) -> None:
        if subject and evidence:
            show(subject, evidence, causes_of(evidence), console)
        elif not arguments.backend:
            console.print(f"[dim]{escape(_no_graph(arguments))}[/dim]", soft_wrap=True)
        show_lanes(lanes, console)

    print_to(None, write, highlight=False)
    return 0


def document(
    subject: Subject | None, evidence: Evidence | None, lanes: tuple[LaneAnswer, ...] = ()
) -> dict[str, Any]:
    """Return what was found as JSON-able data, without a graph the lanes alone; seconds, and shares from 0 to 1."""
    of_lanes = {"schema": 1, "lanes": lanes_document(lanes)}
    if subject is None or evidence is None:
        return of_lanes
    return of_lanes | {
        "graph": str(subject.path),
        "cell": subject.cell.id if subject.cell else None,
        "over_eager": encode(subject.speedup) if subject.speedup else None,
        "causes": encode(causes_of(evidence)),
        "evidence": encode(evidence, sparse=True),
    }


def show(
    subject: Subject, evidence: Evidence, causes: tuple[Finding, ...], console: Console
) -> None:
    """Print the graph, its causes with evidence and cure, and what it spends its time on otherwise."""
    on = f"{units.plural(evidence.threads, 'thread')}, on {evidence.fed}"
    console.print(f"[bold]{escape(subject.title)}[/bold] in ONNX Runtime, {escape(on)}")
    profiled = f"one profiled run: {units.seconds(evidence.seconds)} over {units.count(len(evidence.outer))} nodes"
    console.print(f"[dim]{profiled}[/dim]")
    if found := subject.speedup:
        said = (
            f"{found.ratio:.2f} times as fast as {found.over} ({found.low:.2f} to {found.high:.2f})"
            if found.is_known
            else f"too few undisturbed pairs to compare it with {found.over}"
        )
        console.print(f"[dim]{escape(said)} in run {escape(subject.run)}[/dim]")
    console.print()
    for number, cause in enumerate(causes, start=1):
        console.print(f"[bold]{number}. {escape(cause.cause)}[/bold], {cause.share:.0%} of a run")
        console.print(f"   {escape(cause.sentence)}")
        console.print(f"   [green]cure:[/green] {escape(cause.cure)}")
    if not causes:
        console.print(f"[bold]no known cause takes {LEAST:.0%} of a run[/bold]")
    spent: dict[str, float] = defaultdict(float)
    for node in evidence.outer:
        spent[node.operator] += node.seconds
    longest = sorted(spent.items(), key=lambda item: -item[1])[:SHOWN]
    named = ", ".join(f"{name} {s / (evidence.seconds or 1):.0%}" for name, s in longest)
    share = products(evidence)
    console.print(
        f"[dim]time by operator: {escape(named)}; convolutions and matrix products {share:.0%} in all[/dim]"
    )
    if ratio := thread_ratio(evidence):
        value, low, high = ratio
        console.print(
            f"[dim]one thread is {value:.2f} times as fast as {evidence.threads} ({low:.2f} to {high:.2f})[/dim]"
        )
    elif evidence.many:
        console.print("[dim]one thread against all: too many turns were disturbed to tell[/dim]")


def _check(arguments: argparse.Namespace) -> None:
    """Raise CannotTell for options that do not go together."""
    if arguments.threads < 0:
        raise CannotTell(f"--threads {arguments.threads}; expected 1 or more")
    lane = arguments.backend
    if lane and lane not in BACKENDS:
        near = did_you_mean(lane, list(BACKENDS))
        raise CannotTell(f"--backend {lane}; expected one of {', '.join(BACKENDS)}{near}")
    if lane and _is_file(arguments):
        raise CannotTell("--backend goes with a model of a run; a file is run in ONNX Runtime")


def _is_file(arguments: argparse.Namespace) -> bool:
    return Path(arguments.what).suffix.lower() == ".onnx"


def _lanes(arguments: argparse.Namespace) -> tuple[LaneAnswer, ...]:
    """Return what the records say of the model's lanes; none of a file. Raises CannotTell or NoSuchRun."""
    if _is_file(arguments) or arguments.backend == ONNXRUNTIME:
        return ()
    lanes = lane_answers(
        _folders(arguments),
        arguments.what,
        arguments.size,
        arguments.variant,
        arguments.backend,
    )
    if arguments.backend and not lanes:
        raise CannotTell(
            f"{arguments.run or arguments.runs_dir}: {arguments.what} was not measured on {arguments.backend} in a"
            f" run. Next: pytest bench --models {arguments.what} --backend {REFERENCE},{arguments.backend}"
        )
    return lanes if arguments.backend else told(lanes)


def _subject_beside(lanes: Sequence[LaneAnswer], arguments: argparse.Namespace) -> Subject | None:
    """Return the graph that is meant; None if other lanes were asked for, or are all that there is. Raises as
    `_subject`.
    """
    if arguments.backend not in ("", ONNXRUNTIME):
        return None
    try:
        return _subject(arguments)
    except CannotTell:
        if lanes and not arguments.axes:
            return None
        raise


def _folders(arguments: argparse.Namespace) -> list[Path]:
    """Return the runs to look through, newest first. Raises NoSuchRun."""
    if arguments.run:
        return [find_run(arguments.run, arguments.runs_dir)]
    return runs_in(arguments.runs_dir)[:SEARCHED]


def _subject(arguments: argparse.Namespace) -> Subject:
    """Return the graph that is meant. Raises CannotTell or NoSuchRun."""
    path = Path(arguments.what)
    if _is_file(arguments):
        if not path.is_file():
            raise CannotTell(f"{path}: no such file; expected an ONNX file or a model of a run")
        return Subject(title=path.name, path=path)
    if arguments.axes:
        raise CannotTell("--axes goes with a file; the graph of a run gets the run's own batch")
    known: set[str] = set()
    for folder in _folders(arguments):
        run = load_run(folder)
        found = _in_run(run, arguments, known)
        if found is not None:
            return found
    raise CannotTell(_no_graph(arguments, sorted(known)))


def _no_graph(arguments: argparse.Namespace, known: Sequence[str] = ()) -> str:
    return (
        f"{arguments.run or arguments.runs_dir}: no graph of {arguments.what}"
        f"{f' ({variant_name(arguments.variant)})' if arguments.variant != ORIGINAL else ''} in a run"
        f"{did_you_mean(arguments.what, known) if known else ''}."
        f" Next: pytest bench --models {arguments.what}, or name an ONNX file"
    )


def _in_run(run: Run, arguments: argparse.Namespace, known: set[str]) -> Subject | None:
    graphs = graphs_of(run)
    known |= {graph.cell.model for graph in graphs}
    for graph in graphs:
        cell = graph.cell
        if cell.model != arguments.what or cell.variant != arguments.variant:
            continue
        if arguments.size in ("", cell.size):
            return Subject(
                title=f"{cell.model} {cell.size} {variant_name(cell.variant)}",
                path=graph.path,
                cell=cell,
                options=_options(run.info.get("options")),
                speedup=_speedup(run, cell),
                run=run.folder.name,
            )
    return None


def _options(given: object) -> JobOptions:
    asked: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    kept = {n: asked[n] for n in ("models_from", "sources", "seed", "threads") if asked.get(n)}
    return JobOptions.from_dict(kept)


def _speedup(run: Run, cell: Cell) -> Speedup | None:
    for row in build_report(run).rows:
        if (row.model, row.size, row.variant) == (cell.model, cell.size, cell.variant):
            return next((s for s in row.speedups if s.backend == ONNXRUNTIME), None)
    return None


def _evidence(subject: Subject, arguments: argparse.Namespace) -> Evidence:
    """Profile the graph, and eager of the same model. Raises CannotTell."""
    threads = arguments.threads or subject.options.threads or _num_cores()
    options = replace(subject.options, threads=threads)
    asked = options.extended(
        SessionProfileOptions(file=str(subject.path.resolve()), sizes=parse_sizes(arguments.axes))
    )
    preload = ("onnx", "bench.graph_analysis.session_profile")
    launcher = Launcher(preload=preload if subject.cell is None else ("torch", *preload))
    try:
        job = (
            Job(runner=PROFILE, options=asked, deadline=DEADLINE)
            if subject.cell is None
            else CellJob(runner=PROFILE, cell=subject.cell, options=asked, deadline=DEADLINE)
        )
        answer = launcher.run(job)
        if answer.outcome is not Outcome.PASSED:
            why = answer.failure.message.splitlines()[0] if answer.failure else answer.outcome.value
            raise CannotTell(
                f"{subject.path}: it does not run in ONNX Runtime ({why});"
                f" next: python -m diagnostics model {subject.path}"
            )
        evidence = answer.read(Evidence)
        if subject.cell is not None and subject.cell.variant == ORIGINAL:
            evidence = replace(evidence, eager=_eager(launcher, subject.cell, options))
        return evidence
    finally:
        launcher.close()


def _eager(worker: Worker, cell: Cell, options: JobOptions) -> dict[str, float]:
    """Return operator -> seconds of an eager pass; empty if it cannot be profiled: the graph's own causes stand."""
    job = CellJob(
        runner=EAGER_PROFILE,
        cell=replace(cell, backend=REFERENCE),
        options=options,
        deadline=DEADLINE,
    )
    answer = worker.run(job)
    if answer.outcome is not Outcome.PASSED:
        return {}
    return {name: own for name, (own, _) in answer.read(ProfileResult).operators.items()}


def _num_cores() -> int:
    """Return the number of cores on which this process may run."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
