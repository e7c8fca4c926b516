"""Worker side. Forecasting: the next values of a series, on made series of two seasons, a trend and noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from suite.data.splits import SPLITS
from suite.spec import Metric
from suite.tasks.open_task import OpenParts

NOISE = 0.1


def batch(
    *, num_samples: int, seed: int, split: str, length: int, horizon: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return x [samples, length], and targets: the `future` [samples, horizon] and the `last` value before it."""
    generator = torch.Generator().manual_seed(len(SPLITS) * seed + SPLITS.index(split))
    when = torch.arange(length + horizon, dtype=torch.float32)
    series = torch.zeros(num_samples, length + horizon)
    for shortest in (4.0, 12.0):
        period = shortest * (1 + torch.rand(num_samples, 1, generator=generator))
        phase, size = torch.rand(2, num_samples, 1, generator=generator)
        series += (0.5 + size) * torch.sin(2 * math.pi * (when / period + phase))
    slope = torch.randn(num_samples, 1, generator=generator) / length
    series += slope * when + NOISE * torch.randn(series.shape, generator=generator)
    past, future = series[:, :length], series[:, length:]
    return {"x": past}, {"future": future, "last": past[:, -1:]}


def loss(answers: Tensor, targets: dict[str, Tensor]) -> Tensor:
    """Return the mean squared error of the forecast."""
    return mse_loss(answers.float().reshape(targets["future"].shape), targets["future"])


def mean_absolute_error(answers: Tensor, targets: dict[str, Tensor]) -> float:
    """Return the mean absolute error over the horizon."""
    return float(
        (answers.float().reshape(targets["future"].shape) - targets["future"]).abs().mean()
    )


def of_the_last_value(targets: dict[str, Tensor]) -> float:
    """Return the error of repeating the last value."""
    return float((targets["last"] - targets["future"]).abs().mean())


PARTS = OpenParts(
    batch=batch,
    loss=loss,
    metric=Metric(
        name="MAE", function=mean_absolute_error, direction="lower", trivial=of_the_last_value
    ),
    data="made series",
)
