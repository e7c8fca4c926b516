"""Worker side. Fidelity: whether a cell answers like the module in eager float32 on the cell's own input.

In float32 it is the parity of the export stage: errors against float64 are held against eager's own. A narrower type
is off by much more than that and still right: there the error is told, and only one of half the signal fails, for
that is a wrong program and not a coarse one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from suite.axes import BACKENDS, CPU, ONNXRUNTIME, QUANTIZE, VARIANTS
from suite.backends.runnable import Runnable, runnable_for
from suite.built_model import source_of
from suite.claims import Claim
from suite.flat_tensors import flatten_outputs
from suite.measurement import Measurement
from suite.origins.find import spec_of
from suite.results.export import PASSED, ShapeParity
from suite.results.measuring import FidelityResult, NodeShare
from suite.results.quantize import Fidelity
from suite.results.step_output import StepOutput
from suite.spec import ModelSpec
from suite.stages.export.detection_matching import aligned, found_again, lists_detections
from suite.stages.export.own_graph import graph_file
from suite.stages.export.parity import VACUOUS_BELOW, Spread, compare, spread_of
from suite.stages.export.quantized import LEAST_FOUND, MOST_ROUNDOFFS
from suite.stages.export.reference import Reference, as_array
from suite.stages.export.rounding_errors import ROUNDOFF, Answers, typical_errors
from suite.stages.quantize.fidelity import fidelity_of
from suite.states.store import module_of
from suite.tasks.batch import Batch
from suite.tasks.task_of import batch_for
from suite.tracing.flat import names_of_outputs, num_results
from suite.worker.protocol import CellJob, Emit

FLOAT32: Final = "float32"
EIGHT_BITS: Final = "int8"
ALIKE: Final = "the outputs agree with those of eager float32"
MOST_OTHERS: Final = 4
"""Number of second batches tried until eager's answer differs from that for the cell's own."""

Draw = Callable[[int], Mapping[str, Any]]
"""Returns the inputs of that number; 0 = the cell's own."""


def run(job: CellJob, emit: Emit) -> StepOutput[FidelityResult]:
    """Measurement `relative_error` of the cell's outputs, and the claim that they are right."""
    subject = runnable_for(job, emit)
    with subject.inference():
        return measure(job, subject, emit)


def measure(job: CellJob, subject: Runnable, emit: Emit) -> StepOutput[FidelityResult]:
    """Run the subject once more and compare its outputs; phases `outputs`, `reference` and `fidelity`."""
    spec = spec_of(job)
    emit("phase", name="outputs")
    actual = [as_array(tensor) for tensor in outputs_of(subject, spec)]
    emit("phase", name="reference")
    draw = _drawer(job, spec)
    names = names_of_outputs(spec.outputs, len(actual), num_results(draw(0)))
    answers, spread = _answers(job, spec, draw, names)
    emit("phase", name="fidelity")
    actual = aligned(answers.eager, actual, names=names, tolerance=spec.tolerance)
    kind = EIGHT_BITS if VARIANTS[job.cell.variant].stage == QUANTIZE else job.cell.dtype
    found = _fidelity(answers.eager, actual)
    result = FidelityResult(
        kind=kind,
        judge=answers.judged_by,
        relative_error=found.relative_error,
        argmax_agreement=found.argmax_agreement,
        fallen_back=_fallen_back(job, subject),
    )
    if kind == FLOAT32:
        row = _parity(answers, actual, spread, names, spec)
        result = replace(
            result,
            times_eager=row.times_eager,
            claims=(Claim(name=ALIKE, holds=row.verdict == PASSED, evidence=_evidence(row)),),
        )
    else:
        result = replace(result, claims=(coarse_claim(spec, names, answers.eager, actual, kind),))
    measured = Measurement(metric="relative_error", unit="1", samples=(found.relative_error,))
    return StepOutput(result=result, measurements=(measured,), data=subject.data)


def outputs_of(subject: Runnable, spec: ModelSpec) -> list[Tensor]:
    """Return the output tensors of one pass, those of a module in the record's order."""
    if subject.module is None:
        return subject.outputs()
    return [tensor.to(CPU) for tensor in flatten_outputs(subject.call(), spec.outputs)]


