"""Worker side. Training with validation, early stopping, the best weights kept, and checkpoints."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any, Final

import torch

from suite.training import checkpoint
from suite.training.loop import TrainingHistory, fit
from suite.training.quality import mean_loss
from suite.training.setup import TrainingSetup
from suite.training.train_state import TrainState

CHECKPOINT_AFTER: Final = 60.0
"""Seconds of training before checkpoints are written: a killed worker loses about as much."""


def train_watched(setup: TrainingSetup, train_state: TrainState, saved: Path) -> TrainingHistory:
    """Train from the first step, or from the checkpoint in `saved` that a killed worker left, to the end.

    Validates `evaluations` times and stops when `patience` validations in a row bring no lower loss. At the end the
    module holds the weights with the lowest validation loss (for a task with two players: the last weights).
    """
    settings, plays = setup.settings, len(train_state.players) > 1
    validation = setup.validation()
    every = max(1, setup.steps // settings.evaluations)
    history = TrainingHistory()
    best: dict[str, Any] = {}
    torch.manual_seed(setup.seed)
    if checkpoint.exists(saved):
        history = checkpoint.load(train_state, saved)
        history.events.append(f"resumed from a checkpoint after step {train_state.step}")

    def watch(train_state: TrainState, history: TrainingHistory) -> str:
        if train_state.step % every and train_state.step != setup.steps:
            return ""
        loss = mean_loss(train_state.module, setup.loss, validation, setup.device)
        history.validation.append((train_state.step, loss))
        losses = [value for _, value in history.validation]
        if not plays and loss <= min(losses):
            best.update(step=train_state.step, state=copy.deepcopy(train_state.module.state_dict()))
        if sum(history.seconds) > CHECKPOINT_AFTER:
            checkpoint.save(train_state, history, saved)
        if not plays and len(losses) - 1 - losses.index(min(losses)) >= settings.patience:
            return f"no better validation loss in {settings.patience} evaluations"
        return ""

    batches = setup.batches(start=train_state.step)
    fit(train_state, batches, until=setup.steps, history=history, watch=watch)
    if best and best["step"] != train_state.step:
        train_state.module.load_state_dict(best["state"])
        history.events.append(f"kept the weights after step {best['step']}, the best on validation")
    shutil.rmtree(saved, ignore_errors=True)
    return history
