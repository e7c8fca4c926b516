"""Worker side. Keypoints: where the ink of a digit begins and ends, from top to bottom."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from suite.spec import Metric
from suite.tasks.embedding import batch as pictures
from suite.tasks.open_task import OpenParts

INK = 0.0
"""Brightness, within -1..1, from which a pixel counts as ink."""


def batch(
    *, num_samples: int, seed: int, split: str, channels: int, side: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Return x [samples, channels, side, side], and points [samples, 2, 2]: top and bottom, as (x, y) in 0..1."""
    inputs, _ = pictures(
        num_samples=num_samples, seed=seed, split=split, channels=channels, side=side
    )
    return inputs, torch.stack([_ends(picture[0]) for picture in inputs["x"]])


def _ends(picture: Tensor) -> Tensor:
    """Return the middle of the ink in its first row and in its last."""
    side = picture.shape[-1]
    ink = picture > min(INK, float(picture.max()) - 1e-3)
    rows = ink.any(dim=1).nonzero().flatten()
    ends = [(float(ink[row].nonzero().float().mean()), float(row)) for row in (rows[0], rows[-1])]
    return torch.tensor(ends) / side


def loss(answers: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared distance."""
    return mse_loss(answers.float().reshape(targets.shape), targets)


def mean_distance(answers: Tensor, targets: Tensor) -> float:
    """Return the mean distance in % of the picture's side."""
    return 100 * float((answers.float().reshape(targets.shape) - targets).norm(dim=-1).mean())


def of_the_mean(targets: Tensor) -> float:
    """Return the distance in % of always answering the mean points."""
    return 100 * float((targets - targets.mean(0)).norm(dim=-1).mean())


PARTS = OpenParts(
    batch=batch,
    loss=loss,
    metric=Metric(
        name="distance",
        function=mean_distance,
        unit="%",
        direction="lower",
        is_relative=False,
        trivial=of_the_mean,
    ),
    data="digits",
)