def coarse_claim(
    spec: ModelSpec, names: Sequence[str], eager: Sequence[Any], actual: Sequence[Any], kind: str
) -> Claim:
    """Return the claim about outputs in a type of few bits: each output's error is below 128 unit roundoffs of the
    type, and half of the boxes of a detector are found again.
    """
    if lists_detections(spec.outputs) and list(spec.outputs) == list(names):
        found, total = found_again(eager, actual, names)
        evidence = f"{found} of {total} boxes found again; expected {LEAST_FOUND:.0%}"
        return Claim(name=ALIKE, holds=found >= LEAST_FOUND * total, evidence=evidence)
    most = min(0.5, MOST_ROUNDOFFS * ROUNDOFF.get(kind, ROUNDOFF[EIGHT_BITS]))
    errors = {
        name: _fidelity([one], [two]).relative_error
        for name, one, two in zip(names, eager, actual, strict=True)
        if one.dtype.kind == "f"
    }
    worst = max(errors, key=lambda name: errors[name]) if errors else ""
    told = (
        f"{worst} is off by {errors[worst]:.2g} of its scale" if worst else "no numbers to compare"
    )
    return Claim(
        name=ALIKE,
        holds=bool(worst) and errors[worst] <= most,
        evidence=f"{told} in {kind}; expected at most {most:g}",
    )


def _drawer(job: CellJob, spec: ModelSpec) -> Draw:
    """Return the function that draws inputs; each is drawn once."""
    known: dict[int, Mapping[str, Any]] = {}

    def draw(number: int) -> Mapping[str, Any]:
        if number not in known:
            known[number] = batch_for(
                spec,
                job.cell.size,
                source_of(job, spec),
                num_samples=job.cell.batch,
                seed=job.options.seed + number,
                overrides=job.cell.overrides,
            ).inputs
        return known[number]

    return draw


def _answers(
    job: CellJob, spec: ModelSpec, draw: Draw, names: Sequence[str]
) -> tuple[Answers, Spread]:
    """Return the reference's outputs for the cell's input, and how far they move with the input.

    Of a model that is an ONNX file the reference is ONNX Runtime on the float graph.
    """
    row = VARIANTS[job.cell.variant]
    is_quantized = row.stage == QUANTIZE
    state = row.parent if is_quantized else row.name
    torch.manual_seed(0)
    if graph_file(job.options, spec.name) is not None:
        graph = job.options.parent_graph if is_quantized else job.options.graph
        run_on = _session(Path(graph), job.options.threads)
        first = run_on(draw(0))
        answers = Answers(eager=first, judge=first, judged_by=ONNXRUNTIME)
        others = run_on
    else:
        # The weights of a graph were made in float32, whatever it computes in.
        dtype = FLOAT32 if BACKENDS[job.cell.backend].needs_graph else job.cell.dtype
        maker = replace(job, cell=replace(job.cell, dtype=dtype))
        reference = Reference(module_of(maker, spec, state), spec.outputs)
        reference.eager(draw(0))
        reference.judge([draw(0)])
        answers, others = reference.answers(draw(0)), reference.eager
    spread = Spread(output="", tolerances=0.0)
    typical = typical_errors([answers])
    for number in range(1, MOST_OTHERS + 1):
        spread = spread_of(
            answers.eager,
            others(draw(number)),
            names=names,
            typical=typical,
            tolerance=spec.tolerance,
        )
        if spread.tolerances >= VACUOUS_BELOW:
            break
    return answers, spread


def _session(graph: Path, threads: int) -> Callable[[Mapping[str, Any]], list[Any]]:
    from suite.backends.onnxruntime import feeds_for, open_session

    session = open_session(graph, CPU, threads)
    return lambda inputs: list(session.run(None, feeds_for(session, inputs)))


def _fallen_back(job: CellJob, subject: Runnable) -> tuple[NodeShare, ...]:
    """Return the nodes that another execution provider ran, of a session with several."""
    if len(subject.setup.assigned) < 2:
        return ()
    from suite.backends.onnxruntime import fallbacks_of

    return fallbacks_of(job, subject)


def _parity(
    answers: Answers, actual: Sequence[Any], spread: Spread, names: Sequence[str], spec: ModelSpec
) -> ShapeParity:
    """Return the comparison with float64; where rounding decides (which box is kept), with eager itself."""
    as_eager = Answers(
        eager=answers.eager, judge=answers.eager, judged_by="eager: float64 decides otherwise"
    )
    rows = []
    for one in (answers, as_eager):
        typical = typical_errors([one])
        rows.append(
            compare(
                "example",
                None,
                one,
                actual,
                spread,
                names=names,
                typical=typical,
                tolerance=spec.tolerance,
            )
        )
        if rows[-1].verdict == PASSED:
            return rows[-1]
    return rows[0]


def _evidence(row: ShapeParity) -> str:
    times = "" if row.times_eager is None else f"{row.times_eager:.2g} times eager's own error"
    return ", ".join(filter(None, (row.reason, times, f"judged by {row.judge}")))


def _fidelity(eager: Sequence[Any], actual: Sequence[Any]) -> Fidelity:
    """Return the agreement of two lists of outputs for one batch."""
    one = Batch(inputs={}, num_samples=1)
    return fidelity_of(lambda batch: _tensors(eager), lambda batch: _tensors(actual), [one])


def _tensors(arrays: Sequence[Any]) -> list[Tensor]:
    return [torch.from_numpy(array) for array in arrays]
