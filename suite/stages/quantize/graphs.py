"""Worker side. The ONNX Runtime recipe: the parent's graph with 8-bit operators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import torch

from suite.axes import EAGER, ORIGINAL, VARIANTS
from suite.data.splits import TRAIN_SPLIT
from suite.flat_tensors import flatten_inputs
from suite.lifecycle import Quantization
from suite.quantization.count import weights_by_operator
from suite.quantization.dynamic import quantize_dynamic_graph
from suite.quantization.report import claims_of
from suite.quantization.sessions import open_quietly
from suite.quantization.static import quantize_static_graph
from suite.results.quantize import QuantizationReport
from suite.spec import ModelSpec
from suite.stages.export.own_graph import graph_file
from suite.stages.export.quantized import GRAPH
from suite.stages.quantize.quantized_pair import GraphRecipe, QuantizedPair
from suite.states.store import StateMissing, module_of, source_of
from suite.tasks.batch import Batch
from suite.tasks.task_of import batch_for
from suite.training.quality import session_forward
from suite.training.setup import TrainingSetup
from suite.worker.protocol import CellJob, Emit

STATIC: Final = "static"
FIRST_DRAW: Final = 1000
"""Seed of the first sample for calibration, beyond those that results are judged on."""
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
    settings = with_method(spec.sizes[job.cell.size].quantization, graph)
    is_as_built = VARIANTS[job.cell.variant].parent == ORIGINAL

    def samples_to_calibrate() -> Iterator[dict[str, Any]]:
        samples = drawn(job, spec) if is_as_built else setup.batches(batch=batch_size(setup))
        return calibration(samples, settings.calibration_samples)

    def make(
        source: Path, written: Path, chosen: Quantization, changes: Mapping[str, Any], /
    ) -> QuantizationReport:
        if chosen.method != STATIC:
            return quantize_dynamic_graph(source, written, chosen, **changes)
        return quantize_static_graph(
            source,
            written,
            samples_to_calibrate(),
            chosen,
            **{
                "keeps_eight_bits": job.cell.variant in chosen.eight_bits,
                "threads": threads,
                **changes,
            },
        )

    # Sessions hold the weights once more: they are opened when the quantizer has let go of its copies.
    report = make(graph, output, settings, {})
    reference, quantized = open_quietly(graph, threads), open_quietly(output, threads)
    samples = drawn(job, spec) if is_as_built else setup.batches(batch=job.cell.batch)
    inputs = next(iter(samples)).inputs
    has_module = graph_file(job.options, spec.name) is None
    module: Any = module_of(job, spec, VARIANTS[job.cell.variant].parent) if has_module else None

    def eager() -> None:
        with torch.inference_mode():
            module(**inputs)

    return QuantizedPair(
        reference=session_forward(reference),
        quantized=session_forward(quantized),
        calls=({EAGER: eager} if has_module else {})
        | {
            name: partial(session.run, None, feeds_for(session, inputs))
            for name, session in (("float", reference), ("quantized", quantized))
        },
        claims=claims_of(report, settings),
        report=report,
        recipe=GraphRecipe(
            graph=graph,
            output=output,
            settings=settings,
            threads=threads,
            make=make,
            samples=samples_to_calibrate,
        ),
    )


def with_method(settings: Quantization, graph: Path) -> Quantization:
    """Return the settings with the method `auto` decided: by where most of the graph's stored weights are."""
    if settings.method != "auto":
        return settings
    import onnx

    sizes = weights_by_operator(onnx.load(graph))
    in_convolutions = sizes.get("Conv", 0) + sizes.get("ConvTranspose", 0)
    return replace(
        settings, method=STATIC if 2 * in_convolutions > sum(sizes.values()) else "dynamic"
    )


def batch_size(setup: TrainingSetup) -> int:
    """Return the samples per forward pass during calibration."""
    return min(CALIBRATION_BATCH, setup.test()[0].num_samples)


def drawn(
    job: CellJob, spec: ModelSpec, *, first: int = FIRST_DRAW, split: str = TRAIN_SPLIT
) -> Iterator[Batch]:
    """Yield batches of the cell's size without targets, each of another seed: for models that nothing is trained on."""
    for number in count(first):
        yield batch_for(
            spec,
            job.cell.size,
            source_of(job, spec),
            num_samples=job.cell.batch,
            seed=job.options.seed + number,
            split=split,
            overrides=job.cell.overrides,
        )


def calibration(samples: Iterable[Batch], num_samples: int) -> Iterator[dict[str, Any]]:
    """Yield feeds for calibration until there are `num_samples`; a graph may read some of their entries only."""
    given = 0
    for batch in samples:
        flat = flatten_inputs(batch.inputs)
        yield {name: tensor.contiguous().numpy() for name, tensor in flat.items()}
        given += batch.num_samples
        if given >= num_samples:
            return
