"""The verdict on work: instructions per forward pass in both arms, and where they went.

Counts of one program differ between processes by hundredths of a per cent, whatever else the machine does, so that no
test of hypotheses is needed: the arms are apart if every process of one lies beyond every process of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.gate.verdict import Verdict
from bench.stats import median

MARGIN: Final = 0.001
"""Share by which bounds are widened: two processes may agree by chance closer than a third one does."""
LEAST_OF_PASS: Final = 0.002
"""Share of the pass that an operator has to grow by before its own growth counts."""
LEAST_OF_GROWTH: Final = 0.05
"""Share of the whole growth below which a function is not named."""
MAX_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What one process counted, in instructions per forward pass."""

    counts: tuple[float, ...]
    """One value per stretch of passes."""
    functions: Mapping[str, float] = field(default_factory=dict)
    """Function -> its own instructions."""
    operators: Mapping[str, float] = field(default_factory=dict)
    """Operator of PyTorch, or kernel of ONNX Runtime -> instructions in it and below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a function's or an operator's instructions per pass changed."""

    name: str
    base: float
    head: float
    share_of_pass: float
    """(head - base) over the pass of base."""

    @property
    def share(self) -> float | None:
        """head / base - 1, or None for one that base does not have."""
        return self.head / self.base - 1 if self.base else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The work of one cell in both arms."""

    base: tuple[float, ...]
    head: tuple[float, ...]
    """Instructions per pass, the median of each process."""
    limit: float
    verdict: Verdict
    operators: tuple[Growth, ...] = ()
    """Operators that grew, largest first."""
    functions: tuple[Growth, ...] = ()
    """Functions that grew, largest first."""
    counted_by: str = ""
    """Name and version of what counted; numbers of different ones are not comparable."""
    is_operators: bool = False
    """Whether an operator alone regressed: the pass as a whole stayed below its limit."""

    @property
    def growth(self) -> float:
        """Share by which a pass of head takes more instructions than one of base."""
        return median(self.head) / median(self.base) - 1

    @property
    def low(self) -> float:
        """The least growth that any two processes show, less MARGIN."""
        return min(self.head) / max(self.base) - 1 - MARGIN

    @property
    def high(self) -> float:
        """The largest growth that any two processes show, plus MARGIN."""
        return max(self.head) / min(self.base) - 1 + MARGIN


def judge_work(
    base: Sequence[Count], head: Sequence[Count], *, limit: float, operator_limit: float
) -> Work:
    """Return the verdict on the processes of both arms.

    REGRESSED if the pass surely grew by more than `limit`, or if it surely grew and an operator of both arms grew
    by more than `operator_limit`; never if the pass as a whole takes no more instructions than before.
    """
    found = Work(
        base=tuple(median(one.counts) for one in base),
        head=tuple(median(one.counts) for one in head),
        limit=limit,
        verdict=Verdict.INCONCLUSIVE,
    )
    whole = median(found.base)
    operators = grown([c.operators for c in base], [c.operators for c in head], whole)
    functions = grown([c.functions for c in base], [c.functions for c in head], whole)
    worse = [o for o in operators if (o.share or 0) > operator_limit and is_apart(o, base, head)]
    is_operators = found.low <= limit and found.low > 0 and bool(worse)
    verdict = found.verdict
    if found.low > limit or is_operators:
        verdict = Verdict.REGRESSED
    elif found.high < -limit:
        verdict = Verdict.IMPROVED
    elif found.high < limit:
        verdict = Verdict.NO_REGRESSION
    return Work(
        base=found.base,
        head=found.head,
        limit=limit,
        verdict=verdict,
        operators=tuple((worse if is_operators else operators)[:MAX_NAMED]),
        functions=tuple(functions[:MAX_NAMED]),
        is_operators=is_operators,
    )


def grown(
    base: Sequence[Mapping[str, float]], head: Sequence[Mapping[str, float]], whole: float
) -> list[Growth]:
    """Return what grew by at least LEAST_OF_GROWTH of all growth, largest first; a name that is missing counts as 0."""
    names = {name for one in (*base, *head) for name in one}
    changes = []
    for name in names:
        before, after = (median([one.get(name, 0.0) for one in arm]) for arm in (base, head))
        if after > before:
            changes.append(
                Growth(name=name, base=before, head=after, share_of_pass=(after - before) / whole)
            )
    total = sum(change.head - change.base for change in changes)
    kept = [c for c in changes if c.head - c.base >= LEAST_OF_GROWTH * total]
    return sorted(kept, key=lambda change: (change.base - change.head, change.name))


def is_apart(growth: Growth, base: Sequence[Count], head: Sequence[Count]) -> bool:
    """True if both arms have the operator, and every process of head needs surely more of the pass for it."""
    before = [one.operators.get(growth.name, 0.0) for one in base]
    after = [one.operators.get(growth.name, 0.0) for one in head]
    whole = median([median(one.counts) for one in base])
    return min(before) > 0 and min(after) - max(before) > LEAST_OF_PASS * whole
