"""Creation of missing or stale anatomies of a run's graphs, after the run, in workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, Final

from bench.graph_analysis.folder import Anatomies, folder_of, is_fresh, load_anatomies
from bench.graph_analysis.jobs import AskedGraph, GraphOptions, GraphProblems
from bench.graph_analysis.record import stamp_of
from bench.netron.devtools import has_browser
from bench.output.text import distinct_names
from suite.axes import EXPORT, ORIGINAL, TRAINED, VARIANTS
from suite.cell import Cell
from suite.engine.typical_weights import weight_of
from suite.outcome import Outcome
from suite.runs.folder import is_inside
from suite.runs.load import Run
from suite.scratch_folder import scratch_folder
from suite.worker.client import Answer, Launcher, Worker
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob, Job

WORK: Final = "bench.graph_analysis.work:run"
PICTURES: Final = "bench.graph_analysis.pictures:run"
PRELOAD: Final = ("torch", "onnx", "bench.graph_analysis.work")
"""Modules to preload for the graphs of a run, whose inputs the tasks make; a user's file needs no torch."""
DEADLINE: Final = 600.0
"""Seconds for the graphs of one model."""

MANY: Final = 24
"""Number of graphs whose pictures take half a minute."""
PAIRED: Final = 5
"""Number of files of which every pair is compared; of more, each is compared with the first."""
FIRST: Final = (ORIGINAL, TRAINED)
"""States from which others are made."""

Told = Callable[[str], None]
Done = Callable[[str, str, float], None]
"""Called with kind, name and seconds of each task when it has ended."""

ANALYSIS: Final = "analysis"
PICTURES_TASK: Final = "pictures"
"""Kinds of tasks: one analysis per model, one task of pictures per worker."""
WHOLE_SECONDS: Final = 40.0
"""Seconds of all workers together for the full drawings of large graphs, the smallest first: the report shows such a
graph as blocks, and the review draws every node of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A graph that a run has left."""

    cell: Cell
    path: Path
    relative: str
    """Path relative to the run folder."""


def graphs_of(run: Run) -> tuple[Kept, ...]:
    """Return the existing graphs of the run, in the order in which they were made.

    Of a state exported for several batches only the smallest: except for the batch the graphs are the same.
    """
    found: dict[tuple[str, str, str, str], Kept] = {}
    for record in run.records:
        for artifact in record.artifacts:
            pure, cell = Path(artifact.path), record.cell
            if artifact.kind != "onnx" or ".." in pure.parts or pure.is_absolute():
                continue
            kept = Kept(cell=cell, path=run.folder / pure, relative=artifact.path)
            place = (cell.model, cell.size, cell.device, cell.variant)
            known = found.get(place)
            if (
                kept.path.is_file()
                and is_inside(kept.path, run.folder)
                and (
                    known is None
                    or (cell.batch, cell.length) < (known.cell.batch, known.cell.length)
                )
            ):
                found[place] = kept
    return tuple(found.values())


def make_anatomies(
    run: Run,
    *,
    workers: Sequence[Worker] = (),
    draws_all: bool = True,
    tell: Told = lambda text: None,
    done: Done = lambda kind, name, seconds: None,
) -> Anatomies:
    """Return the anatomies of the run's graphs, making missing ones. Does not raise for a bad graph.

    `draws_all`: draw every state of a large run too; otherwise, with more than MANY graphs, only the first state of
    each model.

    `workers`: open ones, which analyse and draw side by side; nodes are timed by one while the others wait. Without
    any, a launcher is started if there is work. `tell` is called with a line at the start of each task, `done` at its
    end.
    """
    known, kept = load_anatomies(run.folder), graphs_of(run)
    todo = [graph for graph in kept if not is_fresh(known, graph.path)]
    drawn = [g for g in kept if draws_all or len(kept) <= MANY or g.cell.variant in FIRST]
    undrawn = [g for g in drawn if not _is_drawn(known, g.path)]
    if not todo and (not undrawn or (known.no_pictures and not has_browser())):
        return known
    out = folder_of(run.folder)
    try:
        out.mkdir(exist_ok=True)
    except OSError:  # a run folder that is not writable is shown without anatomies
        return known
    own = None if workers else Launcher(preload=PRELOAD)
    doers = [*workers, *([own] if own else [])]
    try:
        options = run.info.get("options")
        groups = longest_first(_by_model(kept, {g.path for g in todo}))
        with scratch_folder() as folder:
            quiet = str(folder / "lock") if len(doers) > 1 else ""
            tasks = [
                Task(
                    kind=ANALYSIS,
                    name=cells[0].cell.model,
                    run=partial(_take_apart, cells, out, options, quiet=quiet, tell=tell),
                )
                for cells in groups
            ]
            problems = over(tasks, doers, done)
        known = load_anatomies(run.folder)
        missing = {
            graph.path.stem: graph.path
            for graph in drawn
            if graph.path.stem in known.by_stem and not _is_drawn(known, graph.path)
        }
        problems += draw(missing, out, doers, tell, done)
    finally:
        if own is not None:
            own.close()
    known = load_anatomies(run.folder)
    return Anatomies(
        by_stem=known.by_stem,
        pictures=known.pictures,
        differences=known.differences,
        no_pictures=known.no_pictures,
        problems=(*known.problems, *problems),
    )


