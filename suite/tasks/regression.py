"""Worker side. Regression: one number per row of measurements, on scikit-learn's diabetes progression data."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from suite.data.splits import part
from suite.spec import Metric
from suite.tasks.open_task import OpenParts


def batch(*, num_samples: int, seed: int, split: str) -> tuple[dict[str, Tensor], Tensor]:
    """Return x [samples, 10] and targets [samples], both standardized over the data set."""
    rows, targets = _data()
    chosen = drawn(len(rows), num_samples, seed=seed, split=split)
    return {"x": rows[chosen]}, targets[chosen]


def drawn(count: int, num_samples: int, *, seed: int, split: str) -> Tensor:
    """Return the indices of a seeded draw from the split of `count` samples, at most all of them."""
    own = torch.tensor(list(part(count, split)))
    order = torch.randperm(len(own), generator=torch.Generator().manual_seed(seed))
    return own[order[:num_samples]]


def loss(answers: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error."""
    return mse_loss(answers.float().reshape(targets.shape), targets)


def mean_absolute_error(answers: Tensor, targets: Tensor) -> float:
    """Return the mean absolute error in standard deviations of the data."""
    return float((answers.float().reshape(targets.shape) - targets).abs().mean())


def of_the_mean(targets: Tensor) -> float:
    """Return the error of always answering the mean."""
    return float((targets - targets.mean()).abs().mean())


@cache
def _data() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_diabetes

    found: Any = load_diabetes()
    rows, targets = (torch.tensor(v, dtype=torch.float32) for v in (found.data, found.target))
    return (rows - rows.mean(0)) / rows.std(0), (targets - targets.mean()) / targets.std()


PARTS = OpenParts(
    batch=batch,
    loss=loss,
    metric=Metric(name="MAE", function=mean_absolute_error, direction="lower", trivial=of_the_mean),
    data="diabetes",
)
