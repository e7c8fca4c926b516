"""Worker side. The quantize stage's runner: the variant by its recipe, compared by counts, bytes, metric and speed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from suite.axes import ORIGINAL, QUANTIZE, VARIANTS, load_route
from suite.backends.eager import device_facts, require_device, use_threads
from suite.claims import Claim
from suite.measurement import Measurement
from suite.quality import change_unit, drop, shown
from suite.results.quantize import QuantizeQuality, QuantizeResult
from suite.results.step_output import StepOutput
from suite.results.step_result import DataSet
from suite.spec import ModelSpec
from suite.stages.quantize.fidelity import draws_of, fidelity_of
from suite.stages.quantize.quantized_pair import QuantizedPair
from suite.states import store
from suite.timing import alternate, speed_ratio
from suite.training.quality import quality
from suite.training.setup import TrainingSetup, num_samples_of, training_setup_for
from suite.worker.protocol import CellJob, Emit

LATENCY_SECONDS: Final = 0.6
"""Seconds of alternating runs, a rough estimate; `pytest bench --variant int8` measures properly."""


def run(job: CellJob, emit: Emit) -> StepOutput[QuantizeResult]:
    """Quantize the state that the cell's variant starts from, or return the stored result.

    Measurement: `quantized_bytes`. Raises QuantizationError when there is nothing to calibrate on or nothing to
    quantize.
    """
    use_threads(job)
    return store.made(job, emit, quantize, QuantizeResult)


def quantize(job: CellJob, spec: ModelSpec, folder: Path, emit: Emit) -> StepOutput[QuantizeResult]:
    """Quantize and save the graph or the weights to `folder`."""
    variant, size = job.cell.variant, spec.sizes[job.cell.size]
    require_device(job.cell.device)
    setup = training_setup_for(job, spec, store.source_of(job, spec), size.training)
    if VARIANTS[variant].parent == ORIGINAL:
        return quantize_as_built(job, spec, setup, folder, emit)
    before = store.final_quality(store.parent_of(job, spec), variant)
    emit("phase", name="input")
    test = setup.test()
    emit("phase", name=QUANTIZE)
    pair: QuantizedPair = load_route(variant)(job, spec, setup, folder, emit)
    emit("phase", name="quality")
    in_float = quality(spec, pair.reference, test)
    quantized = quality(spec, pair.quantized, test)
    emit("phase", name="latency")
    turns = alternate(pair.calls, seconds=LATENCY_SECONDS, synchronize=pair.synchronize)
    lost = drop(spec.scale, before, quantized)
    allowed = size.quantization.max_drop
    claims = (
        *pair.claims,
        Claim(
            name="the metric drops within the record's tolerance",
            holds=lost <= allowed,
            evidence=(
                f"{shown(spec.scale, quantized)}, {VARIANTS[variant].parent} {before:.4g} ({-lost:+.3g}"
                f" {change_unit(spec.scale)}) on {num_samples_of(test)} test samples; expected a drop of {allowed:g}"
                " at most"
            ),
        ),
    )
    return StepOutput(
        measurements=_bytes(pair),
        result=QuantizeResult(
            lane=variant,
            report=pair.report,
            metric=QuantizeQuality(parent=before, float32=in_float, quantized=quantized),
            drop=lost,
            latency={name: tuple(samples) for name, samples in turns.samples.items()},
            is_starved=turns.is_starved,
            speedup={"quantized": speed_ratio(turns.samples["float"], turns.samples["quantized"])},
            num_test_samples=num_samples_of(test),
            claims=claims,
            **device_facts(job.cell.device),
        ),
        data=DataSet(name=setup.source.name),
    )


def quantize_as_built(
    job: CellJob, spec: ModelSpec, setup: TrainingSetup, folder: Path, emit: Emit
) -> StepOutput[QuantizeResult]:
    """Quantize the model as built and judge it by its agreement with float32 on the same inputs."""
    variant = job.cell.variant
    allowed = spec.sizes[job.cell.size].quantization.max_error
    emit("phase", name=QUANTIZE)
    pair: QuantizedPair = load_route(variant)(job, spec, setup, folder, emit)
    emit("phase", name="quality")
    batches = draws_of(job, spec)
    found = fidelity_of(pair.reference, pair.quantized, batches)
    emit("phase", name="latency")
    turns = alternate(pair.calls, seconds=LATENCY_SECONDS, synchronize=pair.synchronize)
    agreement = (
        "no output with rows to compare the largest element of"
        if found.argmax_agreement is None
        else f"the largest element is the same in {found.argmax_agreement:.0%}"
    )
    claim = Claim(
        name="it answers as float32 does",
        holds=found.relative_error <= allowed,
        evidence=f"relative error {found.relative_error:.2%} on {found.num_inputs} inputs, {agreement}; expected at"
        f" most {allowed:.0%}",
    )
    return StepOutput(
        measurements=_bytes(pair),
        result=QuantizeResult(
            lane=variant,
            report=pair.report,
            fidelity=found,
            latency={name: tuple(samples) for name, samples in turns.samples.items()},
            is_starved=turns.is_starved,
            speedup={"quantized": speed_ratio(turns.samples["float"], turns.samples["quantized"])},
            claims=(*pair.claims, claim),
            **device_facts(job.cell.device),
        ),
        data=batches[0].data,
    )


def _bytes(pair: QuantizedPair) -> tuple[Measurement, ...]:
    left = pair.report.bytes
    return (Measurement(metric="quantized_bytes", unit="B", samples=(left.after,)),) if left else ()
