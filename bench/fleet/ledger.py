"""Ledger of a run's units: which attempt of each counts, what it still owes, and whether it is tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bench.fleet.units import Unit

MAX_ATTEMPTS: Final = 3
"""Attempts at a unit: the first, and up to two on other nodes."""


@dataclass(slots=True)
class Account:
    """State of one unit."""

    unit: Unit
    owed: set[str]
    """Keys of the steps that have no record yet."""
    attempt: int = 0
    """Number of the attempt that counts, from 1; 0 = none has been made."""
    is_open: bool = False
    """Whether that attempt goes on."""
    lost_on: list[str] = field(default_factory=list)
    """Nodes on which an attempt was lost, in order."""
    reasons: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Ledger:
    """The units of one run. Records are accepted from the attempt that counts, each key once."""

    accounts: dict[str, Account]
    recorded: set[str]
    """Keys that have their record."""
    num_refused: int = 0
    """Records that came from an attempt that had been given up, or a second time."""

    @classmethod
    def of(cls, units: tuple[Unit, ...], recorded: set[str]) -> Ledger:
        """Return the ledger of a run that has the records `recorded` already."""
        accounts = {u.name: Account(unit=u, owed=set(u.keys) - recorded) for u in units}
        return cls(accounts, set(recorded))

    def open(self, name: str) -> int:
        """Return the number of the attempt that begins now; answers of earlier ones no longer count."""
        account = self.accounts[name]
        account.attempt += 1
        account.is_open = True
        return account.attempt

    def counts(self, name: str, attempt: int) -> bool:
        """Return whether an answer of that attempt counts."""
        account = self.accounts.get(name)
        return account is not None and account.is_open and account.attempt == attempt

    def accept(self, name: str, attempt: int, key: str) -> bool:
        """Return whether the record with that key is to be kept: of the attempt that counts, and the first one."""
        if not self.counts(name, attempt) or key in self.recorded:
            self.num_refused += 1
            return False
        self.recorded.add(key)
        self.accounts[name].owed.discard(key)
        return True

    def lose(self, name: str, node: str, reason: str) -> bool:
        """Close the attempt that counts as lost on that node (empty = before it began, which is no try); return whether
        the unit is tried again.
        """
        account = self.accounts[name]
        account.is_open = False
        if not account.owed:
            return False
        if node or reason not in account.reasons:
            account.reasons.append(reason)
        if node:
            account.lost_on.append(node)
        return len(account.lost_on) < MAX_ATTEMPTS

    def finish(self, name: str) -> None:
        """Close the attempt that counts: the node has told everything."""
        self.accounts[name].is_open = False
