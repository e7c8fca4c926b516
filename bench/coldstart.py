"""Cold metrics of a cell: every fresh worker gives one observation of each cold phase."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bench.instruments.phases import COLD_PHASES
from suite.axes import BACKENDS
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Measurement, Record
from suite.results.measuring import ColdStartResult
from suite.results.step_output import decode_output
from suite.results.step_result import StepResult
from suite.worker.protocol import CellJob

if TYPE_CHECKING:
    from suite.engine.session import Session

IMPORT_RUNNER: Final = "bench.instruments.coldstart:import_seconds"


def cold_measurements(
    workers: Sequence[Record], imports: Measurement | None
) -> tuple[Measurement, ...]:
    """Return one measurement per cold metric, in seconds, with one sample per fresh worker that had the phase."""
    found = [imports] if imports is not None else []
    for name in COLD_PHASES:
        samples = tuple(r.phases[name] for r in workers if name in r.phases)
        if samples:
            found.append(Measurement(metric=name, unit="s", samples=samples))
    return tuple(found)


def cold_record(session: Session, cell: Cell) -> Record:
    """Combine the workers of this cell that have run, and run more if there are too few."""
    began = time.monotonic()
    seen = [
        record
        for step in ("latency", "memory")
        if (record := session.records.get(f"{cell.id}/{step}"))
        and record.outcome.has_run
        and record.phases.keys() & {*COLD_PHASES}  # of two steps from one process, one has them
    ]
    for number in range(len(seen), session.request.cold_replicates):
        record = session.job(cell, "coldstart", label=f"coldstart-{number}")
        if not record.outcome.has_run:
            return record
        seen.append(record)
    return replace(
        session.blank(cell, "coldstart", Outcome.PASSED, None),
        measurements=cold_measurements(seen, _imports(session, cell)),
        result=ColdStartResult(workers=len(seen)),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.monotonic() - began,
    )


def _imports(session: Session, cell: Cell) -> Measurement | None:
    """Measure the import of this cell's libraries in a fresh interpreter; None if it fails.

    Measured once per set of packages: the models of one library differ by hundredths of a second.
    """
    request, backend = session.request, BACKENDS[cell.backend]
    own = () if backend.needs_graph else request.specs[cell.model].requires
    modules = tuple(m for m in (*backend.imports, *own) if not m.startswith("suite."))
    packages = tuple(sorted({m.partition(".")[0] for m in modules}))
    if packages not in session.import_seconds:
        answer = session.worker.run(
            CellJob(
                runner=IMPORT_RUNNER,
                cell=cell,
                options=request.options.extended(
                    {"modules": modules, "replicates": request.cold_replicates}
                ),
                deadline=request.deadline,
                log=str(session.folder.logs / "imports.log"),
            )
        )
        found = decode_output(StepResult, answer.result).measurements
        session.import_seconds[packages] = found[0] if found else None
    return session.import_seconds[packages]
