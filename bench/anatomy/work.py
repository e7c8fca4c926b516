"""Worker side. Takes the graphs of one model apart: numbers at rest, numbers in a run, time of nodes, differences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.anatomy.activations import layers_from, shown_values
from bench.anatomy.attaching import attachment_of
from bench.anatomy.folder import ANATOMY, BETWEEN, DIFFERENCE, METRICS, write_whole
from bench.anatomy.record import Anatomy
from bench.anatomy.running import random_feeds, time_of_nodes, values_of_a_run
from bench.anatomy.static import anatomy_of
from bench.graphs.document import to_json
from bench.graphs.observed import shapes_of_a_run
from bench.graphs.record import Graph
from bench.graphs.weights import compare_files
from bench.netron.attachment import tensor_errors, write_attachment
from suite.worker.protocol import Emit, Job

Graphs = list[tuple[dict[str, Any], Anatomy, Graph]]


def run(job: Job, emit: Emit) -> dict[str, Any]:
    """Writes the anatomies of `options["graphs"]` into the folder `options["out"]`; facts: `problems`.

    Each graph has `path`, `relative`, `variant`, `parent` (the variant it is compared with, or empty) and `facts` (for
    the attachment), parents first. Without a cell they are files of the user's, and run on random numbers.
    """
    out, asked = Path(job.options["out"]), job.options["graphs"]
    threads = int(job.options.get("threads", 0))
    emit("phase", name="input")
    feeds, fed, problems = _feeds(job, Path(asked[0]["path"]), emit)
    emit("phase", name="read")
    found: Graphs = []
    for entry in asked:
        try:
            found.append((entry, *_read(job, entry, feeds)))
        except Exception as error:  # a broken graph of one state costs that state alone
            problems.append(f"{Path(entry['path']).name}: {_told(error)}")
    emit("phase", name="run")
    found = _run(found, feeds, fed, threads) if feeds is not None else found
    emit("phase", name="compare")
    for entry, anatomy, graph in found:
        before = next((g for e, _, g in found if e["variant"] == entry["parent"]), None)
        anatomy, errors = _compared(out, before, graph, anatomy)
        stem = Path(entry["path"]).stem
        write_whole(out / f"{stem}{ANATOMY}", json.dumps(anatomy.as_dict(), ensure_ascii=False))
        document = attachment_of(graph, anatomy, errors, entry.get("facts", {}))
        write_attachment(out / f"{stem}{METRICS}", document)
    return {"facts": {"problems": problems}}


def _feeds(job: Job, path: Path, emit: Emit) -> tuple[dict[str, Any] | None, str, list[str]]:
    """(input -> array, what they are, what went wrong); None when there is nothing to run on."""
    try:
        if job.cell is None:
            return random_feeds(path, {}), "random numbers", []
        from suite.backends.inputs import flatten_inputs
        from suite.catalog import spec_for
        from suite.subject import batch_of

        spec = spec_for(job.cell.model, job.options.get("models_from", ""))
        batch = batch_of(job, spec, emit)
        tensors = flatten_inputs(batch.inputs)
        data = batch.facts.get("data", "")
        many = "1 sample" if batch.num_samples == 1 else f"{batch.num_samples} samples"
        fed = f"{data}, {many}" if data else many
        return {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}, fed, []
    except Exception as error:
        return None, "", [f"nothing was run: {_told(error)}"]


def _read(
    job: Job, entry: Mapping[str, Any], feeds: Mapping[str, Any] | None
) -> tuple[Anatomy, Graph]:
    path = Path(entry["path"])
    named: Any = {
        "model": job.cell.model if job.cell else path.name,
        "size": job.cell.size if job.cell else "",
        "variant": str(entry["variant"]),
        "relative": str(entry["relative"]),
    }
    anatomy, graph = anatomy_of(path, **named)
    if feeds is None or not anatomy.num_uncounted:
        return anatomy, graph
    # Open axes have the extents of what is fed; what depends on the data is known in a run alone.
    sizes = {
        str(dim): int(extent)
        for value in graph.inputs
        if value.name in feeds
        for dim, extent in zip(value.shape or (), feeds[value.name].shape, strict=False)
        if isinstance(dim, str)
    }
    anatomy, graph = anatomy_of(path, sizes=sizes, **named)
    if anatomy.num_uncounted:
        names = {value.name for value in graph.inputs}
        shapes = shapes_of_a_run(path, {n: a for n, a in feeds.items() if n in names})
        anatomy, graph = anatomy_of(path, sizes=sizes, shapes=shapes, **named)
    return anatomy, graph


def _run(found: Graphs, feeds: Mapping[str, Any], fed: str, threads: int) -> Graphs:
    """The same with the spreads of activations and the time of nodes."""
    shown = shown_values([graph for _, _, graph in found])
    kept: dict[str, dict[str, Any]] = {}
    result: Graphs = []
    for entry, anatomy, graph in found:
        path = Path(entry["path"])
        try:
            names = {value.name for value in graph.inputs}
            own = {name: array for name, array in feeds.items() if name in names}
            spent, unassigned = time_of_nodes(path, graph, own, threads=threads)
            kept[entry["variant"]] = values = values_of_a_run(path, list(shown.values()), own)
            anatomy = replace(
                anatomy,
                fed=fed,
                parts=_timed(anatomy, graph, spent),
                seconds=sum(spent.values()) + unassigned,
                unassigned=unassigned,
                activations=layers_from(values, shown, kept.get(entry["parent"], {})),
            )
        except Exception as error:
            told = (*anatomy.problems, f"not run: {_told(error)}")
            anatomy = replace(anatomy, problems=told)
        result.append((entry, anatomy, graph))
    return result


def _timed(anatomy: Anatomy, graph: Graph, spent: Mapping[str, float]) -> Any:
    from bench.anatomy.record import Part

    known = {part.key: part for part in anatomy.parts}
    return tuple(
        replace(known[node.key], seconds=spent.get(node.key))
        if node.key in known
        else Part(
            key=node.key, operator=node.operator, scope=node.scope, macs=0, seconds=spent[node.key]
        )
        for node in graph.nodes
        if node.key in known or node.key in spent
    )


def _compared(
    out: Path, before: Graph | None, graph: Graph, anatomy: Anatomy
) -> tuple[Anatomy, dict[str, float]]:
    """The anatomy with the errors of its weights; the difference is written. (anatomy, tensor -> dB)."""
    if before is None:
        return anatomy, {}
    try:
        difference = compare_files(before, graph)
    except Exception as error:
        told = f"not compared with {Path(before.path).name}: {_told(error)}"
        return replace(anatomy, problems=(*anatomy.problems, told)), {}
    name = f"{Path(before.path).stem}{BETWEEN}{Path(graph.path).stem}{DIFFERENCE}"
    write_whole(out / name, to_json(difference))
    errors = tensor_errors(difference)
    weights = tuple(replace(w, snr_db=errors.get(w.actual)) for w in anatomy.weights)
    return replace(anatomy, weights=weights), errors


def _told(error: BaseException) -> str:
    lines: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
