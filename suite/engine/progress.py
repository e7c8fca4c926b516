"""Progress of a run up to its prompt: finished steps and closing tasks, and the expected rest.

What a kind of work takes on this machine is learnt while it goes on; until then its typical seconds are scaled by how
much slower or faster this machine was at other kinds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from suite.cell import Cell
from suite.engine.steps import step_name
from suite.outcome import WORDING, Outcome
from suite.record import Record

TRUST: Final = 1.0
"""How many pieces of work of a kind the machine's general speed weighs as much as, where typical seconds are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One step or closing task to come."""

    kind: str
    """`kind_of` a step, or kind of the task."""
    seconds: float = 0.0
    """Typical seconds on two cores; 0 = not known."""
    lanes: bool = False
    """Whether every worker of the run takes some of this kind."""


@dataclass(slots=True)
class ToCome:
    """Pieces of work of one kind to come. A run asks for the expected rest after every step, so that it is summed up
    here and not there.
    """

    pieces: deque[float] = field(default_factory=deque)
    """Typical seconds of each, in order; 0 = not known."""
    seconds: float = 0.0
    """Their sum, a piece that is not known as 1."""
    num_known: int = 0

    def add(self, typical: float) -> None:
        """Plan one more."""
        self.pieces.append(typical)
        self._sum(typical, 1)

    def take(self) -> float:
        """Return the typical seconds of the next, which is done; 0 if there is none."""
        if not self.pieces:
            return 0.0
        typical = self.pieces.popleft()
        self._sum(typical, -1)
        return typical

    def _sum(self, typical: float, sign: int) -> None:
        self.seconds += sign * (typical or 1.0)
        self.num_known += sign * bool(typical)


@dataclass(slots=True)
class Spent:
    """Finished work, summed up."""

    number: int = 0
    seconds: float = 0.0
    typical: float = 0.0
    """What it typically takes, a piece that is not known as 1 s."""

    def add(self, seconds: float, typical: float) -> None:
        """Take one more piece into account."""
        self.number += 1
        self.seconds += seconds
        self.typical += typical or 1.0


@dataclass(slots=True, kw_only=True)
class Progress:
    """Progress of a run of `total` steps and its closing tasks; changed by `count` and `finish` alone."""

    total: int
    left: dict[str, ToCome]
    """Kind -> work to come; empty if the planned steps are not known."""
    lanes: Mapping[str, int] = field(default_factory=dict)
    """Kind -> how many go on at a time; 1 for others."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    name_of: Callable[[str], str] = step_name
    """Formats a step's name."""
    tasks: Counter[str] = field(default_factory=Counter)
    """Kind -> number of finished closing tasks."""
    spent: dict[str, Spent] = field(default_factory=dict)
    """Kind -> what is finished."""
    total_spent: Spent = field(default_factory=Spent)
    """The same over all kinds."""

    @property
    def num_done(self) -> int:
        """Number of steps that have a record."""
        return self.outcomes.total()

    def count(self, record: Record) -> None:
        """Take one finished step into account."""
        self.outcomes[record.outcome] += 1
        is_planned = self._took(kind_of(record.step, record.cell), record.seconds)
        if self.left and not is_planned:  # run because another step needed its result
            self.total += 1

    def finish(self, kind: str, seconds: float) -> None:
        """Take one finished closing task into account."""
        self.tasks[kind] += 1
        self._took(kind, seconds)

    def _took(self, kind: str, seconds: float) -> bool:
        """Return whether it was planned."""
        planned = self.left.get(kind)
        typical = planned.take() if planned else 0.0
        for spent in (self.spent.setdefault(kind, Spent()), self.total_spent):
            spent.add(seconds, typical)
        return planned is not None

    def rest(self) -> float | None:
        """Return the expected seconds to the prompt, or None before anything is finished."""
        if not self.total_spent.number:
            return None
        speed = self.total_spent.seconds / self.total_spent.typical
        if not self.left:
            return speed * max(0, self.total - self.num_done)
        return sum(
            work.seconds
            * self._scale(kind, speed, TRUST if work.num_known else 0.0)
            / self.lanes.get(kind, 1)
            for kind, work in self.left.items()
            if work.pieces
        )

    def _scale(self, kind: str, speed: float, trust: float) -> float:
        """Return seconds per typical second of that kind."""
        own = self.spent.get(kind)
        if own is None:
            return speed
        weight = trust * own.typical / own.number
        return (own.seconds + weight * speed) / (own.typical + weight)

    def counts(self) -> list[tuple[Outcome, int]]:
        """Return (outcome, count) in reading order, without outcomes that did not occur."""
        return [(outcome, self.outcomes[outcome]) for outcome in WORDING if self.outcomes[outcome]]


def kind_of(step: str, cell: Cell) -> str:
    """Return the kind of a step: backends differ in what one takes."""
    return f"{step} {cell.backend}"


def progress_of(
    total: int,
    work: Sequence[Work | str] = (),
    name_of: Callable[[str], str] = step_name,
    lanes: Mapping[str, int] | None = None,
) -> Progress:
    """Return the progress of a run that has not started; `work` has the planned steps, if they are known, and tasks."""
    left: dict[str, ToCome] = {}
    for piece in work:
        piece = Work(kind=piece) if isinstance(piece, str) else piece
        left.setdefault(piece.kind, ToCome()).add(piece.seconds)
    return Progress(total=total, left=left, lanes=lanes or {}, name_of=name_of)
