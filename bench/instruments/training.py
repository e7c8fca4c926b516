"""Worker side. Training step: time and memory of one optimizer step on the cell's batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import repeat

from bench.instruments.latency import measure
from bench.instruments.rounds import is_slow
from bench.instruments.stopwatch import CLOCK, NS
from bench.plan import Plan, plan_of
from suite.axes import BUILD
from suite.backends.eager import device_facts, require_device, use_threads
from suite.backends.runnable import Runnable
from suite.lifecycle import Training
from suite.measurement import Measurement, MeasurementFacts
from suite.origins.find import spec_of
from suite.results.measuring import RunResult, TrainingStepResult
from suite.results.step_output import StepOutput
from suite.states import store
from suite.tasks.batch import Batch
from suite.timing import waiter
from suite.training.loaders import moved
from suite.training.loop import TrainingHistory, fit
from suite.training.memory import peak_memory
from suite.training.setup import training_setup_for
from suite.training.train_state import TrainState
from suite.worker.protocol import CellJob, Emit

LEAST = 2
"""Fewest samples per batch: batch normalization over one sample has no variance."""

SHARE = 0.5
"""Share of the plan's times: nothing in a run is decided by a training step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A model with its optimizer and one batch on the device, ready to take steps."""

    step: Callable[[], None]
    """Takes one optimizer step on the batch."""
    synchronize: Callable[[], None]
    settings: Training
    batch: Batch
    state: TrainState
    history: TrainingHistory


def prepare(job: CellJob, emit: Emit) -> Prepared:
    """Build the model and its optimizer and load one batch; phases `build` and `input`."""
    device = job.cell.device
    use_threads(job)
    require_device(device)
    spec = spec_of(job)
    size = spec.sizes[job.cell.size]
    count = max(LEAST, job.cell.batch)
    settings = replace(size.training, batch=count, micro_batch=0, schedule="constant", warmup=0.0)
    setup = training_setup_for(job, spec, store.source_of(job, spec), settings)
    emit("phase", name=BUILD)
    module = store.module_of(job, spec, job.cell.variant)
    emit("phase", name="input")
    batch = moved(next(setup.batches()), device)
    state, history = setup.train_state(module), TrainingHistory()

    def step() -> None:
        fit(state, repeat(batch), until=state.step + 1, history=history)

    return Prepared(
        step=step,
        synchronize=waiter(device),
        settings=settings,
        batch=batch,
        state=state,
        history=history,
    )


def run(job: CellJob, emit: Emit) -> StepOutput[TrainingStepResult]:
    """Measurements `training_step` (seconds of forward, backward, clipping and optimizer on one batch that is already
    there) and the peak memory of the first two steps.
    """
    device, plan = job.cell.device, plan_of(job.options)
    plan = replace(
        plan, cap_seconds=SHARE * plan.cap_seconds, warmup_seconds=SHARE * plan.warmup_seconds
    )
    made = prepare(job, emit)
    emit("phase", name="first_steps")
    with peak_memory(device) as peaks:
        made.step()
        made.synchronize()
        begin = CLOCK()
        made.step()
        made.synchronize()
        second = (CLOCK() - begin) * NS
        memory = peaks()
    subject = Runnable(
        call=made.step,
        outputs=list,
        synchronize=made.synchronize,
        setup=RunResult(threads=job.options.threads),
    )
    return StepOutput(
        measurements=(*steps_of(subject, plan, emit, device, second), *memory),
        result=TrainingStepResult(
            num_samples=made.settings.batch,
            num_tokens=made.batch.num_tokens,
            optimizer=made.settings.optimizer,
            precision=str(made.state.autocast or "float32").removeprefix("torch."),
            micro_batch=made.state.micro_batch,
            events=tuple(made.history.events),
            plan=plan.name,
            **device_facts(device),
        ),
    )


def steps_of(
    subject: Runnable, plan: Plan, emit: Emit, device: str, second: float
) -> list[Measurement]:
    """Return the measured steps. If the rounds of an interval do not fit the plan's stretched cap, the second step, of
    `second` seconds, is the one round: nothing but memory was read beside it, and a third would give no interval
    either.
    """
    if is_slow(plan, second):
        facts = MeasurementFacts(
            plan=plan.name, stopped_because="time_cap", threads=subject.setup.threads
        )
        return [Measurement(metric="training_step", unit="s", samples=(second,), facts=facts)]
    measured = measure(subject, plan, emit, device=device, calls=(second,))
    return [replace(row, metric="training_step") for row in measured if row.metric == "latency"]
