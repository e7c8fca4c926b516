"""One run of the benchmark: turns cells and steps into jobs, answers into records, records into the run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import Any

from bench.coldstart import IMPORT_RUNNER, cold_measurements
from bench.judge import gap_of, judged, measurement_of, parity_of, record_of
from bench.steps import RUNNERS, graph_cell, stage_of
from suite.axes import BACKENDS
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Failure, Measurement, Record
from suite.spec import Gap, ModelSpec
from suite.store import RunFolder
from suite.worker.client import Worker
from suite.worker.protocol import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for, resolved: the same for every cell of the run."""

    specs: Mapping[str, ModelSpec]
    options: Mapping[str, Any]
    """Goes into every job: models_from, weights, sources, seed, threads, plan."""
    deadline: float
    """Seconds per job."""
    cold_replicates: int
    cache: str
    """Folder of the export cache; empty = no cache."""


@dataclass(slots=True, kw_only=True)
class Session:
    """A run in progress."""

    request: Request
    folder: RunFolder
    worker: Worker
    environment_id: str = ""
    on_begin: Callable[[Cell, str], None] = lambda cell, step: None
    on_end: Callable[[Record], None] = lambda record: None
    diagnose: Callable[[str], list[dict[str, Any]]] = lambda text: []
    """What a doctor says to the text of a failure: findings as data."""
    records: dict[str, Record] = field(default_factory=dict)
    """Key -> record: `settled` ones of an interrupted run that is being resumed, then our own."""
    import_seconds: dict[tuple[str, ...], Measurement | None] = field(default_factory=dict)
    """Packages -> what importing them costs: the same for every cell that needs them, so measured once a run."""

    def measure(self, cell: Cell, step: str) -> Record:
        """The record of that cell and step: made now, once.

        It is in the run folder before this returns. Never raises for what happens in a worker.
        """
        if (known := self.records.get(f"{cell.id}/{step}")) is not None:
            return known
        refusal = self._refusal(cell, step)
        self.on_begin(cell, step)
        return self._kept(refusal or self._run(cell, step))

    def export_ahead(self, cells: Sequence[Cell], workers: Sequence[Worker]) -> None:
        """Makes the graphs of `cells` before anything is measured, one export per worker at a time.

        An export is not a measurement, so several may run side by side; while a cell is measured none does.
        """
        graphs = dict.fromkeys(graph_cell(c) for c in cells if BACKENDS[c.backend].needs_graph)
        todo = [
            g
            for g in graphs
            if f"{g.id}/export" not in self.records and not self._refusal(g, "export")
        ]
        lock, stopped = Lock(), Event()
        threads_each = max(1, int(self.request.options.get("threads", 1)) // max(1, len(workers)))

        def serve(worker: Worker) -> None:
            while True:
                with lock:
                    if not todo:
                        return
                    cell = todo.pop(0)
                    self.on_begin(cell, "export")
                record = self._job(cell, "export", worker=worker, threads=threads_each)
                with lock:
                    if stopped.is_set():  # by Ctrl-C: what it broke off did not crash
                        return
                    self._kept(record)

        threads = [Thread(target=serve, args=(worker,), daemon=True) for worker in workers]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            stopped.set()
            todo.clear()
            raise

    def _kept(self, record: Record) -> Record:
        self.records[record.key] = record
        self.folder.append(record)
        self.on_end(record)
        return record

    def _refusal(self, cell: Cell, step: str) -> Record | None:
        """The record of a cell that is not to be run: a declared gap, or no graph to run."""
        spec, backend = self.request.specs[cell.model], BACKENDS[cell.backend]
        stage = stage_of(step)
        gap = gap_of(spec, cell, stage)
        if gap is None and backend.needs_graph:
            gap = gap_of(spec, cell, "export")
        if gap is None and cell.dtype not in backend.dtypes:
            gap = Gap(reason=f"{cell.backend}: {backend.dtypes_reason}", url=backend.dtypes_url)
        if gap is not None and gap.kind == "unsupported":
            return self._blank(
                cell,
                step,
                Outcome.UNSUPPORTED,
                Failure(kind="gap", message=gap.reason, url=gap.url),
            )
        if not backend.needs_graph or step == "export":
            return None
        graph = self.measure(graph_cell(cell), "export")
        if graph.outcome.has_run or parity_of(graph) == "vacuous":
            return None
        failure = Failure(
            kind="graph",
            message=f"there is no trustworthy graph to run: the export {graph.outcome.value}"
            + (f": {graph.failure.message.splitlines()[0]}" if graph.failure else ""),
            phase="export",
            log=graph.failure.log if graph.failure else "",
        )
        bad = graph.outcome if graph.outcome is Outcome.UNAVAILABLE else Outcome.FAILED
        return self._blank(cell, step, bad, failure)

    def _run(self, cell: Cell, step: str) -> Record:
        """The record of a job that is really run."""
        if step == "coldstart":
            return self._coldstart(cell)
        return self._job(cell, step)

    def _job(
        self,
        cell: Cell,
        step: str,
        *,
        label: str = "",
        worker: Worker | None = None,
        threads: int | None = None,
    ) -> Record:
        """One fresh process, and what it brought home."""
        began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
        log = self.folder.logs / f"{cell.file_stem}-{label or step}.log"
        answer = (worker or self.worker).run(
            Job(
                runner=RUNNERS[step],
                cell=cell,
                options={
                    **self.request.options,
                    **self._paths(cell),
                    **({"threads": threads} if threads else {}),
                },
                deadline=self.request.deadline,
                log=str(log),
            )
        )
        spec = self.request.specs[cell.model]
        record = judged(record_of(answer, self._blank(cell, step, answer.outcome, None)), spec)
        facts = dict(record.facts)
        if record.outcome.is_bad and record.failure is not None:
            facts["diagnosis"] = self.diagnose(
                f"{record.failure.log_tail}\n{record.failure.message}"
            )
        return replace(record, facts=facts, started_at=started_at, seconds=time.monotonic() - began)

    def _paths(self, cell: Cell) -> dict[str, str]:
        """Where the graph lies and goes, for those who need it."""
        graph = self.folder.onnx / f"{cell.model}-{cell.size}.onnx"
        if cell.batch != 1:
            graph = graph.with_name(f"{cell.model}-{cell.size}-b{cell.batch}.onnx")
        return {
            "graph": str(graph),
            "output": str(graph),
            "cache_dir": self.request.cache,
            "run_dir": str(self.folder.path),
        }

    def _coldstart(self, cell: Cell) -> Record:
        """Cold metrics: one observation from every fresh worker of this cell, more workers where too few ran."""
        began = time.monotonic()
        seen = [
            record
            for step in ("latency", "memory")
            if (record := self.records.get(f"{cell.id}/{step}")) and record.outcome.has_run
        ]
        failed: Record | None = None
        for number in range(len(seen), self.request.cold_replicates):
            record = self._job(cell, "coldstart", label=f"coldstart-{number}")
            if not record.outcome.has_run:
                failed = record
                break
            seen.append(record)
        if failed is not None:
            return failed
        return replace(
            self._blank(cell, "coldstart", Outcome.PASSED, None),
            measurements=cold_measurements(seen, self._imports(cell)),
            facts={"workers": len(seen)},
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=time.monotonic() - began,
        )

    def _imports(self, cell: Cell) -> Measurement | None:
        """Seconds that a fresh interpreter needs for this cell's libraries; None when they do not import.

        Measured once per set of packages: the models of one library differ by hundredths of a second.
        """
        backend = BACKENDS[cell.backend]
        own = () if backend.needs_graph else self.request.specs[cell.model].requires
        modules = tuple(m for m in (*backend.imports, *own) if not m.startswith("suite."))
        packages = tuple(sorted({m.partition(".")[0] for m in modules}))
        if packages not in self.import_seconds:
            answer = self.worker.run(
                Job(
                    runner=IMPORT_RUNNER,
                    cell=cell,
                    options={
                        **self.request.options,
                        "modules": modules,
                        "replicates": self.request.cold_replicates,
                    },
                    deadline=self.request.deadline,
                    log=str(self.folder.logs / "imports.log"),
                )
            )
            found = answer.result.get("measurements", ())
            self.import_seconds[packages] = measurement_of(found[0]) if found else None
        return self.import_seconds[packages]

    def _blank(self, cell: Cell, step: str, outcome: Outcome, failure: Failure | None) -> Record:
        return Record(
            run_id=self.folder.run_id,
            cell=cell,
            step=step,
            outcome=outcome,
            failure=failure,
            environment_id=self.environment_id,
        )
