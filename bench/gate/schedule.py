"""The schedule of blocks: which rows get them, in which order, and how many."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.gate.block import Block
from bench.gate.budget import Budget
from bench.gate.pairing import BlockFailed
from bench.gate.row import Row
from bench.gate.signed_rank import benjamini_hochberg
from bench.gate.verdict import (
    Finding,
    Verdict,
    confirmed_verdict,
    detectable_effect,
    screen_verdict,
    summarize_effects,
)
from suite.outcome import Outcome

TakeBlock = Callable[[Row, int], Block]
"""Runs one block of a row; the number is unique in the run. Raises BlockFailed."""
TakeControl = Callable[[int], Block]
Say = Callable[[str], None]

ATTEMPTS: Final = 2
"""Attempts at a block before its row is given up: a single failure may be the machine's. One that took all of its
time is not made again."""
CONTROL_ALPHA: Final = 0.01
NOT_TRIED: Final = (Outcome.UNSUPPORTED, Outcome.UNAVAILABLE)
"""What a step that a model does not have ends with; that of its latency was seen among the facts."""


@dataclass(slots=True, kw_only=True)
class Schedule:
    """The timed part of a gate."""

    rows: Sequence[Row]
    budget: Budget
    take_block: TakeBlock
    take_control: TakeControl
    say: Say = lambda text: None
    seed: int = 0
    num_rows: int = 0
    """Rows of the whole gate, where these are a part of them: the correction will be over all; 0 = these are all."""
    clock: Callable[[], float] = time.monotonic
    number: int = 0
    """Blocks begun so far."""
    control: list[Block] = field(default_factory=list)
    sweeps: int = 0

    def run(self) -> None:
        """Screen every timed row, confirm the flagged ones with fresh blocks, and decide the verdicts."""
        timed = [row for row in self.rows if row.is_timed]
        for sweep in range(self.budget.screen):
            alive = [row for row in timed if row.is_timed]
            self.say(f"screen {sweep + 1} of {self.budget.screen}: {_rows(alive)}")
            self._sweep(alive, "screen")
        flagged = self._cleared([row for row in timed if row.is_timed], "screen")
        # Most flags are noise: a row that fresh blocks show to be quiet needs no more of them.
        self._take(flagged, until=self.budget.screen)
        doubtful = self._cleared([row for row in flagged if row.is_timed], "confirm")
        family = self.num_rows or len(flagged)
        self._confirm(doubtful, until=self.budget.num_confirming(family), family=flagged)
        more_until = self.clock() + self.budget.more_seconds
        open_rows = [row for row in doubtful if row.verdict is Verdict.INCONCLUSIVE]
        if open_rows and self.budget.most > self.budget.confirm:
            self._confirm(open_rows, until=self.budget.most, deadline=more_until, family=flagged)

    def _cleared(self, rows: Sequence[Row], stage: str) -> list[Row]:
        """Settle the rows of which a stage's blocks show no change; return the others, INCONCLUSIVE until now."""
        for row in rows:
            blocks = row.screen if stage == "screen" else row.confirm
            found = summarize_effects(effects_of(blocks), least=row.limits.least)
            verdict = screen_verdict(found, least=row.limits.least, clear=row.limits.clear)
            self._settle(row, found, verdict)
        return [row for row in rows if row.verdict is Verdict.INCONCLUSIVE]

    def decide(self, rows: Sequence[Row]) -> None:
        """Decide the verdicts of rows that were confirmed elsewhere, from the blocks that they have: the correction
        is over all that were flagged, wherever each was measured.
        """
        self._confirm([row for row in rows if row.is_timed and row.confirm], until=0)

    def _confirm(
        self,
        rows: Sequence[Row],
        *,
        until: int,
        deadline: float | None = None,
        family: Sequence[Row] = (),
    ) -> None:
        """Take fresh blocks until each row has `until`, then decide with the correction over `family`."""
        family = family or rows
        self._take(rows, until=until, deadline=deadline)
        alive = [row for row in family if row.is_timed and row.confirm]
        found = [
            summarize_effects(effects_of(row.confirm), least=row.limits.least) for row in alive
        ]
        worse = benjamini_hochberg([f.p_regressed for f in found])
        better = benjamini_hochberg([f.p_improved for f in found])
        for row, finding, up, down in zip(alive, found, worse, better, strict=True):
            if row not in rows:
                continue
            row.adjusted = up
            verdict = confirmed_verdict(
                finding, adjusted=up, adjusted_improved=down, clear=row.limits.clear
            )
            self._settle(row, finding, verdict, family=len(alive))

    def _take(self, rows: Sequence[Row], *, until: int, deadline: float | None = None) -> None:
        """Take fresh blocks until each row has `until`.

        The deadline is checked between sweeps, so that all rows have equally many blocks.
        """
        while todo := [row for row in rows if row.is_timed and len(row.confirm) < until]:
            if deadline is not None and self.clock() > deadline:
                self.say(f"no time left for more blocks; {_rows(todo)} stay as they are")
                break
            self.say(f"confirm {len(todo[0].confirm) + 1} of {until}: {_rows(todo)}")
            self._sweep(todo, "confirm")

    def _settle(self, row: Row, found: Finding, verdict: Verdict, family: int = 1) -> None:
        row.finding, row.verdict = found, verdict
        row.detectable = detectable_effect(
            found.spread,
            num_blocks=max(self.budget.confirm, len(row.confirm)),
            least=row.limits.least,
            family=family,
        )

    def _sweep(self, rows: Sequence[Row], stage: str) -> None:
        """Take one block of every row in random order, with the negative control's blocks among them."""
        order = list(rows)
        random.Random(self.seed + self.sweeps).shuffle(order)
        self.sweeps += 1
        # The screen has controls enough to judge the machine by; a few flagged rows need one beside them.
        num = self.budget.control if stage == "screen" else 1
        places = {(i + 1) * len(order) // (num + 1) for i in range(num)}
        for place, row in enumerate(order):
            if place in places or (len(order) <= num and place == 0):
                self.control.append(self.take_control(self._next()))
            self._one(row, stage)

    def _one(self, row: Row, stage: str) -> None:
        # Numbers alternate by row, not by run: each row's blocks begin with base and with head in turn.
        taken = row.screen if stage == "screen" else row.confirm
        for attempt in range(ATTEMPTS):
            number = self._next(parity=(len(row.screen) + len(row.confirm)) % 2)
            try:
                taken.append(self.take_block(row, number))
                return
            except BlockFailed as error:
                if error.record.outcome in NOT_TRIED:
                    row.skipped = f"{error.record.outcome.value}: {error}"
                    return
                if attempt + 1 < ATTEMPTS and error.record.outcome is not Outcome.TIMED_OUT:
                    continue
                why = f"{error.record.outcome.value} while it was timed: {error}"
                if error.arm == "base":
                    row.skipped, row.is_given_up = f"base {why}", True
                else:
                    row.broken = f"{error.arm} {why}"
                return

    def _next(self, parity: int | None = None) -> int:
        self.number += 1
        if parity is not None and self.number % 2 != parity:
            self.number += 1
        return self.number


def effects_of(blocks: Sequence[Block]) -> list[float]:
    """Return the blocks' effects, log(head / base)."""
    return [block.effect for block in blocks]


def control_shift(control: Sequence[Block], *, least: float) -> Finding | None:
    """Return the negative control's finding if it shifted in either direction, else None.

    Both arms run the same work there, so that a shift comes from the machine or the harness.
    """
    if not control:
        return None
    found = summarize_effects(effects_of(control), least=least)
    if min(found.p_regressed, found.p_improved) <= CONTROL_ALPHA / 2:
        return found
    return None


def _rows(rows: Sequence[Row]) -> str:
    return f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
