"""Worker side. A training that is watched: validation, early stopping, the best weights kept, checkpoints."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any, Final

import torch

from suite.training import checkpoint
from suite.training.loop import Course, fit
from suite.training.quality import mean_loss
from suite.training.setup import TrainingSetup
from suite.training.train_state import TrainState

CHECKPOINT_AFTER: Final = 60.0
"""Seconds of training before the first checkpoint is written: a killed worker loses about as much."""


def train_watched(setup: TrainingSetup, train_state: TrainState, saved: Path) -> Course:
    """The setup from its first step, or from the checkpoint in `saved` that a killed worker left, to its end.

    The validation loss is taken `evaluations` times; without a better one in `patience` of them training stops. The
    weights with the best validation loss are what the module holds at the end (those of a game: the last).
    """
    settings, plays = setup.settings, len(train_state.players) > 1
    validation = setup.validation()
    every = max(1, setup.steps // settings.evaluations)
    course = Course()
    best: dict[str, Any] = {}
    torch.manual_seed(setup.seed)
    if checkpoint.exists(saved):
        course = checkpoint.load(train_state, saved)
        course.events.append(f"resumed from a checkpoint after step {train_state.step}")

    def watch(train_state: TrainState, course: Course) -> str:
        if train_state.step % every and train_state.step != setup.steps:
            return ""
        loss = mean_loss(train_state.module, setup.loss, validation, setup.device)
        course.validation.append((train_state.step, loss))
        losses = [value for _, value in course.validation]
        if not plays and loss <= min(losses):
            best.update(step=train_state.step, state=copy.deepcopy(train_state.module.state_dict()))
        if sum(course.seconds) > CHECKPOINT_AFTER:
            checkpoint.save(train_state, course, saved)
        if not plays and len(losses) - 1 - losses.index(min(losses)) >= settings.patience:
            return f"no better validation loss in {settings.patience} evaluations"
        return ""

    batches = setup.batches(start=train_state.step)
    fit(train_state, batches, until=setup.steps, course=course, watch=watch)
    if best and best["step"] != train_state.step:
        train_state.module.load_state_dict(best["state"])
        course.events.append(f"kept the weights after step {best['step']}, the best on validation")
    shutil.rmtree(saved, ignore_errors=True)
    return course
