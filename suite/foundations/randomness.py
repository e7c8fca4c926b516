"""Worker side. Random numbers: reproducible by seed, and distributed as documented."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor, nn

from suite.foundations.answers import Evidence, between, exact, roundoff, same

SIGMAS: Final = 6.0
"""Allowed standard errors of a statistic: a correct generator exceeds them once in 5e8 seeds."""
COUNT: Final = 1 << 14


def seeds(device: str, dtype: torch.dtype) -> Evidence:
    """Check that the same seed gives the same numbers, another seed others, and a saved state resumes where it was."""
    on: dict[str, Any] = {"device": device, "dtype": dtype}

    def draw(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        return [
            torch.rand(64, **on),
            torch.randn(64, **on),
            torch.randperm(64, device=device),
            torch.randint(0, 1000, (64,), device=device),
            torch.empty(64, **on).bernoulli_(0.5),
            torch.rand(64, **on).multinomial(8),
        ]

    names = ("rand", "randn", "randperm", "randint", "bernoulli", "multinomial")
    first, again, other = draw(1), draw(1), draw(2)
    evidence: Evidence = {}
    for name, a, b, c in zip(names, first, again, other, strict=True):
        evidence |= exact(f"{name} again", b, a)
        evidence |= same(f"{name} from another seed differs", not torch.equal(a, c), True)
    generator = torch.Generator(device).manual_seed(3)
    state = generator.get_state()
    drawn = torch.rand(8, generator=generator, **on)
    generator.set_state(state)
    evidence |= exact("restored state", torch.rand(8, generator=generator, **on), drawn)
    torch.manual_seed(4)
    expected = torch.rand(8, **on)
    torch.manual_seed(4)
    torch.rand(8, generator=generator, **on)  # a separate generator does not affect the global one
    return evidence | exact("own generator", torch.rand(8, **on), expected)


def distributions(device: str, dtype: torch.dtype) -> Evidence:
    """Check that range, mean and spread of uniform, normal and Bernoulli numbers lie within their standard errors."""
    torch.manual_seed(0)
    on: dict[str, Any] = {"device": device, "dtype": dtype}
    error = SIGMAS / math.sqrt(COUNT)
    u = roundoff(dtype)
    uniform = torch.rand(COUNT, **on).double()
    normal = torch.randn(COUNT, **on).double()
    heads = torch.empty(COUNT, **on).bernoulli_(0.3).double()
    permuted = torch.randperm(COUNT, device=device)
    dice = torch.randint(1, 7, (COUNT,), device=device)
    # Deviations of the mean: the distribution's own; of the variance of a normal: sqrt(2/n), of a uniform:
    # sqrt(1/180 n). Numbers rounded to the dtype's grid may be up to one spacing (2u) low.
    spread = error * math.sqrt(0.3 * 0.7)
    return (
        between("rand, least", float(uniform.min()), 0.0, 0.01)
        | same("rand below 1", bool((uniform < 1).all()), True)
        | between(
            "rand, mean", float(uniform.mean()), 0.5 - error * 0.2887 - 2 * u, 0.5 + error * 0.2887
        )
        | between(
            "rand, variance",
            float(uniform.var()),
            1 / 12 - error * 0.0746 - u,
            1 / 12 + error * 0.0746 + u,
        )
        | between("randn, mean", float(normal.mean()), -error, error)
        | between(
            "randn, variance",
            float(normal.var()),
            1 - error * 1.4143 - 2 * u,
            1 + error * 1.4143 + 2 * u,
        )
        | between("bernoulli, mean", float(heads.mean()), 0.3 - spread, 0.3 + spread)
        | same("bernoulli, values", sorted(set(heads.tolist())), [0.0, 1.0])
        | exact("randperm", permuted.sort().values, range(COUNT))
        | same("randint, faces", sorted(set(dice.tolist())), [1, 2, 3, 4, 5, 6])
        | between(
            "randint, mean", float(dice.double().mean()), 3.5 - error * 1.708, 3.5 + error * 1.708
        )
    )


def determinism(device: str, dtype: torch.dtype) -> Evidence:
    """Check that two trainings from one seed end in bit-identical weights, and from another seed in different ones."""

    def train(seed: int) -> tuple[list[float], Tensor]:
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.25), nn.Linear(16, 4))
        net = net.to(device, dtype)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.125, momentum=0.9)
        x = torch.randn(32, 8, device=device, dtype=dtype)
        labels = torch.randint(0, 4, (32,), device=device)
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
        return losses, torch.cat([p.detach().reshape(-1) for p in net.parameters()])

    (losses, weights), (again, same_weights), (_, others) = train(1), train(1), train(2)
    return (
        same("losses", again, losses)
        | exact("weights", same_weights, weights)
        | same("another seed differs", not torch.equal(weights, others), True)
        | same("the loss moves", all(a != b for a, b in pairwise(losses)), True)
    )
