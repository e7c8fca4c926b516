"""Worker side. The ONNX Runtime recipe: the parent's graph with 8-bit operators."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import torch

from suite.axes import EAGER, VARIANTS
from suite.quantization.dynamic import quantize_dynamic_graph
from suite.quantization.report import claims_of
from suite.quantization.sessions import open_quietly
from suite.quantization.static import quantize_static_graph
from suite.spec import ModelSpec
from suite.stages.export.quantized import GRAPH
from suite.stages.quantize.quantized_pair import QuantizedPair
from suite.states.store import StateMissing, module_of
from suite.training.quality import session_forward
from suite.training.setup import TrainingSetup
from suite.worker.protocol import CellJob, Emit

CALIBRATION_BATCH: Final = 8
"""Samples per forward pass during calibration; one if the graph takes no more."""


def quantize_graph(
    job: CellJob, spec: ModelSpec, setup: TrainingSetup, folder: Path, emit: Emit
) -> QuantizedPair:
    """Quantize the graph `options.parent_graph` by the record's method into the state's folder.

    Raises StateMissing when there is no such graph, and the engine's QuantizationError.
    """
    from suite.backends.onnxruntime import feeds_for

    graph, output = Path(job.options.parent_graph), folder / GRAPH
    if not graph.is_file():
        raise StateMissing(
            f"{graph.name}: no float graph to quantize; next: pytest suite -k export --models {spec.name}"
        )
    threads = job.options.threads
    settings = spec.sizes[job.cell.size].quantization
    reference = open_quietly(graph, threads)
    if settings.method == "static":
        feeds = calibration(setup, reference, settings.calibration_samples)
        report = quantize_static_graph(
            graph,
            output,
            feeds,
            settings,
            keeps_eight_bits=job.cell.variant in settings.eight_bits,
            threads=threads,
        )
    else:
        report = quantize_dynamic_graph(graph, output, settings)
    quantized = open_quietly(output, threads)
    inputs = next(setup.batches(batch=job.cell.batch)).inputs
    module = module_of(job, spec, VARIANTS[job.cell.variant].parent)

    def eager() -> None:
        with torch.inference_mode():
            module(**inputs)

    return QuantizedPair(
        reference=session_forward(reference),
        quantized=session_forward(quantized),
        calls={EAGER: eager}
        | {
            name: partial(session.run, None, feeds_for(session, inputs))
            for name, session in (("float", reference), ("quantized", quantized))
        },
        claims=claims_of(report, settings),
        report=report,
    )


def calibration(setup: TrainingSetup, session: Any, num_samples: int) -> Iterator[dict[str, Any]]:
    """Yield feeds of real training samples for calibration."""
    from suite.backends.onnxruntime import feeds_for

    size = min(CALIBRATION_BATCH, setup.test()[0].num_samples)
    batches = setup.batches(batch=size)
    for batch in islice(batches, -(-num_samples // size)):
        yield feeds_for(session, batch.inputs)
