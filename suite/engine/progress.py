"""Progress of a run: finished steps by outcome, and an estimate of the remaining time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from suite.engine.steps import step_name
from suite.outcome import WORDING, Outcome
from suite.record import Record


@dataclass(slots=True, kw_only=True)
class Progress:
    """Progress of a run of `total` steps; changed by `count` alone."""

    total: int
    steps: Counter[str]
    """Step -> number still to come; empty if the planned steps are not known."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    name_of: Callable[[str], str] = step_name
    """Formats a step's name."""
    spent: dict[str, list[float]] = field(default_factory=dict)
    """Step -> seconds of each of its finished records."""

    @property
    def num_done(self) -> int:
        """Number of steps that have a record."""
        return self.outcomes.total()

    def count(self, record: Record) -> None:
        """Take one finished step into account."""
        self.outcomes[record.outcome] += 1
        self.spent.setdefault(record.step, []).append(record.seconds)
        if self.steps.get(record.step):
            self.steps[record.step] -= 1
        elif self.steps:  # not planned: run because another step needed its result
            self.total += 1

    def rest(self) -> float | None:
        """Return the estimated seconds of the remaining steps from the mean so far, or None before the first.

        Each kind of step has its own mean; one not seen yet takes the mean of all.
        """
        seen = [seconds for values in self.spent.values() for seconds in values]
        if not seen:
            return None
        mean = sum(seen) / len(seen)
        if not self.steps.total():
            return mean * max(0, self.total - self.num_done)
        means = {step: sum(values) / len(values) for step, values in self.spent.items()}
        return sum(means.get(step, mean) * left for step, left in self.steps.items())

    def counts(self) -> list[tuple[Outcome, int]]:
        """Return (outcome, count) in reading order, without outcomes that did not occur."""
        return [(outcome, self.outcomes[outcome]) for outcome in WORDING if self.outcomes[outcome]]


def progress_of(
    total: int, steps: Sequence[str] = (), name_of: Callable[[str], str] = step_name
) -> Progress:
    """Return the progress of a run that has not started; `steps` names the step of every planned record if known."""
    return Progress(total=total, steps=Counter(steps), name_of=name_of)
