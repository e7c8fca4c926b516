"""Worker side. Learning-rate schedules against closed forms; rates are Python floats, whatever the dtype."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn
from torch.optim import lr_scheduler

from suite.foundations.answers import Evidence, FoundationError, same

BASE: Final = 0.5
TOTAL: Final = 20
"""Number of steps for which a schedule is tested."""
DIGITS: Final = 1e-12
"""Relative error allowed: most schedules multiply the rate from step to step, in float64."""


def rates(
    make: Callable[[Any], Any], *, steps: int, device: str, base: float = BASE
) -> list[float]:
    """Return the rate before each of `steps` steps and after the last, read from an optimizer with one parameter."""
    parameter = nn.Parameter(torch.ones(1, device=device))
    optimizer = torch.optim.SGD([parameter], lr=base)
    schedule = make(optimizer)
    found = [float(optimizer.param_groups[0]["lr"])]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        found.append(float(optimizer.param_groups[0]["lr"]))
    return found


def follows(name: str, got: list[float], expected: list[float]) -> Evidence:
    """Return evidence that a schedule follows its closed form; raises FoundationError at the first rate that is off."""
    if len(got) != len(expected):
        raise FoundationError(f"{name}: expected {len(expected)} rates, got {len(got)}")
    for step, (rate, known) in enumerate(zip(got, expected, strict=True)):
        if not math.isclose(rate, known, rel_tol=DIGITS, abs_tol=DIGITS * BASE):
            raise FoundationError(f"{name}: expected {known:.12g} at step {step}, got {rate:.12g}")
    first, last = (expected[0], expected[-1]), (got[0], got[-1])
    return {name: {"expected": list(first), "got": list(last), "values": len(got)}}


def cosine(step: float, total: float, *, high: float, low: float) -> float:
    """Return the rate from `high` at 0 to `low` at `total` along half a cosine (Loshchilov and Hutter,
    arXiv:1608.03983).
    """
    return low + (high - low) * (1 + math.cos(math.pi * step / total)) / 2


def falling(device: str, dtype: torch.dtype) -> Evidence:
    """Check stepwise, exponential, linear, polynomial and cosine schedules against their closed forms at every step."""
    steps = range(TOTAL + 1)
    known: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
        "step": (
            lambda o: lr_scheduler.StepLR(o, step_size=6, gamma=0.1),
            [BASE * 0.1 ** (t // 6) for t in steps],
        ),
        "multi-step": (
            lambda o: lr_scheduler.MultiStepLR(o, milestones=[4, 15], gamma=0.5),
            [BASE * 0.5 ** ((t >= 4) + (t >= 15)) for t in steps],
        ),
        "exponential": (
            lambda o: lr_scheduler.ExponentialLR(o, gamma=0.9),
            [BASE * 0.9**t for t in steps],
        ),
        "lambda": (
            lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)),
            [BASE / (1 + t) for t in steps],
        ),
        "polynomial": (
            lambda o: lr_scheduler.PolynomialLR(o, total_iters=10, power=2),
            [BASE * (1 - min(t, 10) / 10) ** 2 for t in steps],
        ),
        "cosine": (
            lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=TOTAL, eta_min=0.01),
            [cosine(t, TOTAL, high=BASE, low=0.01) for t in steps],
        ),
        "cosine with restarts": (
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=5, eta_min=0.01),
            [cosine(t % 5, 5, high=BASE, low=0.01) for t in steps],
        ),
    }
    evidence: Evidence = {}
    for name, (make, expected) in known.items():
        evidence |= follows(name, rates(make, steps=TOTAL, device=device), expected)
    return evidence


def warming(device: str, dtype: torch.dtype) -> Evidence:
    """Check where linear warm-up, warm-up then cosine, and one cycle start, turn and end."""
    warm, top = 5, 1.0
    linear = [BASE * (0.1 + 0.9 * min(t, warm) / warm) for t in range(TOTAL + 1)]
    joined = [
        linear[t] if t < warm else cosine(t - warm, TOTAL - warm, high=BASE, low=0.0)
        for t in range(TOTAL + 1)
    ]
    # One cycle: the first three tenths up, the rest down, both along half a cosine (Smith, arXiv:1708.07120).
    start, end, turn = top / 25, top / 25 / 1e4, 0.3 * TOTAL - 1
    cycle = [
        cosine(t, turn, high=start, low=top)
        if t <= turn
        else cosine(t - turn, TOTAL - 1 - turn, high=top, low=end)
        for t in range(TOTAL)
    ]

    def ramp(optimizer: Any) -> Any:
        return lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=warm)

    def ramp_and_cosine(optimizer: Any) -> Any:
        after = lr_scheduler.CosineAnnealingLR(optimizer, T_max=TOTAL - warm)
        return lr_scheduler.SequentialLR(optimizer, [ramp(optimizer), after], milestones=[warm])

    def one_cycle(optimizer: Any) -> Any:
        return lr_scheduler.OneCycleLR(optimizer, max_lr=top, total_steps=TOTAL)

    found = rates(one_cycle, steps=TOTAL - 1, device=device)
    return (
        follows("linear warm-up", rates(ramp, steps=TOTAL, device=device), linear)
        | follows("warm-up then cosine", rates(ramp_and_cosine, steps=TOTAL, device=device), joined)
        | follows("one cycle", found, cycle)
        | follows(
            "one cycle, start, top and end", [found[0], max(found), found[-1]], [start, top, end]
        )
        | same("one cycle, place of the top", found.index(max(found)), round(turn))
    )


def plateau(device: str, dtype: torch.dtype) -> Evidence:
    """Check that a plateau schedule lowers the rate after `patience` steps without improvement, and resumes from its
    state.
    """
    losses = [1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    # Improvement at 0, 1 and 5; the third step without one after 1 is 4, after 5 is 8.
    expected = [BASE] * 4 + [BASE / 2] * 4 + [BASE / 4]
    parameter = nn.Parameter(torch.ones(1, device=device))
    optimizer = torch.optim.SGD([parameter], lr=BASE)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    found = []
    for loss in losses:
        schedule.step(loss)
        found.append(float(optimizer.param_groups[0]["lr"]))

    def cosine_of(target: Any) -> Any:
        return lr_scheduler.CosineAnnealingLR(target, T_max=TOTAL)

    whole = rates(cosine_of, steps=8, device=device)
    first = torch.optim.SGD([parameter], lr=BASE)
    second = torch.optim.SGD([parameter], lr=BASE)
    before, after = cosine_of(first), cosine_of(second)
    for _ in range(4):
        first.step()
        before.step()
    second.load_state_dict(first.state_dict())
    after.load_state_dict(before.state_dict())
    resumed = [float(second.param_groups[0]["lr"])]
    for _ in range(4):
        second.step()
        after.step()
        resumed.append(float(second.param_groups[0]["lr"]))
    return follows("plateau", found, expected) | follows("resumed", resumed, whole[4:])
