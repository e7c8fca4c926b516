"""Worker side. Netron's pictures of a run's graphs, drawn in one browser and coloured by time per node."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.graph_analysis.folder import ANATOMY, DRAWN, MISSING, PICTURE, WHOLE, beside
from bench.graph_analysis.jobs import GraphOptions, GraphProblems
from bench.graph_analysis.record import Anatomy, anatomy_from, stamp_of
from bench.netron.blocks import block_names, steps_of_graph
from bench.netron.colours import heat
from bench.netron.errors import BrowserMissing, PictureError
from bench.netron.studio import Picture, Studio
from bench.onnx_graph.skeleton import skeleton_of
from diagnostics.atomic_write import write_whole
from suite import units
from suite.results.step_output import StepOutput
from suite.worker.protocol import Emit, Job

MOST_NODES: Final = 500
"""Maximum number of nodes drawn individually in the report; a larger graph is drawn as blocks by module, because it
would be unreadable, and 1.5 MB at 547 nodes (bert at base). The full drawing is a separate file, and Netron itself
shows all nodes in the review.
"""
DEADLINE: Final = 60.0
"""Seconds for one picture."""
WHOLE_NODES: Final = 5000
"""Maximum number of nodes for the full drawing; a larger graph is drawn as blocks alone."""
WHOLE_DEADLINE: Final = 30.0
"""Seconds for the full drawing of a large graph; that of llama at base takes 80 s."""


def run(job: Job, emit: Emit) -> StepOutput[GraphProblems]:
    """Draw the requested graphs into a folder, next to their anatomies. Options: GraphOptions.

    Without a browser nothing is drawn, and a file with the reason is written.
    """
    options = job.read(GraphOptions)
    out = Path(options.out)
    problems, large = [], []
    emit("phase", name="draw")
    try:
        with Studio() as studio:
            for number, entry in enumerate(options.graphs):
                path, stem = Path(entry.path), entry.stem
                try:
                    taken = _draw(studio, path, out / stem, f"g{number}-")
                except (PictureError, OSError, ValueError) as error:
                    problems.append(f"no picture of {path.name}: {str(error)[:300]}")
                    continue
                if taken.is_summary and taken.num_nodes <= WHOLE_NODES:
                    large.append((taken.num_nodes, path, out / stem))
            emit("phase", name="draw_whole")
            until = time.monotonic() + options.whole_seconds
            for _, path, start in sorted(large):  # the smallest first, so that most finish in time
                if time.monotonic() < until:
                    _draw_whole(studio, path, start)
        (out / MISSING).unlink(missing_ok=True)
    except BrowserMissing as error:
        write_whole(out / MISSING, f"{error}\n")
    return StepOutput(result=GraphProblems(problems=tuple(problems)))


def _draw(studio: Studio, path: Path, start: Path, prefix: str) -> Picture:
    """Draw the graph; `start` is the path of the output files without their endings."""
    costs, by, title = _told(path, start)
    taken = studio.take(
        path,
        colours=heat(costs) or None,
        notes=_notes(costs, by),
        block_colours=heat(_by_block(path, costs)) or None,
        prefix=f"{start.name}-{prefix}",
        title=title,
        deadline=DEADLINE,
        most_nodes=MOST_NODES,
    )
    beside(start, WHOLE).unlink(missing_ok=True)  # from an earlier state of the graph
    write_whole(beside(start, PICTURE), taken.svg)
    known = {
        "width": taken.width,
        "height": taken.height,
        "num_nodes": taken.num_nodes,
        "is_summary": taken.is_summary,
        "coloured_by": by if costs else "",
        "stamp": stamp_of(path),
    }
    write_whole(beside(start, DRAWN), json.dumps(known))
    return taken


def _draw_whole(studio: Studio, path: Path, start: Path) -> None:
    """Write the drawing of every node to a separate file, unless it takes too long, since the blocks are drawn too."""
    try:
        costs, by, title = _told(path, start)
        taken = studio.take(
            path,
            colours=heat(costs) or None,
            notes=_notes(costs, by),
            title=title,
            deadline=WHOLE_DEADLINE,
            most_nodes=WHOLE_NODES,
        )
        write_whole(beside(start, WHOLE), taken.svg)
    except (PictureError, OSError, ValueError):
        return


def _told(path: Path, start: Path) -> tuple[dict[str, float], str, str]:
    """Return (node -> cost, kind of cost, title of the picture)."""
    own = beside(start, ANATOMY)
    if not own.is_file():  # a .pt2 program has no anatomy
        return {}, "", path.name
    anatomy = anatomy_from(json.loads(own.read_text(encoding="utf-8")))
    return (*costs_of(anatomy), f"{anatomy.model} {anatomy.variant}")


def _notes(costs: Mapping[str, float], by: str) -> dict[str, str]:
    """Return node -> text of its tooltip."""
    whole = sum(costs.values())
    return {key: f"{by}: {units.percent(cost / whole)}" for key, cost in costs.items() if whole}


def costs_of(anatomy: Anatomy) -> tuple[dict[str, float], str]:
    """Return (key of a node of the main graph -> cost, kind of cost): time if measured, else MACs."""
    times = {p.key: p.seconds for p in anatomy.parts if p.seconds}
    if times:
        return times, "share of the time"
    return {p.key: float(p.macs) for p in anatomy.parts if p.macs}, "share of the MACs"


def _by_block(path: Path, costs: Mapping[str, float]) -> dict[str, float]:
    """Return block of the summary -> cost; empty for a graph that is drawn whole."""
    if not costs:
        return {}
    skeleton = skeleton_of(path)
    if len(skeleton.keys) <= MOST_NODES:
        return {}
    names = block_names([step.scope for step in steps_of_graph(path, skeleton).steps])
    found: dict[str, float] = {}
    # With inlined functions there are more steps than keys; the blocks then stay grey.
    if len(names) != len(skeleton.keys):
        return {}
    for block, key in zip(names, skeleton.keys, strict=True):
        found[block] = found.get(block, 0.0) + costs.get(key, 0.0)
    return found
