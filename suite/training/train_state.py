"""Worker side. TrainState: a model with all state that training changes: players, optimizers, schedules, random
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from suite.axes import CPU, is_accelerator
from suite.lifecycle import Training
from suite.spec import ModelSpec
from suite.tasks.adversaries import Player
from suite.tasks.batch import Batch
from suite.tasks.task_of import loss_of_task, task_of
from suite.training.optimizers import optimizer_for
from suite.training.schedules import factor

Loss = Callable[[nn.Module, Batch], Tensor]


@dataclass(slots=True, kw_only=True)
class TrainState:
    """A model in training."""

    module: nn.Module
    players: Sequence[Player]
    """One, or two that compete (a GAN)."""
    optimizers: Sequence[torch.optim.Optimizer]
    """One per player."""
    settings: Training
    steps: int
    """Optimizer steps of the whole training; the schedule spans them."""
    step: int = 0
    """Steps done."""
    micro_batch: int
    scaler: Any
    """Scales the loss for float16; a no-op for other types."""
    autocast: torch.dtype | None = None
    device: str = CPU
    frozen: Sequence[nn.Module] = field(default_factory=tuple)
    """Modules kept in eval mode, so that their normalization statistics do not change."""

    def set_rates(self) -> None:
        """Set the learning rates of the current step by the schedule, relative to each group's base rate."""
        scale = factor(self.settings.schedule, self.step, self.steps, self.settings.warmup)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * scale

    def to_train_mode(self) -> None:
        """Put the module in train mode and the frozen modules in eval mode."""
        self.module.train()
        for module in self.frozen:
            module.eval()


def train_state_for(
    spec: ModelSpec,
    module: nn.Module,
    settings: Training,
    *,
    steps: int,
    device: str = CPU,
    dtype: str = "float32",
    groups: Iterable[Mapping[str, Any]] | None = None,
    frozen: Sequence[nn.Module] = (),
) -> TrainState:
    """Return the module on its device with optimizers for all its trainable weights, or for `groups` of them.

    `groups` are optimizer groups with `params` and `lr`, for a single player. On CUDA, training runs under autocast to
    bfloat16 if the GPU supports it; with the cell's dtype `bfloat16` or `float16`, on every device.
    """
    module = module.to(device)
    players = players_of(spec, module, settings)
    rate = settings.learning_rate
    optimizers = [
        optimizer_for(
            settings.optimizer,
            [{"params": player.parameters}] if groups is None else [dict(g) for g in groups],
            learning_rate=rate,
            weight_decay=settings.weight_decay,
        )
        for player in players
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    autocast = autocast_type(device, dtype)
    return TrainState(
        module=module,
        players=players,
        optimizers=optimizers,
        settings=settings,
        steps=steps,
        micro_batch=settings.micro_batch or settings.batch,
        scaler=torch.amp.GradScaler(device.partition(":")[0], enabled=autocast is torch.float16),
        autocast=autocast,
        device=device,
        frozen=frozen,
    )


def players_of(spec: ModelSpec, module: nn.Module, settings: Training) -> Sequence[Player]:
    """Return the task's players, or a single one with all trainable weights."""
    task = task_of(spec)
    if hasattr(task, "players") and not settings.loss:
        found: Sequence[Player] = task.players(module)
        return found
    loss = loss_of(spec, settings)
    parameters = [p for p in module.parameters() if p.requires_grad]
    return (Player(name="model", parameters=parameters, loss=lambda batch: loss(module, batch)),)


def loss_of(spec: ModelSpec, settings: Training) -> Loss:
    """Return the loss that the record names, or the task's own."""
    if not settings.loss:
        return loss_of_task(spec)
    name, _, function = settings.loss.partition(":")
    named: Loss = getattr(import_module(name), function)
    return named


def autocast_type(device: str, dtype: str) -> torch.dtype | None:
    """Return the autocast dtype of the training, or None."""
    if dtype != "float32":
        chosen: torch.dtype = getattr(torch, dtype)
        return chosen
    if is_accelerator(device) and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return None
