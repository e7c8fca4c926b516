"""Worker side. Stage `prune`: removes channels, heads or units from the trained model, retrains and compares it."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from suite.axes import BUILD, CPU, ORIGINAL, PRUNE, PRUNED, TRAINED, load_route
from suite.backends.eager import device_facts, require_device, use_threads
from suite.built_model import batch_of
from suite.claims import Claim
from suite.measurement import Measurement
from suite.pruning.engine import prune_module
from suite.pruning.masks import mask_module
from suite.pruning.unguided import prune_unguided
from suite.quality import change_unit, drop, shown
from suite.results.prune import Masks, ModelSize, PruneQuality, PruneResult
from suite.results.step_output import StepOutput
from suite.results.step_result import DataSet, SpeedRatio
from suite.spec import ModelSpec
from suite.states import store
from suite.timing import Turns, alternate, speed_ratio, waiter
from suite.training.loaders import moved
from suite.training.loop import fit
from suite.training.quality import module_forward, quality
from suite.training.sanity_checks import finite_claim
from suite.training.setup import TrainingSetup, num_samples_of, training_setup_for
from suite.worker.protocol import CellJob, Emit

LATENCY_SECONDS = 0.6
"""Seconds of alternating runs, a rough estimate; `pytest bench --variant pruned` measures properly."""


def run(job: CellJob, emit: Emit) -> StepOutput[PruneResult]:
    """Prune the cell's trained model as its record says and let it recover, or return the stored result.

    Measurements: `parameters`, `macs`, `parameter_bytes` of the pruned model. Raises PruningError when nothing, or less
    than the record says, was removed.
    """
    use_threads(job)
    return store.made(job, emit, load_route(job.cell.variant), PruneResult)


def prune_trained(
    job: CellJob, spec: ModelSpec, folder: Path, emit: Emit
) -> StepOutput[PruneResult]:
    """Prune the trained model, let it recover, and save weights and structure to `folder`."""
    size, device = spec.sizes[job.cell.size], job.cell.device
    require_device(device)
    own = size.pruning
    setup = training_setup_for(
        job,
        spec,
        store.source_of(job, spec),
        replace(size.training, learning_rate=own.learning_rate),
        steps=own.recovery_steps,
    )
    emit("phase", name=BUILD)
    trained = store.final_quality(store.parent_of(job, spec), job.cell.variant)
    module = store.module_of(job, spec, TRAINED)
    emit("phase", name="input")
    test = setup.test()
    batch = next(setup.batches())
    emit("phase", name="masks")
    masked = copy.deepcopy(module)
    masks = mask_module(masked, own.ratio, spec.head)
    masked_quality = _quality(setup, masked, test)
    emit("phase", name=PRUNE)
    taylor = partial(_mean_loss, setup, batch) if own.importance == "taylor" else None
    pruned = prune_module(module, spec, job.cell.size, test[0].inputs, loss=taylor)
    smaller = pruned.module
    pruned_quality = _quality(setup, smaller, test)
    emit("phase", name="recover")
    losses = recover(setup, smaller)
    recovered = _quality(setup, smaller, test)
    emit("phase", name="latency")
    arms = {TRAINED: module, "masked": masked, PRUNED: smaller}
    turns = latencies(arms, job, setup)
    emit("phase", name="save")
    store.save(smaller.to(CPU).eval(), folder, pruned.structure)
    lost = drop(spec.scale, trained, recovered)
    # Counted on a batch of test samples; reported for the cell's own batch, as everywhere.
    share = job.cell.batch / test[0].num_samples
    before, after = (
        ModelSize(
            parameters=getattr(pruned.parameters, when),
            macs=round(getattr(pruned.macs, when) * share),
            bytes=bytes_of(sized),
        )
        for when, sized in (("before", module), ("after", smaller))
    )
    claims = (
        _fell("parameters", before.parameters, after.parameters, own.parameters_left),
        _fell("MACs", before.macs, after.macs, own.macs_left),
        finite_claim(smaller),
        Claim(
            name="the metric drops within the record's tolerance after recovery",
            holds=lost <= own.max_drop,
            evidence=(
                f"{shown(spec.scale, recovered)}, trained {trained:.4g} ({-lost:+.3g}"
                f" {change_unit(spec.scale)}), before recovery {pruned_quality:.4g};"
                f" expected a drop of {own.max_drop:g} at most"
            ),
        ),
        _masks_claim(masks),
    )
    return StepOutput(
        measurements=_sizes(after),
        result=PruneResult(
            before=before,
            after=after,
            method=own.method,
            ratio=own.ratio,
            importance=pruned.importance,
            changes=pruned.changes,
            uncut=pruned.uncut,
            masks=masks,
            metric=PruneQuality(
                trained=trained,
                masked=masked_quality,
                pruned=pruned_quality,
                recovered=recovered,
            ),
            drop=lost,
            latency={name: tuple(samples) for name, samples in turns.samples.items()},
            is_starved=turns.is_starved,
            speedup=_speedups(turns.samples),
            macs_ratio=before.macs / after.macs,
            curve=tuple(losses),
            num_test_samples=num_samples_of(test),
            claims=claims,
            **device_facts(device),
        ),
        data=DataSet(name=setup.source.name),
    )


def prune_as_built(
    job: CellJob, spec: ModelSpec, folder: Path, emit: Emit
) -> StepOutput[PruneResult]:
    """Prune the model as built: what its structure allows, without a metric and without recovery."""
    own = spec.sizes[job.cell.size].pruning
    emit("phase", name=BUILD)
    module = store.module_of(job, spec, ORIGINAL)
    emit("phase", name="input")
    batch = batch_of(job, spec, emit)
    emit("phase", name="masks")
    masked = copy.deepcopy(module)
    masks = mask_module(masked, own.ratio, spec.head)
    emit("phase", name=PRUNE)
    pruned = prune_unguided(module, spec, job.cell.size, batch.inputs)
    smaller = pruned.module
    emit("phase", name="latency")
    calls = {
        name: partial(arm.eval(), **batch.inputs)
        for name, arm in ((TRAINED, module), ("masked", masked), (PRUNED, smaller))
    }
    with torch.inference_mode():
        turns = alternate(calls, seconds=LATENCY_SECONDS)
    emit("phase", name="save")
    store.save(smaller.eval(), folder, pruned.structure)
    before, after = (
        ModelSize(
            parameters=getattr(pruned.parameters, when),
            macs=getattr(pruned.macs, when),
            bytes=bytes_of(sized),
        )
        for when, sized in (("before", module), ("after", smaller))
    )
    return StepOutput(
        measurements=_sizes(after),
        result=PruneResult(
            before=before,
            after=after,
            method=own.method,
            ratio=own.ratio,
            importance=pruned.importance,
            changes=pruned.changes,
            uncut=pruned.uncut,
            masks=masks,
            latency={name: tuple(samples) for name, samples in turns.samples.items()},
            is_starved=turns.is_starved,
            speedup=_speedups(turns.samples),
            macs_ratio=before.macs / after.macs,
            claims=(
                _fell("parameters", before.parameters, after.parameters, own.parameters_left),
                _fell("MACs", before.macs, after.macs, own.macs_left),
                finite_claim(smaller),
                _masks_claim(masks),
            ),
        ),
        data=batch.data,
    )


def recover(setup: TrainingSetup, module: nn.Module) -> list[float]:
    """Train the pruned model briefly; return the losses."""
    module.requires_grad_(True)
    torch.manual_seed(setup.seed)
    train_state = setup.train_state(module)
    return fit(train_state, setup.batches(start=1), until=setup.steps).losses


def latencies(arms: dict[str, nn.Module], job: CellJob, setup: TrainingSetup) -> Turns:
    """Time forward passes on the cell's batch, with the modules alternating in this process."""
    inputs = moved(next(setup.batches(batch=job.cell.batch)), setup.device).inputs
    calls = {}
    for name, arm in arms.items():
        arm.to(setup.device).eval()
        calls[name] = partial(arm, **inputs)
    with torch.inference_mode():
        return alternate(calls, seconds=LATENCY_SECONDS, synchronize=waiter(setup.device))


