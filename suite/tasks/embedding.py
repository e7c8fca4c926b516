"""Worker side. Embedding: pictures of one digit lie close to one another; judged by retrieval."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from suite.data.digits import originals, stroke
from suite.spec import Metric
from suite.tasks.open_task import OpenParts
from suite.tasks.regression import drawn

TEMPERATURE = 0.1


def batch(
    *, num_samples: int, seed: int, split: str, channels: int, side: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Return x [samples, channels, side, side] in -1..1, and the digits [samples]."""
    labels = originals()[1]
    chosen = drawn(len(labels), num_samples, seed=seed, split=split)
    pictures = torch.stack(
        [torch.tensor(stroke(int(index), side).tolist()) / 127.5 - 1 for index in chosen]
    )
    x = pictures[:, None].expand(-1, channels, -1, -1).contiguous()
    return {"x": x}, torch.tensor([int(labels[int(index)]) for index in chosen])


def loss(answers: Tensor, targets: Tensor) -> Tensor:
    """Return a supervised contrastive loss: pictures of the same digit against all others of the batch."""
    points = normalize(answers.float().flatten(1), dim=1)
    likeness = points @ points.T / TEMPERATURE
    likeness = likeness.masked_fill(
        torch.eye(len(points), dtype=torch.bool, device=points.device), -1e4
    )
    same = (targets[:, None] == targets[None]).float().fill_diagonal_(0)
    has_other = same.sum(1) > 0
    if not bool(has_other.any()):
        return likeness.logsumexp(1).mean() * 0  # no two of one digit: nothing to learn from
    goal = same[has_other] / same[has_other].sum(1, keepdim=True)
    return cross_entropy(likeness[has_other], goal)


def recall_at_1(answers: Tensor, targets: Tensor) -> float:
    """Return in % how often the nearest other picture, by cosine, shows the same digit."""
    points = normalize(answers.float().flatten(1), dim=1)
    nearest = (points @ points.T).fill_diagonal_(-2).argmax(dim=1)
    return 100 * float((targets[nearest] == targets).float().mean())


def of_the_commonest(targets: Tensor) -> float:
    """Return the recall in % when every nearest picture shows the commonest digit."""
    return 100 * float(targets.bincount().max()) / len(targets)


PARTS = OpenParts(
    batch=batch,
    loss=loss,
    metric=Metric(
        name="recall@1", function=recall_at_1, unit="%", is_relative=False, trivial=of_the_commonest
    ),
    data="digits",
)
