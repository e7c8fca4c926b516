"""Worker side. Analysis of the graphs of one model: weights, activations, time of nodes, differences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.graph_analysis.activations import layers_from, shown_values, values_in
from bench.graph_analysis.causes import causes_of
from bench.graph_analysis.evidence import Evidence
from bench.graph_analysis.folder import ANATOMY, BETWEEN, DIFFERENCE, METRICS
from bench.graph_analysis.jobs import AskedGraph, GraphOptions, GraphProblems
from bench.graph_analysis.modules import scopes_in, weight_names
from bench.graph_analysis.profiled import CPU_PROVIDER, product_rate
from bench.graph_analysis.quiet import alone, beside
from bench.graph_analysis.record import Anatomy, Layer, Part, layer_name
from bench.graph_analysis.running import time_of_nodes, values_of_a_run, working_feeds
from bench.graph_analysis.spread import Spread
from bench.graph_analysis.static import anatomy_of
from bench.graph_diff.difference import Difference, tensor_errors
from bench.graph_diff.document import to_json
from bench.graph_diff.weights import compare_files
from bench.graph_diff.wording import changes_text
from bench.netron.attachment import attachment, write_attachment
from bench.onnx_graph.distribution import Histogram, histogram_text
from bench.onnx_graph.observed import shapes_of_a_run
from bench.onnx_graph.read import read
from bench.onnx_graph.record import Graph
from diagnostics.atomic_write import write_whole
from suite import units
from suite.results.step_output import StepOutput
from suite.worker.protocol import CellJob, Emit, Job

Graphs = list[tuple[AskedGraph, Anatomy, Graph]]


def run(job: Job, emit: Emit) -> StepOutput[GraphProblems]:
    """Write the anatomies of the requested graphs into a folder. Options: GraphOptions.

    The graphs of a job without a cell are a user's files; they run on random numbers, with open axes set from `sizes`.
    """
    options = job.read(GraphOptions)
    out, asked = Path(options.out), options.graphs
    threads = job.options.threads
    emit("phase", name="input")
    with beside(options.quiet):
        feeds, fed, problems = _feeds(job, [Path(entry.path) for entry in asked], emit)
        emit("phase", name="read")
        found: Graphs = []
        for entry in asked:
            try:
                found.append((entry, *_read(job, entry, feeds.get(entry.path, {}))))
            except Exception as error:  # a broken graph of one state affects that state alone
                problems.append(f"{Path(entry.path).name}: {_told(error)}")
    emit("phase", name="run")
    found = _run(found, feeds, fed, threads, options.quiet)
    emit("phase", name="compare")
    with beside(options.quiet):
        _write(found, out)
    return StepOutput(result=GraphProblems(problems=tuple(problems)))


def _write(found: Graphs, out: Path) -> None:
    """Write the anatomies, their differences from the parents, and Netron's attachments."""
    for entry, anatomy, graph in found:
        stem = entry.stem
        parent = next(((e, g) for e, _, g in found if e.variant == entry.parent), None)
        difference = None
        if parent is not None:
            anatomy, difference = _compared(parent[1], graph, anatomy)
        if parent is not None and difference is not None:
            name = f"{parent[0].stem}{BETWEEN}{stem}{DIFFERENCE}"
            write_whole(out / name, to_json(_named(difference)))
        write_whole(out / f"{stem}{ANATOMY}", json.dumps(anatomy.as_dict(), ensure_ascii=False))
        document = attachment_of(graph, anatomy, difference, against=entry.parent)
        write_attachment(out / f"{stem}{METRICS}", document)


def _named_by_module(found: Graphs) -> Graphs:
    """Return the same with weights that an exporter has numbered named after the module that uses them."""
    scopes = scopes_in(graph.nodes for _, _, graph in found)
    named = []
    for entry, anatomy, graph in found:
        names = weight_names(graph, [layer.actual for layer in anatomy.weights], scopes)
        weights = tuple(replace(layer, name=names[layer.actual]) for layer in anatomy.weights)
        named.append((entry, replace(anatomy, weights=weights), graph))
    return named


def _feeds(
    job: Job, paths: Sequence[Path], emit: Emit
) -> tuple[dict[str, dict[str, Any]], str, list[str]]:
    """Return (path -> input -> array, description of the data, problems); paths without data are left out."""
    if not isinstance(job, CellJob):
        found, problems = {}, []
        sizes = job.read(GraphOptions).sizes
        for path in paths:
            try:
                found[str(path)] = working_feeds(path, sizes)
            except Exception as error:
                problems.append(f"{path.name} was not run: {_told(error)}")
        return found, "random numbers", problems
    try:
        tensors, fed = batch_arrays(job, emit)
    except Exception as error:
        return {}, "", [f"nothing was run: {_told(error)}"]
    return {str(path): tensors for path in paths}, fed, []


