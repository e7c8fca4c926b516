"""Session of a benchmark run: turns cells and steps into jobs, answers into records, and stores the records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Thread
from typing import Final

from diagnostics.finding import Finding
from suite.axes import BACKENDS, CPU, EXPORT, ORIGINAL, QUANTIZE, VARIANTS
from suite.cell import Cell
from suite.engine import preconditions
from suite.engine.outcome_rules import judged, record_of
from suite.engine.run_config import RunConfig
from suite.engine.shared_process import PartsOptions, own_phases, parts_with
from suite.engine.steps import (
    STEPS,
    Step,
    graph_cell,
    needs,
    parent_graph_cell,
    typical_seconds,
)
from suite.outcome import Outcome
from suite.record import Failure, Measurement, Record
from suite.results.step_result import StepResult, UnknownResult
from suite.runs.store import RunFolder
from suite.worker.client import Answer, Worker
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

SYNC_SECONDS: Final = 1.0
"""How often records are synced to the disk at most. A killed process loses none; a machine that loses its power may
lose those of the last second, or of half a minute if nothing followed, when the kernel writes them down itself. Each
sync takes 3 to 30 ms, longer than all else that a run does for a cell."""


@dataclass(slots=True, kw_only=True)
class Session:
    """A run in progress."""

    request: RunConfig
    folder: RunFolder
    worker: Worker
    steps: Mapping[str, Step] = field(default_factory=lambda: STEPS)
    """Steps available for a cell: the suite's own and those that a caller adds."""
    environment_id: str = ""
    on_begin: Callable[[Cell, str], None] = lambda cell, step: None
    on_end: Callable[[Record], None] = lambda record: None
    diagnose: Callable[[str], Sequence[Finding]] = lambda text: ()
    """Returns the doctor's findings in the text of a failure, best first."""
    records: MutableMapping[str, Record] = field(default_factory=dict)
    """Key -> record: the `settled` ones of a resumed run, then those of this one."""
    pending: set[str] = field(default_factory=set)
    """Keys of steps scheduled ahead that are not finished."""
    changed: Condition = field(default_factory=Condition)
    """Guards `records` and `pending` and is notified when they change; its lock is reentrant."""
    threads: list[Thread] = field(default_factory=list)
    share: int = 0
    """Intra-op threads of each worker while several run concurrently; 0 = the user's setting."""
    is_stopped: bool = False
    sync_seconds: float = SYNC_SECONDS
    """See SYNC_SECONDS."""
    synced_at: float = 0.0
    """Monotonic time at which the records were last synced to the disk."""
    cells: Sequence[Cell] = ()
    """Cells of this run in order; a step that compares cells takes its partners from them."""
    shared: dict[str, Record] = field(default_factory=dict)
    """Records of jobs from which several cells have their part, by the key of the part; not stored."""
    planned: frozenset[str] = frozenset()
    """Keys of the steps that this run was asked for; steps that may share a process do so if both are planned."""
    import_seconds: dict[tuple[str, ...], Measurement | None] = field(default_factory=dict)
    """Packages -> import time: the same for every cell that needs them, so measured once per run."""

    def measure(self, cell: Cell, step: str, worker: Worker | None = None) -> Record:
        """Return the record of that cell and step, running it and its prerequisites if necessary.

        The record is in the run folder before this returns. Does not raise for failures in a worker. Waits for a step
        that was scheduled ahead.
        """
        key = f"{cell.id}/{step}"
        with self.changed:
            while worker is None and key in self.pending:
                self.changed.wait()
            if (known := self.records.get(key)) is not None:
                return known
        refusal = self.refusal(cell, step, worker)
        with self.changed:
            self.on_begin(cell, step)
        if refusal is None and self._share(cell, step):
            return self.records[key]
        return self.keep(refusal or self._run(cell, step, worker))

    def _share(self, cell: Cell, step: str) -> bool:
        """Take the step in one process with the others of the cell that may share it; each record is kept when its
        part is done.

        Return False if it has a process of its own, or the shared one ended before it: what is missing is then tried
        alone, so that a failure is that of one step.
        """
        wanted = self.planned - set(self.records)
        parts = tuple(
            part
            for part in parts_with(cell, step, self.steps, wanted)
            if not self._declared(cell, part)
        )
        if len(parts) < 2:
            return False
        began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
        spec = self.request.specs.get(cell.model)
        done: list[str] = []

        def keep(part: str, answer: Answer) -> None:
            phases = own_phases(answer.phases, part, parts, is_first=not done)
            seconds = sum(phases.values())
            if not done:  # with what the process took beside its phases
                seconds += time.monotonic() - began - sum(answer.phases.values())
            done.append(part)
            own = replace(answer, phases=phases)
            record = judged(record_of(own, self.blank(cell, part, own.outcome, None)), spec)
            self.keep(
                replace(
                    record,
                    task=spec.task if spec is not None else "",
                    diagnosis=self.diagnosis_of(record),
                    started_at=started_at,
                    seconds=seconds,
                )
            )

        self.worker.run(
            CellJob(
                runner=self.steps[step].together,
                cell=cell,
                options=self.options_for(cell, step).extended(PartsOptions(parts=parts)),
                deadline=self.request.deadline,
                log=str(self.folder.logs / f"{cell.file_stem}-{'-'.join(parts)}.log"),
            ),
            keep,
        )
        return f"{cell.id}/{step}" in self.records

    def attempt(
        self,
        cell: Cell,
        step: str,
        *,
        runner: str,
        result: type[StepResult] = UnknownResult,
        options: object = None,
        label: str = "",
    ) -> Record:
        """Return the record of one more fresh process that runs `runner` on the cell; it is not stored, so it can be
        repeated.

        Prerequisites of the cell are made first; a declared gap of the stage `bench` is not run. `options` override
        those of the run: a mapping, or a dataclass of the options specific to this runner.
        """
        refusal = self.refusal(cell, step) if cell.model in self.request.specs else None
        return refusal or self.job(
            cell, step, label=label, runner=runner, result=result, options=options
        )

    def ahead(
        self, groups: Iterable[Sequence[tuple[Cell, str]]], workers: Sequence[Worker]
    ) -> None:
        """Start steps before they are requested, one group per worker at a time; `measure` then waits for them.

        Steps of a group run in order. Do not use it for steps whose measurements concurrent work would disturb.
        """
        self.join()
        todo = [list(group) for group in groups if group]
        self.pending |= {f"{cell.id}/{step}" for group in todo for cell, step in group}
        self.pending -= set(self.records)

        def serve(worker: Worker) -> None:
            while True:
                with self.changed:
                    if not todo or self.is_stopped:
                        return
                    group = todo.pop(0)
                try:
                    for cell, step in group:
                        self.measure(cell, step, worker)
                        if self.is_stopped:
                            return
                finally:  # also if this thread fails, so that no waiter blocks for ever
                    with self.changed:
                        self.pending -= {f"{cell.id}/{step}" for cell, step in group}
                        self.changed.notify_all()

        self.share = max(1, self.request.options.threads // max(1, len(workers)))
        self.threads = [Thread(target=serve, args=(worker,), daemon=True) for worker in workers]
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        """Wait until all steps scheduled ahead are done."""
        try:
            for thread in self.threads:
                thread.join()
        except BaseException:
            self.stop()
            raise
        self.threads, self.share = [], 0

    def stop(self) -> None:
        """Start nothing more and store no record of interrupted steps, since they did not crash."""
        self.is_stopped = True

    def export_ahead(
        self, cells: Sequence[Cell], workers: Sequence[Worker], *, longest_first: bool = True
    ) -> None:
        """Make the graphs of `cells` before anything is measured, one export per worker at a time.

        An export is not a measurement, so several may run concurrently; none runs while a cell is measured. The longest
        come first, so that no worker is left with one alone; of two sessions with one cache, one begins with the
        shortest, and they meet.
        """
        graphs = sorted(
            dict.fromkeys(graph_cell(c) for c in cells if BACKENDS[c.backend].needs_graph),
            key=lambda graph: typical_seconds(graph, EXPORT, self.steps),
            reverse=longest_first,
        )
        self.ahead(
            [
                [(g, EXPORT)]
                for g in graphs
                if g.variant == ORIGINAL
                and f"{g.id}/export" not in self.records
                and not self.refusal(g, EXPORT)
            ],
            workers,
        )
        self.join()

    def keep(self, record: Record) -> Record:
        """Store the record and tell whoever waits for it; return it."""
        with self.changed:
            if self.is_stopped:
                return record
            self.records[record.key] = record
            self.pending.discard(record.key)
            now = time.monotonic()
            syncs = now - self.synced_at >= self.sync_seconds
            self.folder.append(record, syncs=syncs)
            self.synced_at = now if syncs else self.synced_at
            self.on_end(record)
            self.changed.notify_all()
        return record

    def refusal(self, cell: Cell, step: str, worker: Worker | None = None) -> Record | None:
        """Return the record of a cell that cannot run (declared gap, or missing prerequisite), or None; makes the
        prerequisites if necessary.
        """
        if why := self._declared(cell, step):
            return self.blank(cell, step, *why)
        if cell.model not in self.request.specs:
            return None  # a known-answer case has no prerequisites
        for made, stage in needs(cell, step, self.request.options.train_on):
            before = self.measure(made, stage, worker)
            if not before.outcome.has_run:
                return self.blank(cell, step, *preconditions.without_state(before))
        row = self.steps.get(step.partition(":")[0])
        has_own = step in (EXPORT, QUANTIZE) or (row is not None and row.makes_graph)
        if not BACKENDS[cell.backend].needs_graph or has_own:
            return None
        why = preconditions.without_graph(self.measure(graph_cell(cell), EXPORT, worker))
        return self.blank(cell, step, *why) if why else None

    def _declared(self, cell: Cell, step: str) -> preconditions.Refusal | None:
        row = self.steps.get(step.partition(":")[0])
        is_of_model = row is not None and row.is_of_model
        return preconditions.declared(self.request, cell, step, is_of_model=is_of_model)

    def _run(self, cell: Cell, step: str, worker: Worker | None) -> Record:
        """Run the job and return its record."""
        if (compose := self.steps[step.partition(":")[0]].compose) is not None:
            return compose(self, cell)
        return self.job(cell, step, worker=worker)

    def job(
        self,
        cell: Cell,
        step: str,
        *,
        label: str = "",
        worker: Worker | None = None,
        runner: str = "",
        result: type[StepResult] | None = None,
        options: object = None,
    ) -> Record:
        """Return the record of one fresh process: its result after `judged`, with its log in the run folder. It is not
        stored.
        """
        began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
        label = (label or step).replace(":", "-")
        log = self.folder.logs / f"{cell.file_stem}-{label}.log"
        answer = (worker or self.worker).run(
            CellJob(
                runner=runner or self.steps[step.partition(":")[0]].runner,
                cell=cell,
                options=self.options_for(cell, step).extended(options or {}),
                deadline=self.request.deadline,
                log=str(log),
            )
        )
        spec = self.request.specs.get(cell.model)
        record = judged(
            record_of(answer, self.blank(cell, step, answer.outcome, None), result), spec
        )
        return replace(
            record,
            task=spec.scale if spec is not None else "",
            diagnosis=self.diagnosis_of(record),
            started_at=started_at,
            seconds=time.monotonic() - began,
        )

    def diagnosis_of(self, record: Record) -> tuple[Finding, ...]:
        """Return the doctor's findings in the text of the record's failure."""
        failure = record.failure
        if failure is None or not record.outcome.is_bad:
            return ()
        if "Next: " in failure.message or "next: " in failure.message:
            return ()  # our errors state their cure; the cause could match another
        return tuple(self.diagnose(f"{failure.log_tail}\n{failure.message}"))

    def options_for(self, cell: Cell, step: str) -> JobOptions:
        """Return the run's options with the cell's graphs and folders."""
        parent = VARIANTS[cell.variant].parent
        options, graph = self.request.options, str(self.graph_of(cell))
        return replace(
            options,
            origins={n: o for n, o in options.origins.items() if n == cell.model},
            threads=self.share or options.threads,
            case=step.partition(":")[2],
            graph=graph,
            output=graph,
            parent_graph=str(self.graph_of(parent_graph_cell(cell))) if parent else "",
            cache_dir=self.request.cache,
            states_dir=self.request.states,
            run_dir=str(self.folder.path),
        )

    def graph_of(self, cell: Cell) -> Path:
        """Return the path of the cell's graph in the run folder."""
        parts = [cell.model, cell.size]
        if cell.variant != ORIGINAL:
            parts += [cell.variant, *([] if cell.device == CPU else [cell.device])]
        parts += [cell.extent] if cell.extent != "b1" else []
        return self.folder.onnx / f"{'-'.join(parts).replace(':', '_')}.onnx"

    def blank(self, cell: Cell, step: str, outcome: Outcome, failure: Failure | None) -> Record:
        """Return a record of this run without measurements."""
        return Record(
            run_id=self.folder.run_id,
            cell=cell,
            step=step,
            outcome=outcome,
            failure=failure,
            environment_id=self.environment_id,
        )
