"""Worker side. Stage `finetune`: trains the trained model on a second task and data, by one of four strategies."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import torch

from suite.axes import BUILD, CPU, FINETUNE, FULL, OWN, TRAINED, load_route
from suite.backends.eager import device_facts, require_device, use_threads
from suite.claims import Claim
from suite.measurement import Measurement
from suite.provenance import key_of
from suite.quality import change_unit, drop, gain, shown
from suite.results.finetune import FinetuneQuality, FinetuneResult
from suite.results.step_output import StepOutput
from suite.results.step_result import DataSet
from suite.spec import ModelSpec
from suite.states import entries, store
from suite.training.loop import fit
from suite.training.quality import module_forward, quality
from suite.training.sanity_checks import finite_claim
from suite.training.setup import TrainingSetup, num_samples_of, training_setup_for
from suite.weights import module_for
from suite.worker.errors import Unsupported
from suite.worker.protocol import CellJob, Emit


def run(job: CellJob, emit: Emit) -> StepOutput[FinetuneResult]:
    """Fine-tune the cell's model by the strategy that its variant names, or return the stored result.

    Measurements: `train_step` (seconds a step). Facts: `metric` (of the second task: before, scratch, finetuned; of the
    first: first_before, first_after), `forgotten`, `curve`, `claims`.
    """
    use_threads(job)
    return store.made(job, emit, finetune, FinetuneResult)


def finetune(job: CellJob, spec: ModelSpec, folder: Path, emit: Emit) -> StepOutput[FinetuneResult]:
    """Fine-tune and save the weights to `folder`."""
    cell, size = job.cell, spec.sizes[job.cell.size]
    require_device(cell.device)
    second_source = store.second_source_of(job, spec)
    if second_source.kind == OWN:
        raise Unsupported(
            f"{spec.name}: fine-tuning needs a second task with other data, which tasks on our data sets have and a"
            " record's own samples do not; next: --stages without finetune"
        )
    first = training_setup_for(job, spec, store.source_of(job, spec), size.training)
    own = size.finetuning
    second = training_setup_for(
        job,
        spec,
        second_source,
        replace(
            size.training,
            steps=own.steps,
            batch=own.batch,
            learning_rate=own.rates.get(cell.variant, own.learning_rate),
        ),
    )
    emit("phase", name=BUILD)
    entry = store.parent_of(job, spec)
    module = store.module_of(job, spec, TRAINED).to(cell.device)
    emit("phase", name="input")
    test, old_test = second.test(), first.test()
    forward = module_forward(module, cell.device)
    before, old_before = quality(spec, forward, test), store.final_quality(entry, cell.variant)
    emit("phase", name="scratch")
    scratch = from_scratch(job, spec, second)
    emit("phase", name=FINETUNE)
    plan = load_route(cell.variant)(module, second, own, spec.head)
    torch.manual_seed(second.seed)
    train_state = second.train_state(plan.module, groups=plan.groups, frozen=plan.frozen)
    history = fit(train_state, second.batches(), until=second.steps, watch=plan.watch)
    emit("phase", name="finetuned")
    finished, proofs = plan.finish()
    forward = module_forward(finished, cell.device)
    after, old_after = quality(spec, forward, test), quality(spec, forward, old_test)
    emit("phase", name="save")
    store.save(finished.to(CPU).eval(), folder)
    better = gain(spec.scale, scratch, after)
    unit = change_unit(spec.scale)
    claims = [
        *proofs,
        finite_claim(finished),
        Claim(
            name="better than from scratch after the same number of steps",
            holds=better > own.margin,
            evidence=(
                f"second task ({second_source.name}): {shown(spec.scale, after)}, from scratch {scratch:.4g}"
                f" ({better:+.3g} {unit}), before {before:.4g}; expected more than +{own.margin:g} {unit}"
            ),
        ),
    ]
    return StepOutput(
        measurements=(Measurement(metric="train_step", unit="s", samples=tuple(history.seconds)),),
        result=FinetuneResult(
            strategy=cell.variant,
            metric=FinetuneQuality(
                before=before,
                scratch=scratch,
                finetuned=after,
                first_before=old_before,
                first_after=old_after,
            ),
            forgotten=drop(spec.scale, old_before, old_after),
            curve=tuple(history.losses),
            events=tuple(history.events),
            steps=train_state.step,
            trainable=plan.num_trainable,
            num_test_samples=num_samples_of(test),
            claims=tuple(claims),
            **device_facts(cell.device),
        ),
        data=DataSet(name=second_source.name),
    )


def from_scratch(job: CellJob, spec: ModelSpec, setup: TrainingSetup) -> float:
    """Return the metric of the second task for a baseline from random weights, trained for as many steps with all
    weights and the record's learning rate. Stored for the other strategies.
    """
    rate = spec.sizes[job.cell.size].training.learning_rate
    key = key_of({"scratch": store.state_key(job, spec, FULL)})
    where, stem = store.store_of(job), store.stem_of(job, "scratch")
    if (known := entries.find(where, stem, key)) is not None:
        return float(known.content["metric"])
    alone = replace(setup, settings=replace(setup.settings, learning_rate=rate))
    module = copy.deepcopy(module_for(spec, job.cell.size, seed=setup.seed)).to(setup.device)
    torch.manual_seed(setup.seed)
    fit(alone.train_state(module), alone.batches(), until=alone.steps)
    value = quality(spec, module_forward(module, setup.device), alone.test())
    entries.keep(where, stem, key, lambda _: {"metric": value})
    return value
