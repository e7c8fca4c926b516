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
from suite.training.setup import Lesson
from suite.training.train_state import Trainee

CHECKPOINT_AFTER: Final = 60.0
"""Seconds of training before the first checkpoint is written: a killed worker loses about as much."""


def train_watched(lesson: Lesson, trainee: Trainee, saved: Path) -> Course:
    """The lesson from its first step, or from the checkpoint in `saved` that a killed worker left, to its end.

    The validation loss is taken `evaluations` times; without a better one in `patience` of them training stops. The
    weights with the best validation loss are what the module holds at the end (those of a game: the last).
    """
    settings, plays = lesson.settings, len(trainee.players) > 1
    validation = lesson.validation()
    every = max(1, lesson.steps // settings.evaluations)
    course = Course()
    best: dict[str, Any] = {}
    torch.manual_seed(lesson.seed)
    if checkpoint.exists(saved):
        course = checkpoint.load(trainee, saved)
        course.events.append(f"resumed from a checkpoint after step {trainee.step}")

    def watch(trainee: Trainee, course: Course) -> str:
        if trainee.step % every and trainee.step != lesson.steps:
            return ""
        loss = mean_loss(trainee.module, lesson.loss, validation, lesson.device)
        course.validation.append((trainee.step, loss))
        losses = [value for _, value in course.validation]
        if not plays and loss <= min(losses):
            best.update(step=trainee.step, state=copy.deepcopy(trainee.module.state_dict()))
        if sum(course.seconds) > CHECKPOINT_AFTER:
            checkpoint.save(trainee, course, saved)
        if not plays and len(losses) - 1 - losses.index(min(losses)) >= settings.patience:
            return f"no better validation loss in {settings.patience} evaluations"
        return ""

    batches = lesson.batches(start=trainee.step)
    fit(trainee, batches, until=lesson.steps, course=course, watch=watch)
    if best and best["step"] != trainee.step:
        trainee.module.load_state_dict(best["state"])
        course.events.append(f"kept the weights after step {best['step']}, the best on validation")
    shutil.rmtree(saved, ignore_errors=True)
    return course