def take_files_apart(
    paths: Mapping[str, Path],
    out: Path,
    *,
    sizes: Mapping[str, int] | None = None,
    tell: Told = lambda text: None,
) -> list[str]:
    """Write anatomies of a user's ONNX files, run on random numbers, and pictures of all files, into `out`; return the
    problems.

    `paths`: stem of the output files -> file. Every ONNX file is compared with the first, and the first PAIRED with one
    another. `sizes`: open axis -> extent.
    """
    out.mkdir(parents=True, exist_ok=True)
    launcher = Launcher(preload=("onnx", "bench.graph_analysis.work"))
    problems = []
    try:
        tell(f"taking {len(paths)} {'file' if len(paths) == 1 else 'files'} apart ...")
        names = dict(zip(paths, distinct_names(list(paths.values())), strict=True))
        graphs = [(s, p) for s, p in paths.items() if p.suffix.lower() == ".onnx"]
        asked: list[tuple[tuple[str, Path], ...]] = [(graph,) for graph in graphs[:1]]
        asked += list(combinations(graphs[1:PAIRED], 2))
        # Last, so that the numbers kept with a file are those against the first.
        asked += [(graphs[0], graph) for graph in graphs[1:]]
        for *before, (stem, path) in asked:
            entries = [_asked(p, s, names[s], "") for s, p in before]
            entries.append(_asked(path, stem, names[stem], names[before[0][0]] if before else ""))
            given = GraphOptions(out=str(out), graphs=tuple(entries), sizes=dict(sizes or {}))
            options = JobOptions().extended(given)
            job = Job(runner=WORK, options=options, deadline=DEADLINE)
            problems += _problems(launcher.run(job))
        return [*dict.fromkeys(problems), *draw(paths, out, [launcher], tell)]
    finally:
        launcher.close()