def bytes_of(module: nn.Module) -> int:
    """Return the bytes of weights and buffers, shared ones counted once."""
    tensors = {id(t): t for t in (*module.parameters(), *module.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _speedups(seconds: dict[str, list[float]]) -> dict[str, SpeedRatio]:
    """Return arm -> speedup over the trained model, with an interval."""
    return {arm: speed_ratio(seconds[TRAINED], seconds[arm]) for arm in ("masked", PRUNED)}


def _quality(setup: TrainingSetup, module: nn.Module, test: Any) -> float:
    module.to(setup.device)
    return quality(setup.spec, module_forward(module, setup.device), test)


def _mean_loss(setup: TrainingSetup, batch: Any, module: nn.Module) -> Any:
    return setup.loss(module, batch)


def _fell(what: str, before: int, after: int, allowed: float) -> Claim:
    left = after / before
    return Claim(
        name=f"{what} fell by what was asked",
        holds=left <= allowed,
        evidence=f"{before:,} -> {after:,} ({left:.1%} left); expected {allowed:.0%} at most",
    )


def _sizes(after: ModelSize) -> tuple[Measurement, ...]:
    return (
        Measurement(metric="parameters", unit="1", samples=(after.parameters,)),
        Measurement(metric="macs", unit="MAC", samples=(after.macs,)),
        Measurement(metric="parameter_bytes", unit="B", samples=(after.bytes,)),
    )


def _masks_claim(masks: Masks) -> Claim:
    return Claim(
        name="masks alone change neither the number of weights nor their bytes",
        holds=masks.parameters[0] == masks.parameters[1] and masks.sparsity > 0,
        evidence=(
            f"sparsity {masks.sparsity:.0%} of {masks.weights:,} weights,"
            f" {masks.bytes[0]:,} B -> {masks.bytes[1]:,} B"
        ),
    )
