"""Worker side. The quantize stage's runner: the variant by its recipe, compared by counts, bytes, metric and speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suite.axes import ORIGINAL, QUANTIZE, VARIANTS, load_route
from suite.backends.eager import device_facts, require_device, use_threads
from suite.claims import Claim
from suite.measurement import Measurement
from suite.quality import change_unit, drop, shown
from suite.quantization.sensitivity import BUDGET
from suite.results.quantize import (
    Fidelity,
    Mending,
    QuantizeQuality,
    QuantizeResult,
    Sensitivity,
)
from suite.results.step_output import StepOutput
from suite.results.step_result import DataSet, SpeedRatio
from suite.spec import ModelSpec
from suite.stages.quantize.fidelity import draws_of, fidelity_of
from suite.stages.quantize.held_out import held_out_as_built, held_out_of_task
from suite.stages.quantize.mending import HeldOut, claim_of, measured, mended, recipe_of
from suite.stages.quantize.quantized_pair import QuantizedPair
from suite.stages.quantize.ways import PLAIN
from suite.states import store
from suite.timing import Turns, alternate, speed_ratio
from suite.training.quality import Forward, quality
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
    found: dict[Forward, float] = {}

    def lost(forward: Forward) -> float:
        found[forward] = quality(spec, forward, test)
        return drop(spec.scale, before, found[forward])

    allowed = limit_of(job, size.quantization.max_drop)
    judged = _judged(
        job, pair, allowed, lost, lambda: held_out_of_task(job, spec, setup, pair.reference), emit
    )
    pair, unit = judged.pair, change_unit(spec.scale)
    quantized, loss = found[pair.quantized], drop(spec.scale, before, found[pair.quantized])
    emit("phase", name="latency")
    turns = alternate(pair.calls, seconds=LATENCY_SECONDS, synchronize=pair.synchronize)
    claims = (
        *pair.claims,
        Claim(
            name="the metric drops within the record's tolerance",
            holds=loss <= allowed,
            evidence=(
                f"{shown(spec.scale, quantized)}, {VARIANTS[variant].parent} {before:.4g} ({-loss:+.3g} {unit})"
                f" on {num_samples_of(test)} test samples; expected a drop of {allowed:g} at most"
            ),
        ),
        *judged.claims(unit),
    )
    return StepOutput(
        measurements=_bytes(pair),
        result=QuantizeResult(
            lane=variant,
            report=pair.report,
            metric=QuantizeQuality(parent=before, float32=in_float, quantized=quantized),
            drop=loss,
            latency={name: tuple(samples) for name, samples in turns.samples.items()},
            is_starved=turns.is_starved,
            speedup=speedups(turns),
            choice=choice(turns),
            sensitivity=judged.sensitivity,
            mending=judged.mending,
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
    seen: dict[Forward, Fidelity] = {}

    def error(forward: Forward) -> float:
        seen[forward] = fidelity_of(pair.reference, forward, batches)
        return seen[forward].relative_error

    judged = _judged(
        job, pair, allowed, error, lambda: held_out_as_built(job, spec, pair.reference), emit
    )
    made, found = judged.pair, seen[judged.pair.quantized]
    emit("phase", name="latency")
    turns = alternate(made.calls, seconds=LATENCY_SECONDS, synchronize=made.synchronize)
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
        measurements=_bytes(made),
        result=QuantizeResult(
            lane=variant,
            report=made.report,
            fidelity=found,
            latency={name: tuple(samples) for name, samples in turns.samples.items()},
            is_starved=turns.is_starved,
            speedup=speedups(turns),
            choice=choice(turns),
            sensitivity=judged.sensitivity,
            mending=judged.mending,
            claims=(*made.claims, claim, *judged.claims("relative error")),
            **device_facts(job.cell.device),
        ),
        data=batches[0].data,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A quantized pair that was judged, and mended if it lost too much."""

    pair: QuantizedPair
    mending: Mending | None = None
    sensitivity: Sensitivity | None = None

    def claims(self, unit: str) -> Sequence[Claim]:
        """Return the claim about the mending, if there was one."""
        return (claim_of(self.mending, unit),) if self.mending else ()


def limit_of(job: CellJob, recorded: float) -> float:
    """Return the allowed drop: what `--max-drop` says, else the record's."""
    return recorded if job.options.max_drop is None else job.options.max_drop


def _judged(
    job: CellJob,
    pair: QuantizedPair,
    allowed: float,
    lost: Callable[[Forward], float],
    held_out: Callable[[], HeldOut],
    emit: Emit,
) -> Judged:
    """Return the pair, made otherwise if it loses more than `allowed`, with its layers' harm if that was asked for."""
    loss, budget = lost(pair.quantized), job.options.sensitivity
    is_beyond = not loss <= allowed
    if pair.recipe is None or not (is_beyond or budget):
        return Judged(pair=pair)
    held = held_out()
    if not is_beyond:
        emit("phase", name="sensitivity")
        recipe = recipe_of(pair)
        return Judged(
            pair=pair, sensitivity=measured(pair, recipe.output, pair.report, held, budget)
        )
    emit("phase", name="mending")
    made, mending, sensitivity = mended(pair, held, allowed, loss, lost, budget=budget or BUDGET)
    lost(made.quantized)
    return Judged(pair=made, mending=mending, sensitivity=sensitivity)


def speedups(turns: Turns) -> dict[str, SpeedRatio]:
    """Return arm -> its speed over the float graph, of the graphs in 8 bits."""
    return {
        name: speed_ratio(turns.samples["float"], turns.samples[name])
        for name in ("quantized", PLAIN)
        if name in turns.samples
    }


def choice(turns: Turns) -> str:
    """Return which of the two graphs is faster by its interval; tie if neither, empty if the turns say nothing."""
    if turns.is_starved:
        return ""
    found = speedups(turns)["quantized"]
    return "quantized" if found.low > 1 else "float" if found.high < 1 else "tie"


def _bytes(pair: QuantizedPair) -> tuple[Measurement, ...]:
    left = pair.report.bytes
    return (Measurement(metric="quantized_bytes", unit="B", samples=(left.after,)),) if left else ()