def draw(
    paths: Mapping[str, Path],
    out: Path,
    workers: Sequence[Worker],
    tell: Told,
    done: Done = lambda kind, name, seconds: None,
) -> list[str]:
    """Draw Netron's pictures of these graphs (stem -> file) into `out` next to their anatomies, with one browser per
    worker; return the problems.
    """
    if not paths:
        return []
    tell(f"drawing {len(paths)} {'graph' if len(paths) == 1 else 'graphs'} ...")
    # Dealt by size, so that every browser has large and small ones.
    stems = sorted(paths, key=lambda stem: -paths[stem].stat().st_size)
    shares = [share for n in range(len(workers)) if (share := stems[n :: len(workers)])]

    def drawn(share: Sequence[str], worker: Worker) -> list[str]:
        graphs = tuple(AskedGraph(path=str(paths[s].resolve()), stem=s) for s in share)
        asked = GraphOptions(
            out=str(out.resolve()), graphs=graphs, whole_seconds=WHOLE_SECONDS / len(shares)
        )
        options = JobOptions().extended(asked)
        deadline = DEADLINE + 10.0 * len(share)
        return _problems(worker.run(Job(runner=PICTURES, options=options, deadline=deadline)))

    tasks = [
        Task(
            kind=PICTURES_TASK,
            name="1 graph" if len(share) == 1 else f"{len(share)} graphs",
            run=partial(drawn, share),
        )
        for share in shares
    ]
    return over(tasks, workers, done)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work for any worker."""

    kind: str
    name: str
    run: Callable[[Worker], list[str]]
    """Returns the problems."""


def over(tasks: Sequence[Task], workers: Sequence[Worker], done: Done) -> list[str]:
    """Return the problems of all tasks, each done by whichever worker is free; `done` is called for one at a time."""
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)
    telling = Lock()

    def one(task: Task) -> list[str]:
        worker, began = free.get(), time.monotonic()
        try:
            return task.run(worker)
        finally:
            free.put(worker)
            with telling:
                done(task.kind, task.name, time.monotonic() - began)

    pool = ThreadPoolExecutor(max(1, len(workers)))
    try:
        return [problem for found in pool.map(one, tasks) for problem in found]
    finally:  # not awaited where it is left by Ctrl-C: whoever owns the workers closes them
        pool.shutdown(wait=False, cancel_futures=True)


def _by_model(kept: Sequence[Kept], stale: set[Path]) -> list[list[Kept]]:
    """Return the graphs grouped by model, size, batch and length if any of a group is stale: states are analysed
    together.
    """
    groups: dict[tuple[str, str, str, str], list[Kept]] = {}
    for graph in kept:
        cell = graph.cell
        groups.setdefault((cell.model, cell.size, cell.device, cell.extent), []).append(graph)
    return [group for group in groups.values() if any(graph.path in stale for graph in group)]


def longest_first(groups: Sequence[list[Kept]]) -> list[list[Kept]]:
    """Return the groups in the order in which they are analysed, so that no worker is left with a long one alone.

    A graph that took long to export takes long to run, however few bytes it has; among unknown models bytes decide.
    """

    def length(group: Sequence[Kept]) -> tuple[float, int]:
        cell = group[0].cell
        num_bytes = sum(graph.path.stat().st_size for graph in group)
        return weight_of(cell.size, cell.model, EXPORT), num_bytes

    return sorted(groups, key=length, reverse=True)


def _take_apart(
    kept: Sequence[Kept], out: Path, options: object, worker: Worker, *, quiet: str, tell: Told
) -> list[str]:
    cell = kept[0].cell
    tell(f"taking {cell.model} apart, {len(kept)} {'graph' if len(kept) == 1 else 'graphs'} ...")
    variants = {graph.cell.variant for graph in kept}
    order = list(VARIANTS)
    graphs = tuple(
        AskedGraph(
            path=str(graph.path.resolve()),
            stem=graph.path.stem,
            relative=graph.relative,
            variant=graph.cell.variant,
            parent=parent if (parent := _parent(graph.cell.variant)) in variants else "",
        )
        for graph in sorted(kept, key=lambda g: _place(order, g.cell.variant))
    )
    asked: Mapping[str, Any] = options if isinstance(options, Mapping) else {}
    given = {
        name: asked[name]
        for name in ("models_from", "sources", "seed", "threads")
        if asked.get(name)
    }
    job = CellJob(
        runner=WORK,
        cell=cell,
        options=JobOptions.from_dict(given).extended(
            GraphOptions(out=str(out.resolve()), graphs=graphs, quiet=quiet)
        ),
        deadline=DEADLINE,
    )
    return [f"{cell.model}: {problem}" for problem in _problems(worker.run(job))]


def _problems(answer: Answer) -> list[str]:
    if answer.outcome is not Outcome.PASSED:
        told = answer.failure.message.splitlines()[0] if answer.failure else answer.outcome.value
        return [f"it was not taken apart ({told[:200]})"]
    return list(answer.read(GraphProblems).problems)


def _asked(path: Path, stem: str, variant: str, parent: str) -> AskedGraph:
    return AskedGraph(
        path=str(path.resolve()), stem=stem, relative=path.name, variant=variant, parent=parent
    )


def _parent(variant: str) -> str:
    return VARIANTS[variant].parent if variant in VARIANTS else ""


def _place(order: Sequence[str], variant: str) -> int:
    return order.index(variant) if variant in order else len(order)


def _is_drawn(known: Anatomies, path: Path) -> bool:
    picture = known.pictures.get(path.stem)
    return picture is not None and picture.stamp == stamp_of(path)
