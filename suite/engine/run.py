"""Lifetime of one run: run folder, launcher, session, and work done before the tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diagnostics.doctor import examine
from diagnostics.environment import Environment
from diagnostics.explain import explain
from diagnostics.finding import Finding, Level
from diagnostics.redact import for_this_machine, without_password
from suite.axes import BACKENDS, CPU, ORIGINAL, STAGES
from suite.cell import Cell
from suite.engine.live_display import SILENT, Display
from suite.engine.outcome_rules import settled
from suite.engine.run_config import RunConfig
from suite.engine.session import Session
from suite.engine.steps import STEPS, Step, graph_cell
from suite.foundations.cases import PRELOAD
from suite.options import Selection
from suite.record import Record
from suite.runs.folder import NoSuchRun, find_run
from suite.runs.load import load_run
from suite.runs.machine import FILE as MACHINE
from suite.runs.machine import Machine
from suite.runs.store import RunFolder
from suite.worker.client import Launcher, Worker

EXPORT_BYTES = 5 * 1024**3
"""Memory for one export; the largest of the catalogue, mvit_v2_s, was measured at 3.6 GB."""

LIFE_BYTES = 4 * 1024**3
"""Memory for the lifecycle of one tiny model, including its launcher."""

MAX_EXPORTS = 4
"""Maximum number of concurrent exports; each has its own launcher, which imports the libraries again."""


class RunError(ValueError):
    """Error raised if the run cannot be opened as requested; shown to the user without a traceback."""


@dataclass(slots=True, kw_only=True)
class Run:
    """An open run: the session and the content of its folder."""

    selection: Selection
    session: Session
    folder: RunFolder
    environment: Environment
    info: dict[str, Any] = field(default_factory=dict)
    """Content of `run.json`."""
    helpers: list[Launcher] = field(default_factory=list)
    """Launchers in addition to the session's own: they work side by side on what is not timed, and sleep otherwise."""
    display: Display = SILENT
    """Told of the tasks that close the run."""

    @property
    def workers(self) -> list[Worker]:
        """The session's own worker and the helpers."""
        return [self.session.worker, *self.helpers]

    def begin(self, planned: Sequence[Mapping[str, Any]]) -> None:
        """Write down the planned steps, so that the missing ones are known even if the run is killed."""
        self.info["planned"] = list(planned)
        self.write_info()

    def write_info(self) -> None:
        """Write `run.json`."""
        self.folder.write_json("run.json", self.info)

    def lives_ahead(self, steps: Sequence[tuple[Cell, str]], *, jobs: int) -> None:
        """Start the stages of models' lifecycles, `jobs` models concurrently; the tests then wait for them.

        With `jobs` = 0: one per core if all models are tiny and on a CPU, else one at a time. Steps of one model stay
        together because each starts from the result of the previous one.
        """
        groups: dict[tuple[str, str, str], list[tuple[Cell, str]]] = {}
        shared = self.selection.job_options.train_on
        for cell, step in steps:
            groups.setdefault((cell.model, cell.size, shared or cell.device), []).append(
                (cell, step)
            )
        small = all(cell.size == "tiny" and cell.device == CPU for cell, _ in steps)
        system = self.environment.system
        room = min(system.num_cores, system.memory_available // LIFE_BYTES) if small else 1
        number = max(1, min(jobs or room, len(groups)))
        self._help(number)
        self.session.ahead(groups.values(), self.workers[:number])

    def help_exports(self, cells: Sequence[Cell]) -> None:
        """Start as many launchers as the exports for `cells` can use at a time; their imports go on side by side."""
        system = self.environment.system
        graphs = {graph_cell(c) for c in cells if BACKENDS[c.backend].needs_graph}
        fit = min(len(graphs), system.num_cores, system.memory_available // EXPORT_BYTES)
        self._help(min(fit, MAX_EXPORTS))

    def _help(self, number: int) -> None:
        """Start helpers until there are `number` workers."""
        preload = preload_for(self.selection, self.session.steps)
        self.helpers += [Launcher(preload=preload) for _ in range(len(self.workers), number)]

    def exports_ahead(self, cells: Sequence[Cell]) -> None:
        """Make the graphs that `cells` need before anything is measured, one per worker at a time."""
        self.session.export_ahead(cells, self.workers)

    def close(self) -> None:
        """End the workers and write the end time to `run.json`."""
        self.session.stop()
        for worker in self.workers:
            worker.close()
        self.folder.sync()
        self.info["finished_at"] = _now()
        self.write_info()


def open_run(
    *,
    out: Path,
    resume: str | None,
    selection: Selection,
    environment: Environment,
    deadline: float,
    command: str,
    options: Mapping[str, Any] | None = None,
    cold_replicates: int = 1,
    steps: Mapping[str, Step] = STEPS,
    worker: Callable[[RunFolder], Worker] | None = None,
    launcher: Launcher | None = None,
    runs: Path | None = None,
) -> Run:
    """Return a run that is ready to measure: a new one below `out`/runs, or the one named by `resume` ("" = the
    newest).

    `options` are added to every job's options; `steps` are the steps available for a cell. The launcher starts at once
    and imports in the background; a `launcher` that was started before goes on as that of the run. `runs` is the folder
    of runs in place of `out`/runs, in which reports and trends look. Raises RunError if the run to resume does not
    exist or was made with other options, StoreError if `out` cannot be written.
    """
    runs = runs or out / "runs"
    all_options = selection.job_options.extended(options or {})
    records: tuple[Record, ...] = ()
    started_at = _now()
    if resume is None:
        folder = RunFolder.create(runs)
    else:
        folder, records, started_at = _resumed(runs, resume, all_options.asked())
        folder.clear_drafts()
    folder.write_json(MACHINE, described(environment))
    modules = preload_for(selection, steps)

    def start_launcher(folder: RunFolder) -> Launcher:
        if launcher is None:
            return Launcher(preload=modules, log=folder.logs / "launcher.log")
        launcher.preload(modules)
        return launcher

    start = worker or start_launcher
    session = Session(
        request=RunConfig(
            specs=selection.specs,
            options=all_options,
            deadline=deadline,
            cold_replicates=cold_replicates,
            cache=str((out / "cache" / "onnx").resolve()),
            states=str((out / "cache" / "states").resolve()),
        ),
        folder=folder,
        worker=start(folder),
        steps=steps,
        environment_id=environment.fingerprint(),
        records=settled(records),
        diagnose=diagnosis,
    )
    info = {
        "run_id": folder.run_id,
        "command": without_password(command),
        "started_at": started_at,
        "finished_at": None,
        "options": all_options.asked(),
        "excluded": list(selection.excluded),
    }
    return Run(
        selection=selection, session=session, folder=folder, environment=environment, info=info
    )


def _resumed(
    runs: Path, name: str, options: Mapping[str, Any]
) -> tuple[RunFolder, tuple[Record, ...], str]:
    """Return the run to resume, its records and its start time."""
    try:
        run = load_run(find_run(name, runs))
    except NoSuchRun as error:
        raise RunError(f"--resume: {error}") from error
    before = run.info.get("options", {})
    for key, value in options.items():
        if key in before and before[key] != json.loads(json.dumps(value)):
            raise RunError(
                f"--resume {run.folder.name}: that run was made with {key} = {before[key]!r}, this one has"
                f" {value!r}; give the same options, or start a new run without --resume"
            )
    return RunFolder(run.folder), run.records, str(run.info.get("started_at") or _now())


def described(environment: Environment) -> dict[str, Any]:
    """Return the machine, its fingerprint and the doctor's warnings, without data that identifies a person or host.

    Run folders are shared, as build artifacts and as attachments of issues.
    """
    findings = [
        finding
        for result in examine(environment)
        for finding in result.findings
        if finding.level.rank >= Level.WARN.rank
    ]
    machine = Machine.of(environment, findings)
    redacted = for_this_machine(environment.versions.values()).data(machine.as_dict())
    return {**redacted, "fingerprint": machine.fingerprint}


def preload_for(selection: Selection, steps: Mapping[str, Step] = STEPS) -> tuple[str, ...]:
    """Return the modules for the launcher to import: those that the cells need and the code of their steps.

    Stages are left out of a run that makes no variants: they import libraries for pruning that take a second.
    """
    cells = (*selection.cells, *selection.life)
    makes_variants = bool(selection.life) or any(cell.variant != ORIGINAL for cell in cells)
    rows = [row for name, row in steps.items() if makes_variants or name not in STAGES]
    runners = (name for row in rows for name in (row.runner, row.together) if name)
    code = (name.partition(":")[0] for name in runners)
    exports = any(BACKENDS[cell.backend].needs_graph for cell in cells)
    wanted = (*selection.preload(), *code, *(PRELOAD if selection.life else ()))
    return tuple(dict.fromkeys((*wanted, *(["suite.stages.export.preload"] if exports else []))))


def diagnosis(text: str) -> tuple[Finding, ...]:
    """Return the doctor's findings for a failure's text, the best match first."""
    return tuple(explain(text)[:3])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
