"""Worker side. Export of a quantized state: its graph is linked, checked and compared with the original module."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import count, islice
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

Answers = tuple[list[Any], list[Any]]
"""Output arrays of the module, and of the graph."""

GRAPH: Final = "graph.onnx"
"""Name of a quantized graph in its state."""
MOST_ROUNDOFFS: Final = 128.0
"""Maximum error of an output of a correct graph, relative to its scale, in unit roundoffs of 8 bits: half of the
signal. A wrongly wired graph is off by the whole; whether the noise costs quality is measured by the stage
`quantize`.
"""
LEAST_SIGNAL: Final = -20 * math.log10(MOST_ROUNDOFFS * ROUNDOFF["int8"])
"""The same limit in decibels of signal over noise."""
FEW_NUMBERS: Final = 16
"""Size of an output up to which the noise of one input says little: a score near zero has no signal. Such an output is
judged over SAMPLES samples together."""
SAMPLES: Final = 64
TOGETHER: Final = "samples"
"""Axis of the row with what is judged together."""
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
    detections; and one for the outputs with few numbers, over more samples.
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

    def answers(inputs: Any) -> Answers:
        torch.manual_seed(0)
        with torch.no_grad():
            expected = [t.numpy() for t in flatten_outputs(module(**inputs), spec.outputs)]
        return expected, session.run(None, feeds_for(session, inputs))

    rows, kept = [], []
    for variant in variants(spec, draw, cell.batch):
        expected, actual = answers(variant.inputs)
        row = SignalRow(axis=variant.axis, extent=variant.extent)
        if lists_detections(spec.outputs):
            rows.append(replace(row, found=found_again(expected, actual, spec.outputs)))
        else:
            rows.append(replace(row, decibels=tuple(signal_to_noise(expected, actual))))
            kept.append((expected, actual))
    few = few_numbers(kept[0][0]) if kept else ()
    if few:
        more = (answers(draw(cell.batch, 2 + number)) for number in count())
        rows.append(together([*kept, *islice(more, SAMPLES // cell.batch)], few))
    return rows


def few_numbers(outputs: Sequence[Any]) -> tuple[int, ...]:
    """Return the places of the floating-point outputs that have FEW_NUMBERS or fewer."""
    return tuple(
        place
        for place, output in enumerate(outputs)
        if output.dtype.kind == "f" and 0 < output.size <= FEW_NUMBERS
    )


def together(answers: Sequence[Answers], few: Sequence[int]) -> SignalRow:
    """Return the row of those outputs over all inputs together; an output without a ratio on one of them has none."""
    import numpy as np

    from suite.quantization.snr import decibels

    found: list[float | None] = [None] * len(answers[0][0])
    for place in few:
        sides = [(expected[place], actual[place]) for expected, actual in answers]
        if all(a.shape == b.shape for a, b in sides):
            whole = (
                np.concatenate([side.ravel() for side in one]) for one in zip(*sides, strict=True)
            )
            found[place] = decibels(*whole)
    return SignalRow(axis=TOGETHER, extent=SAMPLES, decibels=tuple(found))


def answers_alike(rows: Sequence[SignalRow]) -> bool:
    """Return whether the outputs agree as far as 8 bits allow, over the inputs; False if nothing was compared."""
    last = rows[-1] if rows and rows[-1].axis == TOGETHER else None
    each = [row for row in rows if row is not last]
    outputs = [
        [db for db in column if db is not None]
        for column in zip(*(row.decibels for row in each), strict=True)
    ]
    for place, pooled in enumerate(last.decibels if last else ()):
        if pooled is not None:
            outputs[place] = [pooled]
    boxes = [row.found for row in rows if row.found is not None]
    found, total = (sum(column) for column in zip(*boxes, strict=True)) if boxes else (0, 0)
    if not any(outputs) and not total:
        return False
    # One input may have little signal: use the median.
    heard = all(median(column) >= LEAST_SIGNAL for column in outputs if column)
    return heard and found >= LEAST_FOUND * total


def _shown(row: SignalRow) -> str:
    if row.found is not None:
        return "{} of {} boxes found again".format(*row.found)
    size = f"{row.extent} together " if row.axis == TOGETHER else ""
    return size + "/".join("-" if db is None else f"{db:.0f} dB" for db in row.decibels)
