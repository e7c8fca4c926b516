"""Worker side. Export of a quantized state: its graph is linked, checked and compared with the original module."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Final

from suite.axes import CPU, VARIANTS
from suite.claims import Claim
from suite.data.sources import Source
from suite.onnx_summary import summary_of
from suite.results.export import ExportResult, SignalRow
from suite.results.step_result import KeptState
from suite.spec import ModelSpec
from suite.stages.export.attempts import check
from suite.stages.export.cache import put
from suite.stages.export.detection_matching import found_again, lists_detections
from suite.stages.export.pt2 import smaller_claim
from suite.stages.export.rounding_errors import ROUNDOFF
from suite.stages.export.variants import variants
from suite.states.store import module_of, state_of
from suite.tasks.task_of import batch_for
from suite.worker.protocol import CellJob, Emit

GRAPH: Final = "graph.onnx"
"""Name of a quantized graph in its state."""
MOST_ROUNDOFFS: Final = 128.0
"""Maximum error of an output of a correct graph, relative to its scale, in unit roundoffs of 8 bits: half of the
signal. A wrongly wired graph is off by the whole; whether the noise costs quality is measured by the stage
`quantize`.
"""
LEAST_SIGNAL: Final = -20 * math.log10(MOST_ROUNDOFFS * ROUNDOFF["int8"])
"""The same limit in decibels of signal over noise."""
LEAST_FOUND: Final = 0.5
"""Minimum share of a detector's boxes that are found again."""


def place(job: CellJob, spec: ModelSpec, source: Source, output: Path, emit: Emit) -> ExportResult:
    """Link the state's graph to `output` and compare it with the module on real input.

    The error of a graph of 8-bit integers is measured in roundoffs of 8 bits, as a signal-to-noise ratio, at the
    example's shape and at a second extent of every dynamic axis. Eager float32 is the reference: its own error is a
    hundred thousand times smaller. In a list of detections, whose order and number rounding changes, the boxes that are
    found again are counted.
    """
    emit("phase", name="lookup")
    entry = state_of(job, spec, job.cell.variant)
    put(entry.file(GRAPH), output)
    emit("phase", name="check")
    check(output)
    emit("phase", name="parity")
    rows = compared(job, spec, source, output)
    parent = VARIANTS[job.cell.variant].parent
    claims = [
        Claim(
            name="the graph answers like the module on real input",
            holds=len(rows) > 1 and answers_alike(rows),
            evidence=", ".join(f"{row.axis} {_shown(row)}" for row in rows)
            + f"; expected a median of {LEAST_SIGNAL:g} dB, or {LEAST_FOUND:.0%} of the boxes",
        )
    ]
    if before := job.options.parent_graph:
        claims.append(smaller_claim(Path(before), output, parent))
    return ExportResult(
        onnx=summary_of(output, "quantized"),
        signal=tuple(rows),
        claims=tuple(claims),
        state=KeptState(key=entry.key),
    )


def compared(job: CellJob, spec: ModelSpec, source: Source, graph: Path) -> list[SignalRow]:
    """Return a row for every input of the comparison: decibels per output, or the boxes found again for lists of
    detections.
    """
    import torch

    from suite.backends.onnxruntime import feeds_for, open_session
    from suite.flat_tensors import flatten_outputs
    from suite.quantization.snr import signal_to_noise

    cell, seed = job.cell, job.options.seed
    module = module_of(job, spec, VARIANTS[cell.variant].parent)
    session = open_session(graph, CPU, job.options.threads)

    @cache
    def draw(num_samples: int, which: int) -> Any:
        return batch_for(spec, cell.size, source, num_samples=num_samples, seed=seed + which).inputs

    rows = []
    for variant in variants(spec, draw, cell.batch):
        torch.manual_seed(0)
        with torch.no_grad():
            expected = [t.numpy() for t in flatten_outputs(module(**variant.inputs), spec.outputs)]
        actual = session.run(None, feeds_for(session, variant.inputs))
        row = SignalRow(axis=variant.axis, extent=variant.extent)
        if lists_detections(spec.outputs):
            row = replace(row, found=found_again(expected, actual, spec.outputs))
        else:
            row = replace(row, decibels=tuple(signal_to_noise(expected, actual)))
        rows.append(row)
    return rows


def answers_alike(rows: Sequence[SignalRow]) -> bool:
    """Return whether the outputs agree as far as 8 bits allow, over the inputs; False if nothing was compared."""
    outputs = [
        [db for db in column if db is not None]
        for column in zip(*(row.decibels for row in rows), strict=True)
    ]
    boxes = [row.found for row in rows if row.found is not None]
    found, total = (sum(column) for column in zip(*boxes, strict=True)) if boxes else (0, 0)
    if not any(outputs) and not total:
        return False
    # A single number of one input may be near zero, where noise dominates: use the median.
    heard = all(median(column) >= LEAST_SIGNAL for column in outputs if column)
    return heard and found >= LEAST_FOUND * total


def _shown(row: SignalRow) -> str:
    if row.found is not None:
        return "{} of {} boxes found again".format(*row.found)
    return "/".join("-" if db is None else f"{db:.0f} dB" for db in row.decibels)
