"""Registers checks: a decorator gives a pure function its code, title and area."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level

Examine = Callable[[Environment], Iterable[Finding]]
_Fact = TypeVar("_Fact")

AREAS: dict[str, str] = {
    "doctor": "Doctor",
    "python": "Python",
    "driver": "NVIDIA driver and GPU",
    "versions": "PyTorch versions",
    "files": "Installed files",
    "libraries": "Shared libraries",
    "variables": "Variables",
    "memory": "Memory and limits",
    "onnx": "ONNX",
    "onnxruntime": "ONNX Runtime",
    "netron": "Netron",
    "transformers": "Transformers and hub",
    "storage": "Storage",
    "distributed": "Distributed",
    "toolchain": "Toolchain",
    "deep": "Trials",
    "quiet": "Fit to measure",
}
"""Key -> title, in the order of the causal chain, which is the order of the overview."""


class Skipped(Exception):
    """The check does not apply here; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One registered check."""

    code: str
    title: str
    area: str
    examine: Examine
    deep: bool
    """Reads the trials of the deep tier."""

    @property
    def doc(self) -> dict[str, str]:
        """The docstring's parts: `what`, `why`, `cure`."""
        text = re.sub(r"\s+", " ", self.examine.__doc__ or "").strip()
        what, _, rest = text.partition(" Why: ")
        why, _, cure = rest.partition(" Cure: ")
        return {"what": what, "why": why, "cure": cure}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The result of one check."""

    code: str
    title: str
    area: str
    status: Level
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    reason: str = ""
    """Why it was skipped, or what it raised."""


_CHECKS: dict[str, Check] = {}


def check(code: str, title: str, area: str, *, deep: bool = False) -> Callable[[Examine], Examine]:
    """Registers a function from the facts to findings under a code.

    Its docstring says what it looks for, then `Why:` and `Cure:`. Raises ValueError for a code
    that is taken or an area that does not exist.
    """
    if code in _CHECKS:
        raise ValueError(f"two checks have the code {code!r}")
    if area not in AREAS:
        raise ValueError(f"{code}: no area {area!r}; there are {', '.join(AREAS)}")

    def register(examine: Examine) -> Examine:
        _CHECKS[code] = Check(code=code, title=title, area=area, examine=examine, deep=deep)
        return examine

    return register


def checks() -> tuple[Check, ...]:
    """Return every check, by area and in the order of its module."""
    for path in sorted(Path(__file__).with_name("checks").glob("[!_]*.py")):
        importlib.import_module(f"diagnostics.checks.{path.stem}")
    order = list(AREAS)
    return tuple(sorted(_CHECKS.values(), key=lambda item: order.index(item.area)))


def need(fact: _Fact | None, reason: str = "not gathered") -> _Fact:
    """Return the fact. Raises Skipped when it is missing."""
    if fact is None:
        raise Skipped(reason)
    return fact


def stamp(finding: Finding, owner: Check) -> Finding:
    """Return the finding with the code and area of the check that made it."""
    return dataclasses.replace(
        finding, code=finding.code or owner.code, area=finding.area or owner.area
    )
