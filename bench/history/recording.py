"""A run into the history: what the end of a run and `history record` do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.history.database import DEADLINE, address_of, shown, write
from bench.history.entry import RunEntry
from bench.history.errors import HistoryError
from bench.history.rows import run_entry
from bench.history.writing import write_entry
from suite.runs.load import load_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of a run in a history."""

    store: str
    """For people: the file, or the address without its password."""
    run: str
    num_records: int
    """New to the history; 0 when all of the run was there already."""
    num_points: int
    num_known: int
    """Records that were there already."""
    problems: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What was done, for a terminal."""
        if not self.num_records:
            return f"run {self.run} is in {self.store} already; nothing was written"
        known = f" ({self.num_known} were there already)" if self.num_known else ""
        return (
            f"run {self.run} recorded in {self.store}: {self.num_records} records,"
            f" {self.num_points} values{known}"
        )


def record_run(folder: Path, store: str, *, deadline: float = DEADLINE) -> Recorded:
    """Record the run in `folder`: all of it, or nothing when this raises.

    A run that is recorded again adds what is new in it. Raises HistoryError, naming the folder that
    still holds everything, when there is nothing to record or the history cannot be written.
    """
    run = load_run(folder)
    if not run.records:
        raise HistoryError(
            f"{folder} has nothing to record: {' '.join(run.problems) or 'it has no records.'}"
            " Name a run that measured something"
        )
    try:
        return record_entry(run_entry(run), store, deadline=deadline)
    except HistoryError as error:
        raise HistoryError(
            f"{error}. Nothing of this run was recorded there; {folder} keeps all of it. Then:"
            f" python -m bench history record {folder} --store {shown(address_of(store))}"
        ) from error


def record_entry(entry: RunEntry, store: str, *, deadline: float = DEADLINE) -> Recorded:
    """Write the entry in one transaction. Raises HistoryError when the history cannot be written."""
    written = write(store, lambda connection: write_entry(connection, entry), deadline=deadline)
    return Recorded(
        store=shown(address_of(store)),
        run=entry.name,
        num_records=written.num_records,
        num_points=written.num_points,
        num_known=written.num_known,
        problems=entry.problems,
    )
