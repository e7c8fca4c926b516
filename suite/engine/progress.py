"""How far a run has come: what is done by outcome, and how long the rest may take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from suite.engine.steps import step_name
from suite.outcome import WORDING, Outcome
from suite.record import Record


@dataclass(slots=True, kw_only=True)
class Progress:
    """What has been seen so far of a run of `total` steps; changed by `count` alone."""

    total: int
    steps: Counter[str]
    """Step -> how many are still to come; empty when the plan is not known by step."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    name_of: Callable[[str], str] = step_name
    """How a step is written."""
    spent: dict[str, list[float]] = field(default_factory=dict)
    """Step -> seconds of every record of it."""

    @property
    def num_done(self) -> int:
        """How many steps have a record."""
        return self.outcomes.total()

    def count(self, record: Record) -> None:
        """Take one finished step into account."""
        self.outcomes[record.outcome] += 1
        self.spent.setdefault(record.step, []).append(record.seconds)
        if self.steps.get(record.step):
            self.steps[record.step] -= 1
        elif self.steps:  # not planned: another step needed what it makes
            self.total += 1

    def rest(self) -> float | None:
        """Seconds that the steps to come will take if they go like those before; None before the first.

        Every kind of step has its own mean; one not seen yet counts like the mean of all.
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
        """(outcome, number) in reading order, without those that did not occur."""
        return [(outcome, self.outcomes[outcome]) for outcome in WORDING if self.outcomes[outcome]]


def progress_of(
    total: int, steps: Sequence[str] = (), name_of: Callable[[str], str] = step_name
) -> Progress:
    """Nothing done yet; `steps` names the step of every planned record, as far as that is known."""
    return Progress(total=total, steps=Counter(steps), name_of=name_of)
