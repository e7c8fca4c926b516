"""Recording of runs, at the end of a run and by `history record`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.history.database import DEADLINE, address_of, shown, write
from bench.history.entry import RunEntry
from bench.history.errors import HistoryError
from bench.history.rows import run_entry
from bench.history.writing import write_entry
from diagnostics.control_codes import without_codes
from suite.runs.load import load_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The result of recording a run."""

    store: str
    """For display: the file, or the address without its password."""
    run: str
    num_records: int
    """Records that were added; 0 if all were stored already."""
    num_points: int
    num_known: int
    """Records that were stored already."""
    problems: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The result as a sentence."""
        if not self.num_records:
            return f"run {without_codes(self.run)} is in {self.store} already; nothing was written"
        known = f" ({self.num_known} were there already)" if self.num_known else ""
        return (
            f"run {without_codes(self.run)} recorded in {self.store}: {self.num_records} records,"
            f" {self.num_points} values{known}"
        )


def record_run(folder: Path, store: str, *, deadline: float = DEADLINE) -> Recorded:
    """Record the run in `folder` in one transaction.

    A run that is recorded again adds its new records. Raises HistoryError, naming the folder that
    keeps all data, if there is nothing to record or the history cannot be written.
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
    """Write the entry in one transaction. Raises HistoryError if the history cannot be written."""
    written = write(store, lambda connection: write_entry(connection, entry), deadline=deadline)
    return Recorded(
        store=shown(address_of(store)),
        run=entry.name,
        num_records=written.num_records,
        num_points=written.num_points,
        num_known=written.num_known,
        problems=entry.problems,
    )