def batch_arrays(job: CellJob, emit: Emit) -> tuple[dict[str, Any], str]:
    """Return (input -> array of the model's own batch, its description)."""
    from suite.built_model import batch_of
    from suite.flat_tensors import flatten_inputs
    from suite.origins.find import spec_of

    spec = spec_of(job)
    batch = batch_of(job, spec, emit)
    data = batch.data.name if batch.data else ""
    many = "1 sample" if batch.num_samples == 1 else f"{batch.num_samples} samples"
    tensors = flatten_inputs(batch.inputs)
    arrays = {name: tensor.contiguous().numpy() for name, tensor in tensors.items()}
    return arrays, f"{data}, {many}" if data else many


def _read(job: Job, entry: AskedGraph, feeds: Mapping[str, Any]) -> tuple[Anatomy, Graph]:
    path = Path(entry.path)
    named: Any = {
        "model": job.cell.model if isinstance(job, CellJob) else path.name,
        "size": job.cell.size if isinstance(job, CellJob) else "",
        "variant": entry.variant,
        "relative": entry.relative,
    }
    sizes: dict[str, int] | None = None
    problems: tuple[str, ...] = ()
    graph = read(path)
    if feeds and (not isinstance(job, CellJob) or graph.num_uncounted):
        # Open axes have the extents of the feeds.
        sizes = fed_sizes(graph, feeds)
        graph = read(path, sizes=sizes)
    if feeds and graph.num_uncounted:
        names = {value.name for value in graph.inputs}
        try:  # data-dependent shapes are known only in a run
            shapes = shapes_of_a_run(path, {n: a for n, a in feeds.items() if n in names})
        except Exception as error:  # the nodes that depend on it stay uncounted
            problems = (f"shapes that depend on the data are not known: {_told(error)}",)
        else:
            graph = read(path, sizes=sizes, shapes=shapes)
    anatomy, graph = anatomy_of(path, graph=graph, **named)
    problems += _unknown_axes(graph, job.read(GraphOptions).sizes)
    return replace(anatomy, problems=(*anatomy.problems, *problems)), graph


def fed_sizes(graph: Graph, feeds: Mapping[str, Any]) -> dict[str, int]:
    """Return open axis -> its extent in the feeds."""
    return {
        f"{value.name}:{place}" if dim == "?" else str(dim): int(extent)
        for value in graph.inputs
        if value.name in feeds
        for place, (dim, extent) in enumerate(
            zip(value.shape or (), feeds[value.name].shape, strict=False)
        )
        if isinstance(dim, str)
    }


