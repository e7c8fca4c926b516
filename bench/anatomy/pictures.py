"""Worker side. Netron's pictures of a run's graphs, one browser for all, coloured by where the time goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench import units
from bench.anatomy.folder import ANATOMY, DRAWN, MISSING, PICTURE, beside
from bench.anatomy.record import Anatomy, anatomy_from
from bench.anatomy.static import stamp_of
from bench.graphs.skeleton import skeleton_of
from bench.netron.blocks import block_names, steps_of_graph
from bench.netron.colours import heat
from bench.netron.fault import BrowserMissing, PictureError
from bench.netron.studio import Studio
from bench.whole import write_whole
from suite.worker.protocol import Emit, Job

MOST_NODES: Final = 500
"""A graph with more is drawn as blocks by module: at 547 nodes (bert at base) the layout takes 5.5 s, and nobody
could read it in a report; Netron itself shows all of them in the review."""
DEADLINE: Final = 60.0
"""Seconds for one picture."""


def run(job: Job, emit: Emit) -> dict[str, Any]:
    """Draws `options["graphs"]` (`path` and `stem` of each) into the folder `options["out"]`, beside their anatomies.

    Facts: `problems`, and `seconds` by stem. Without a browser nothing is drawn, and a file says so.
    """
    out = Path(job.options["out"])
    problems, seconds = [], {}
    emit("phase", name="draw")
    try:
        with Studio() as studio:
            for number, entry in enumerate(job.options["graphs"]):
                path, stem = Path(entry["path"]), str(entry["stem"])
                try:
                    seconds[stem] = _draw(studio, path, out / stem, f"g{number}-")
                except (PictureError, OSError, ValueError) as error:
                    problems.append(f"no picture of {path.name}: {str(error)[:300]}")
        (out / MISSING).unlink(missing_ok=True)
    except BrowserMissing as error:
        write_whole(out / MISSING, f"{error}\n")
    return {"facts": {"problems": problems, "seconds": seconds}}


def _draw(studio: Studio, path: Path, start: Path, prefix: str) -> float:
    """`start`: the files' path without their endings."""
    own, costs, by, title = beside(start, ANATOMY), dict[str, float](), "", path.name
    if own.is_file():  # a .pt2 program has none
        anatomy = anatomy_from(json.loads(own.read_text(encoding="utf-8")))
        costs, by = costs_of(anatomy)
        title = f"{anatomy.model} {anatomy.variant}"
    whole = sum(costs.values())
    notes = {key: f"{by}: {units.percent(cost / whole)}" for key, cost in costs.items() if whole}
    taken = studio.take(
        path,
        colours=heat(costs) or None,
        notes=notes,
        block_colours=heat(_by_block(path, costs)) or None,
        prefix=f"{start.name}-{prefix}",
        title=title,
        deadline=DEADLINE,
        most_nodes=MOST_NODES,
    )
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
    return taken.seconds


def costs_of(anatomy: Anatomy) -> tuple[dict[str, float], str]:
    """(key of a node of the main graph -> cost, what the cost is): time where it was taken, else MACs."""
    times = {p.key: p.seconds for p in anatomy.parts if p.seconds}
    if times:
        return times, "share of the time"
    return {p.key: float(p.macs) for p in anatomy.parts if p.macs}, "share of the MACs"


def _by_block(path: Path, costs: Mapping[str, float]) -> dict[str, float]:
    """Block of the summary -> cost; empty for a graph that is drawn whole."""
    if not costs:
        return {}
    skeleton = skeleton_of(path)
    if len(skeleton.keys) <= MOST_NODES:
        return {}
    names = block_names([step.scope for step in steps_of_graph(path, skeleton).steps])
    found: dict[str, float] = {}
    # Where functions were put in place there are more steps than keys; the blocks then stay grey.
    if len(names) != len(skeleton.keys):
        return {}
    for block, key in zip(names, skeleton.keys, strict=True):
        found[block] = found.get(block, 0.0) + costs.get(key, 0.0)
    return found
