"""Worker side. Stage `train`: a brief training on the model's own task, and checks that it worked."""

from __future__ import annotations

import copy
from pathlib import Path

from suite.axes import BUILD, CPU, ORIGINAL, TRAIN, TRAINED
from suite.backends.eager import device_facts, require_device, use_threads
from suite.measurement import Measurement
from suite.results.step_output import StepOutput
from suite.results.step_result import DataSet
from suite.results.train import TrainQuality, TrainResult
from suite.spec import ModelSpec
from suite.states import store
from suite.tasks.pictures import prepared_once
from suite.training.early_stopping import train_watched
from suite.training.health import Signs, diagnose
from suite.training.layers import dead_shares, gradients
from suite.training.memory import peak_memory
from suite.training.quality import module_forward, quality, trivial_quality
from suite.training.sanity_checks import (
    finite_claim,
    learnt_claims,
    other_seed,
    overfit,
    repeated,
    same_claims,
)
from suite.training.setup import num_samples_of, training_setup_for
from suite.worker.protocol import CellJob, Emit


def run(job: CellJob, emit: Emit) -> StepOutput[TrainResult]:
    """Train the cell's model as its record says, or return the stored result, see suite.states.store.made.

    Measurements: `train_step` and `train_wait` (seconds a step), peak memory in bytes. Facts: `metric` (untrained,
    trivial, trained), `curve`, `validation`, `findings` on the training's health, `claims`. Raises TrainingError when
    the loss is not finite or memory does not suffice for one sample.
    """
    use_threads(job)
    with prepared_once():
        return store.made(job, emit, train, TrainResult)


def train(job: CellJob, spec: ModelSpec, folder: Path, emit: Emit) -> StepOutput[TrainResult]:
    """Train and save the weights to `folder`."""
    device = job.cell.device
    require_device(device)
    source = store.source_of(job, spec)
    setup = training_setup_for(job, spec, source, spec.sizes[job.cell.size].training)
    emit("phase", name=BUILD)
    module = store.module_of(job, spec, ORIGINAL).to(device)
    emit("phase", name="input")
    test = setup.test()
    emit("phase", name="untrained")
    untrained = quality(spec, module_forward(module, device), test)
    trivial = trivial_quality(spec, test)
    emit("phase", name="overfit")
    overfitted = overfit(setup, copy.deepcopy(module))
    emit("phase", name=TRAIN)
    train_state = setup.train_state(module)
    plays = len(train_state.players) > 1
    key = store.state_key(job, spec, TRAINED)
    unfinished = store.store_of(job) / f".checkpoint-{store.stem_of(job)}-{key[:24]}"
    with peak_memory(device) as peaks:
        history = train_watched(setup, train_state, unfinished)
        memory = peaks()
    last_gradients = gradients(module)
    emit("phase", name="again")
    again = repeated(setup, store.module_of(job, spec, ORIGINAL))
    other = other_seed(setup, history)
    emit("phase", name=TRAINED)
    forward = module_forward(module, device)
    after = quality(spec, forward, test)
    dead = dead_shares(module, lambda: [forward(batch) for batch in setup.validation()[:2]])
    emit("phase", name="save")
    store.save(module.to(CPU).eval(), folder)
    waiting = sum(history.waits) / max(sum(history.seconds), 1e-9)
    claims = [
        overfitted,
        *learnt_claims(
            setup, history, untrained=untrained, trivial=trivial, after=after, plays=plays
        ),
        finite_claim(module),
        *same_claims(history.losses, again, device),
    ]
    signs = Signs(
        losses=history.losses,
        norms=history.norms,
        validation=history.validation,
        waiting=waiting,
        num_workers=setup.num_workers,
        gradients=last_gradients,
        without_gradient=history.without_gradient,
        dead=dead,
        other_seed=other,
        plays=plays,
    )
    return StepOutput(
        measurements=(
            Measurement(metric="train_step", unit="s", samples=tuple(history.seconds)),
            Measurement(metric="train_wait", unit="s", samples=tuple(history.waits)),
            *memory,
        ),
        result=TrainResult(
            metric=TrainQuality(untrained=untrained, trivial=trivial, trained=after),
            curve=tuple(history.losses),
            validation=tuple(history.validation),
            stopped=history.stopped,
            events=tuple(history.events),
            samples_per_second=history.num_samples / max(sum(history.seconds), 1e-9),
            waiting=waiting,
            steps=train_state.step,
            batch=setup.settings.batch,
            micro_batch=train_state.micro_batch,
            num_test_samples=num_samples_of(test),
            precision=str(train_state.autocast or "float32").removeprefix("torch."),
            findings=tuple(diagnose(signs)),
            claims=tuple(claims),
            **device_facts(device),
        ),
        data=DataSet(name=source.name),
    )