def _unknown_axes(graph: Graph, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Return a sentence for sizes that the user gave to axes that the graph does not have."""
    known = {*graph.open_axes}
    known |= {f"{v.name}:{n}" for v in graph.inputs for n in range(len(v.shape or ()))}
    unknown = ", ".join(name for name in sizes if name not in known)
    axes = ", ".join(graph.open_axes) or "none"
    return (f"--axes: no open axis is called {unknown}; open: {axes}",) if unknown else ()


def _run(
    found: Graphs, feeds: Mapping[str, Mapping[str, Any]], fed: str, threads: int, quiet: str = ""
) -> Graphs:
    """Return the graphs with the spreads of activations and the time of nodes added; nodes are timed alone."""
    shown = shown_values([graph for _, _, graph in found])
    kept: dict[str, dict[str, Any]] = {}
    result: Graphs = []
    with alone(quiet):
        peak = product_rate(threads) if feeds else 0.0
    for entry, anatomy, graph in found:
        path = Path(entry.path)
        if entry.path not in feeds:
            result.append((entry, anatomy, graph))
            continue
        try:
            names = {value.name for value in graph.inputs}
            own = {n: array for n, array in feeds[entry.path].items() if n in names}
            times = time_of_nodes(
                path, graph, own, threads=threads, beside=beside(quiet), alone=alone(quiet)
            )
            evidence = Evidence(nodes=times.nodes, provider=CPU_PROVIDER, peak=peak)
            with beside(quiet):
                told = values_in(graph, shown)
                values = values_of_a_run(path, list(told.values()), own)
                kept[entry.variant] = {layer: values[v] for layer, v in told.items() if v in values}
                anatomy = replace(
                    anatomy,
                    fed=fed,
                    parts=_timed(anatomy, graph, times.spent),
                    seconds=sum(times.spent.values()) + times.unassigned,
                    causes=causes_of(evidence),
                    activations=layers_from(values, told, kept.get(entry.parent, {})),
                )
        except Exception as error:
            problems = (*anatomy.problems, f"not run: {_told(error)}")
            anatomy = replace(anatomy, problems=problems)
        result.append((entry, anatomy, graph))
    return result


def _timed(anatomy: Anatomy, graph: Graph, spent: Mapping[str, float]) -> tuple[Part, ...]:
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


def _compared(before: Graph, graph: Graph, anatomy: Anatomy) -> tuple[Anatomy, Difference | None]:
    """Return the anatomy with the errors of its weights, and the difference; None if it cannot be made."""
    try:
        difference = compare_files(before, graph)
    except Exception as error:
        told = f"not compared with {Path(before.path).name}: {_told(error)}"
        return replace(anatomy, problems=(*anatomy.problems, told)), None
    errors = tensor_errors(difference)
    weights = tuple(replace(w, snr_db=errors.get(w.actual)) for w in anatomy.weights)
    return replace(anatomy, weights=weights), difference


def _named(difference: Difference) -> Difference:
    """Return the difference with file names instead of paths, because run folders are shared."""
    sides = (difference.before, difference.after)
    before, after = (replace(side, path=Path(side.path).name) for side in sides)
    return replace(difference, before=before, after=after)


def _told(error: BaseException) -> str:
    lines: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]


# Conversion of an anatomy to Netron's attachment, which shows its numbers in Netron's sidebar.


def attachment_of(
    graph: Graph, anatomy: Anatomy, difference: Difference | None = None, *, against: str = ""
) -> dict[str, Any]:
    """Return the document: MACs, latency and error of nodes; histogram, zeros and error of tensors and values.

    `difference`: from the state called `against`, added to the nodes.
    """
    errors = tensor_errors(difference) if difference else {}
    known = [layer for layer in anatomy.activations if layer.snr_db is not None]
    of_values = {layer.actual: layer.snr_db for layer in known if layer.snr_db is not None}
    by_layer = {layer.name: layer.snr_db for layer in known if layer.snr_db is not None}
    names = {node.key: layer_name(node.key) for node in graph.nodes}
    of_nodes = {key: by_layer[name] for key, name in names.items() if name in by_layer}
    document = attachment(
        graph,
        latency={p.key: p.seconds for p in anatomy.parts if p.seconds is not None},
        histograms={w.actual: histogram_of(w.spread) for w in anatomy.weights},
        errors={**of_nodes, **of_values, **errors},
        facts=_facts(anatomy),
    )
    rows = document["metrics"]
    if difference is not None:
        rows.extend(_changes(difference, f"against {against}"))
    for kind, layers in (("tensor", anatomy.weights), ("value", anatomy.activations)):
        for layer in layers:
            rows.extend(_rows(kind, layer))
    return document


def histogram_of(spread: Spread) -> Histogram:
    """Return the spread as a one-line histogram: neighbouring bins are merged in pairs."""
    pairs = zip(spread.counts[::2], spread.counts[1::2], strict=False)
    return Histogram(
        low=spread.low,
        high=spread.high,
        counts=tuple(a + b for a, b in pairs),
        num_other=spread.num_other,
    )


def _facts(anatomy: Anatomy) -> dict[str, str | int | float]:
    found: dict[str, str | int | float] = {
        "state": anatomy.variant,
        "sparsity of the weights": units.percent(anatomy.sparsity),
    }
    if anatomy.seconds is not None:
        found["one profiled run"] = f"{units.seconds(anatomy.seconds)} on {anatomy.fed}"
    return found


def _changes(difference: Difference, name: str) -> Iterator[dict[str, Any]]:
    """Yield the changes of nodes, attached to nodes of the later state."""
    for node in difference.added:
        yield _row("node", node.drawn, name, "added")
    for change in difference.changed:
        yield _row("node", change.after.drawn, name, changes_text(change)[:200])


def _rows(kind: str, layer: Layer) -> list[dict[str, Any]]:
    spread = layer.spread
    rows = [
        ("mean ± deviation", f"{spread.mean:.3g} ± {spread.std:.3g}"),
        ("zeros", units.percent(spread.sparsity)),
    ]
    if kind == "value":
        rows.insert(0, ("activation", histogram_text(histogram_of(spread))))
    return [_row(kind, layer.actual, name, value) for name, value in rows]


def _row(kind: str, target: str, name: str, value: str) -> dict[str, Any]:
    # Netron uses the first line of a name as its key.
    return {"kind": kind, "target": target.split("\n", 1)[0], "name": name, "value": value}
