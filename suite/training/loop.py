"""Worker side. The training loop: micro-batches, clipping, schedules, and recovery from running out of memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from suite.axes import is_accelerator
from suite.tasks.batch import Batch
from suite.training.loaders import moved
from suite.training.micro_batches import is_out_of_memory, pieces
from suite.training.train_state import TrainState


class TrainingError(RuntimeError):
    """Training cannot continue: the loss is not finite, or memory does not suffice for a single sample."""


@dataclass(slots=True, kw_only=True)
class TrainingHistory:
    """Record of a training; lists of numbers have one entry per optimizer step."""

    losses: list[float] = field(default_factory=list)
    """Mean loss of the step's batch, summed over all players."""
    norms: list[float] = field(default_factory=list)
    """Norm of the gradient before clipping; the largest over the players."""
    seconds: list[float] = field(default_factory=list)
    """Wall time of the step, including waiting for data."""
    waits: list[float] = field(default_factory=list)
    """Part of the step's wall time spent waiting for data."""
    num_samples: int = 0
    events: list[str] = field(default_factory=list)
    """What the loop changed by itself: smaller micro-batches."""
    without_gradient: list[str] = field(default_factory=list)
    """Names of trainable weights that got no gradient in the first step."""
    validation: list[tuple[int, float]] = field(default_factory=list)
    """(step, loss) on the validation split."""
    stopped: str = ""
    """Why training ended before its last step; empty if it did not."""


def fit(
    train_state: TrainState,
    batches: Iterator[Batch],
    *,
    until: int,
    history: TrainingHistory | None = None,
    watch: Callable[[TrainState, TrainingHistory], str] = lambda train_state, history: "",
    clock: Callable[[], float] = time.perf_counter,
) -> TrainingHistory:
    """Run optimizer steps until `until` are done and return the records, added to `history`.

    `watch` is called after every step and ends the training by returning a reason. Raises TrainingError for a loss that
    is not finite (naming the step) and when memory runs out at a micro-batch of one.
    """
    history = history if history is not None else TrainingHistory()
    train_state.to_train_mode()
    while train_state.step < until:
        begin = clock()
        batch = moved(next(batches), train_state.device)
        waited = clock() - begin
        train_state.set_rates()
        loss, norm = _step(train_state, batch, history)
        train_state.step += 1
        history.losses.append(loss)
        history.norms.append(norm)
        history.waits.append(waited)
        history.seconds.append(clock() - begin)
        history.num_samples += batch.num_samples
        if reason := watch(train_state, history):
            history.stopped = reason
            break
        train_state.to_train_mode()
    return history


def _step(train_state: TrainState, batch: Batch, history: TrainingHistory) -> tuple[float, float]:
    """Run one step of every player; return loss and gradient norm. Halves the micro-batch when memory runs out."""
    total, largest = 0.0, 0.0
    for player, optimizer in zip(train_state.players, train_state.optimizers, strict=True):
        while True:
            try:
                loss = _backward(train_state, player.loss, batch, optimizer)
                break
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                _shrink(train_state, history, batch, error)
        if not history.losses:
            history.without_gradient += _without_gradient(train_state, player.parameters)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss of {player.name} is {loss} in step {train_state.step + 1};"
                f" expected a finite number. Next: a lower learning rate than"
                f" {optimizer.param_groups[0]['initial_lr']:g}, or look for values in the data that are not finite"
            )
        train_state.scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(player.parameters, train_state.settings.clip)
        train_state.scaler.step(optimizer)
        total, largest = total + loss, max(largest, float(norm))
    train_state.scaler.update()
    return total, largest


def _backward(
    train_state: TrainState, loss_of: Callable[[Batch], Any], batch: Batch, optimizer: Any
) -> float:
    """Accumulate the gradients of one batch over its micro-batches; return its mean loss."""
    optimizer.zero_grad(set_to_none=True)
    mean = 0.0
    for piece, share in pieces(batch, train_state.micro_batch):
        with precision(train_state):
            loss = loss_of(piece)
        train_state.scaler.scale(loss * share).backward()
        mean += float(loss.detach()) * share
    return mean


def _shrink(
    train_state: TrainState, history: TrainingHistory, batch: Batch, error: BaseException
) -> None:
    """Halve the micro-batch and double the accumulation; raises TrainingError when it is one sample already."""
    before = min(train_state.micro_batch, batch.num_samples)
    if before <= 1:
        raise TrainingError(
            f"out of memory with a micro-batch of one sample in step {train_state.step + 1}"
            f" ({str(error).splitlines()[0][:200]}); next: a smaller --size, or a device with more memory"
        ) from error
    train_state.micro_batch = before // 2
    for optimizer in train_state.optimizers:
        optimizer.zero_grad(set_to_none=True)
    if is_accelerator(train_state.device):
        torch.cuda.empty_cache()
    said = (
        f"out of memory in step {train_state.step + 1}: micro-batch {before} -> {train_state.micro_batch},"
        f" accumulation {-(-batch.num_samples // train_state.micro_batch)}"
    )
    history.events.append(said)
    print(said, flush=True)


def precision(train_state: TrainState) -> AbstractContextManager[Any]:
    """Return the autocast context of the train state."""
    if train_state.autocast is None:
        return nullcontext()
    return torch.autocast(train_state.device.partition(":")[0], dtype=train_state.autocast)


def _without_gradient(train_state: TrainState, parameters: Any) -> list[str]:
    wanted = {id(p) for p in parameters if p.requires_grad}
    return [
        name
        for name, parameter in train_state.module.named_parameters()
        if id(parameter) in wanted and parameter.grad is None
    ]
