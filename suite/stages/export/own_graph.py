"""Worker side. The export of a model that is a graph already: linked, checked, and run at every shape it promises."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from suite.axes import CPU, ORIGINAL
from suite.claims import Claim
from suite.data.sources import Source
from suite.onnx_summary import summary_of
from suite.origins.reference import ONNX
from suite.results.export import ExportResult
from suite.spec import ModelSpec
from suite.stages.export.attempts import check
from suite.stages.export.cache import put
from suite.stages.export.variants import variants
from suite.tasks.task_of import batch_for
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob, Emit


def graph_file(options: JobOptions, model: str, variant: str = ORIGINAL) -> Path | None:
    """Return the ONNX file that the model is, or None if it has a module."""
    origin = options.origins.get(model)
    if origin is None or variant != ORIGINAL:
        return None
    kind, _, target = origin.text.partition(":")
    return Path(target) if kind == ONNX else None


def place(
    job: CellJob, spec: ModelSpec, source: Source, graph: Path, output: Path, emit: Emit
) -> ExportResult:
    """Link the file to `output` with its external weights; raise the checker's and ONNX Runtime's errors.

    There is no module to compare it with: that it runs, at the example and at a second extent of every open axis, is
    what can be claimed.
    """
    from suite.backends.onnxruntime import feeds_for, open_session

    emit("phase", name="check")
    for name in _external(graph):
        put(graph.parent / name, output.parent / name)
    put(graph, output)
    check(output)
    emit("phase", name="session")
    session = open_session(output, CPU, job.options.threads)

    @cache
    def draw(num_samples: int, which: int) -> Any:
        seed = job.options.seed + which
        return batch_for(spec, job.cell.size, source, num_samples=num_samples, seed=seed).inputs

    ran, failed = [], []
    for variant in variants(spec, draw, job.cell.batch):
        place_of = f"{variant.axis} {variant.extent or ''}".strip()
        try:
            session.run(None, feeds_for(session, variant.inputs))
        except Exception as error:  # ONNX Runtime's own, of several classes
            failed.append(f"{place_of}: {str(error).splitlines()[0]}")
        else:
            ran.append(place_of)
    return ExportResult(
        onnx=summary_of(output, "file"),
        claims=(
            Claim(
                name="the graph runs at every shape that its axes promise",
                holds=not failed,
                evidence="; ".join(failed) or ", ".join(ran),
            ),
        ),
        provider=session.get_providers()[0],
    )


def _external(graph: Path) -> set[str]:
    """Return the names of the files with the graph's weights, beside it."""
    import onnx
    from onnx.external_data_helper import uses_external_data

    model = onnx.load(graph, load_external_data=False)
    return {
        entry.value
        for tensor in model.graph.initializer
        if uses_external_data(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }
