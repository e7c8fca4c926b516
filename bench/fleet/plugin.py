"""`pytest bench --fleet`: a test per cell, step and kind of machine; the fleet behind them; its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final

import pytest

from bench.fleet.cluster import RayCluster, connect
from bench.fleet.content import input_files
from bench.fleet.driver import Fleet, KindRun
from bench.fleet.errors import FleetError
from bench.fleet.gate import FleetJudge, check_gate
from bench.fleet.kinds import Kind, chosen_kinds, kinds_of
from bench.fleet.peaks import NodeWorker
from bench.fleet.state import FleetFile, load_fleet
from bench.steps import STEPS
from diagnostics.environment import Environment
from suite.cell import Cell
from suite.engine.live_display import live_display
from suite.engine.progress import Work, kind_of
from suite.engine.run import Run, RunError, open_run, preload_for
from suite.engine.steps import step_name, typical_seconds
from suite.options import Selection
from suite.origins.reference import parse
from suite.pytest_plugin import CONSOLE, RUN, Measure, cell_of, command_of, step_of, told
from suite.record import Record
from suite.runs.store import RunFolder, StoreError
from suite.runs.stored_records import StoredRecords
from suite.worker.client import Worker

USER_ERRORS: Final = (FleetError, RunError, StoreError)
KIND: Final = "fleet_kind"
"""Name of the fixture by which a test knows its kind."""


@dataclass(slots=True, kw_only=True)
class OpenFleet:
    """A cluster whose nodes have said what they are."""

    cluster: RayCluster
    kinds: Mapping[str, Kind]
    left_out: Mapping[str, str]

    @property
    def machines(self) -> tuple[Environment, ...]:
        """The machine of each kind."""
        return tuple(kind.environment for kind in self.kinds.values())

    def judge(self) -> FleetJudge:
        """Return what measures a gate's rows on the one kind that is asked for; raise GateError if there are more."""
        check_gate(self.kinds)
        return FleetJudge(cluster=self.cluster, kind=next(iter(self.kinds.values())))

    def plugin(self, selections: Sequence[Selection]) -> FleetPlugin:
        """Return the plugin that measures each kind's selection."""
        return FleetPlugin(
            cluster=self.cluster,
            kinds=self.kinds,
            selections=dict(zip(self.kinds, selections, strict=True)),
            left_out=self.left_out,
        )


def open_fleet(address: str, asked: str) -> OpenFleet:
    """Connect, ask the nodes what they are, and return the kinds that are asked for.

    Raises FleetError with the reason of every node that is left out, if none is left.
    """
    cluster = connect(address)
    try:
        kinds, left_out = kinds_of(cluster.prepare(cluster.nodes()))
        told = {node.host: why for node, why in left_out}
        if not kinds:
            why = "; ".join(f"{host}: {reason}" for host, reason in told.items())
            raise FleetError(
                f"--fleet {address}: no node of this cluster can measure: {why or 'it has none with processors'}"
            )
        return OpenFleet(
            cluster=cluster,
            kinds={kind.name: kind for kind in chosen_kinds(kinds, asked)},
            left_out=told,
        )
    except BaseException:
        cluster.close()
        raise


@dataclass(slots=True, kw_only=True, eq=False)
class FleetPlugin:
    """Registered only when `--fleet` was given."""

    cluster: RayCluster
    kinds: Mapping[str, Kind]
    selections: Mapping[str, Selection]
    """Kind -> what is measured there: devices and threads are those of its machines."""
    left_out: Mapping[str, str]
    worker: str = ""
    """See `UnitTask.worker`."""
    runs: dict[str, Run] = field(default_factory=dict)
    fleet: Fleet | None = None
    closing: ExitStack = field(default_factory=ExitStack)
    """What ends the fleet's work, in this order: stop, wait, report, display."""
    page: Path | None = None
    summary: list[str] = field(default_factory=list)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Create one test per cell to which the step applies, and kind of machine."""
        row = STEPS.get(metafunc.definition.name.removeprefix("test_"))
        if row is None or "cell" not in metafunc.fixturenames:
            return
        chosen = [
            (cell, name)
            for name, selection in self.selections.items()
            for cell in selection.cells
            if row.applies(cell) and (row.suits is None or row.suits(selection.specs[cell.model]))
        ]
        metafunc.parametrize(
            ("cell", KIND), chosen, ids=[f"{cell.id}@{name}" for cell, name in chosen]
        )

    @pytest.fixture(autouse=True)
    def fleet_kind(self) -> str:
        """The kind of machine that a test is about; set by `pytest_generate_tests`."""
        return ""

    def _begin(self, session: pytest.Session) -> None:
        """Open the runs and start to measure in the background; `pytest_sessionfinish` writes the report."""
        config = session.config
        items = [
            (item.callspec.params[KIND], cell, step_of(item))
            for item in session.items
            if (cell := cell_of(item)) and hasattr(item, "callspec")
        ]
        try:
            file = self._open(config, items)
        except USER_ERRORS as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
        fleet = self.fleet
        assert fleet is not None
        config.stash[RUN] = next(iter(self.runs.values()))
        work = [
            Work(kind=kind_of(step, cell), seconds=typical_seconds(cell, step, STEPS))
            for name, cell, step in items
            if f"{cell.id}/{step}" not in self.runs[name].session.records
        ]
        many = sum(len(kind.nodes) for kind in self.kinds.values())
        lanes = dict.fromkeys((one.kind for one in work), many)
        names = partial(step_name, steps=STEPS)
        display = live_display(
            len(work), config.stash[CONSOLE], work=work, name_of=names, lanes=lanes
        )
        live = self.closing.enter_context(display)
        self.closing.callback(self._finish, config, file)
        fleet.on_begin = live.begin
        for run in self.runs.values():
            run.session.on_end = live.end
            run.display = live
        thread = Thread(target=fleet.serve, daemon=True)
        self.closing.callback(thread.join, timeout=60)
        self.closing.callback(fleet.stop)
        thread.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """End what goes on and write the report, also after Ctrl-C."""
        self.closing.close()

    @pytest.fixture
    def measure(
        self,
        request: pytest.FixtureRequest,
        fleet_kind: str,
        record_property: Callable[[str, object], None],
    ) -> Measure:
        """`measure(cell, step) -> Record` of the test's kind, when a node has sent it."""
        if self.fleet is None:
            self._begin(request.session)

        def measured(cell: Cell, step: str) -> Record:
            session, key = self.runs[fleet_kind].session, f"{cell.id}/{step}"
            with session.changed:
                while key in session.pending:
                    session.changed.wait()
            record_property("kind", fleet_kind)
            record = session.records.get(key)
            if record is None:
                reason = (self.fleet.error if self.fleet else "") or "the fleet was stopped before"
                pytest.fail(
                    f"not measured on {fleet_kind}: {reason}; next: the same command with --resume",
                    pytrace=False,
                )
            return told(record, record_property)

        return measured

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What became of each kind, and where the report is."""
        terminalreporter.ensure_newline()
        for text in self.summary:
            terminalreporter.write_line(text)

    def _open(self, config: pytest.Config, items: list[tuple[str, Cell, str]]) -> FleetFile:
        """Open a run per kind, those of the resumed fleet first, and write the fleet's file."""
        out = config.invocation_params.dir / config.getoption("out")
        asked, command = config.getoption("resume"), command_of(config)
        file = FleetFile.new(command) if asked is None else load_fleet(out, asked)
        file = replace(file, left_out=self.left_out)
        more = config.hook.pytest_vitals_run_options(config=config) or {}
        parts = []
        for name, kind in self.kinds.items():
            planned = [(cell, step) for owner, cell, step in items if owner == name]
            if not planned:
                continue
            selection = self.selections[name]
            preload = preload_for(selection, STEPS)
            run = open_run(
                out=out,
                resume=file.runs.get(name),
                selection=selection,
                environment=kind.environment,
                deadline=config.getoption("deadline"),
                command=command,
                steps=STEPS,
                worker=partial(self._node_worker, kind, preload),
                **more,
            )
            _must_be_same_machine(run, kind, resumed=name in file.runs)
            run.session.records = StoredRecords.of(run.folder, run.session.records)
            run.info["fleet"] = {"name": file.name, "kind": name}
            run.begin([{"cell": cell.as_dict(), "step": step} for cell, step in planned])
            self.runs[name] = run
            parts.append(KindRun.of(kind, run, planned))
        file = replace(
            file, runs={**file.runs, **{n: r.folder.run_id for n, r in self.runs.items()}}
        )
        file.write(out)
        self.fleet = Fleet(
            cluster=self.cluster,
            kinds=parts,
            inputs=input_files(inputs_of(next(iter(self.selections.values())))),
            worker=self.worker,
        )
        return file

    def _node_worker(self, kind: Kind, preload: tuple[str, ...], folder: RunFolder) -> Worker:
        return NodeWorker(
            cluster=self.cluster, kind=kind, preload=preload, maker=self.worker, folder=folder
        )

    def _finish(self, config: pytest.Config, file: FleetFile) -> None:
        """Close every kind's run with its page and its line in the history; write the page of the fleet."""
        from bench.fleet.overview import write_overview
        from bench.run import finish_run

        out = config.invocation_params.dir / config.getoption("out")
        store = config.getoption("store") or str(out / "history.db")
        reports = {}
        for name, run in self.runs.items():
            finished = finish_run(run, store=store, is_elsewhere=True)
            reports[name] = finished.report
            counts = ", ".join(
                f"{number} {outcome}" for outcome, number in finished.report.totals.outcomes.items()
            )
            self.summary.append(f"{name}: {counts or 'nothing measured'}; {finished.html}")
            if finished.history:
                self.summary.append(f"  History: {finished.history}")
        self.page = write_overview(file, reports, out / "fleets" / file.name)
        if self.fleet is not None and self.fleet.error:
            self.summary.append(f"{self.fleet.error}; next: the same command with --resume")
        self.summary += [
            f"{name} on {node.host}: {node.caution}"
            for name, kind in self.kinds.items()
            for node in kind.nodes
            if node.caution
        ]
        self.summary += [f"left out: {host}: {why}" for host, why in self.left_out.items()]
        self.summary.append(f"Fleet: {self.page}")


def _must_be_same_machine(run: Run, kind: Kind, *, resumed: bool) -> None:
    """Raise RunError if records of the resumed run come from another machine than this kind's nodes are now."""
    others = {r.environment_id for r in run.session.records.values()} - {run.session.environment_id}
    if resumed and others:
        raise RunError(
            f"--resume: the kind {kind.name} was another machine when {run.folder.run_id} began (fingerprint"
            f" {min(others)}, now {run.session.environment_id}): their figures do not go together;"
            " next: start a new fleet without --resume"
        )


def inputs_of(selection: Selection) -> list[Path]:
    """Return the files and folders of the user's that jobs read: models file, data, weights, models by path."""
    options = selection.job_options
    found = [options.models_from, *(source.root for source in options.sources.values())]
    found += [options.weights] if Path(options.weights).is_absolute() else []
    references = [parse(origin.text, ()) for origin in options.origins.values()]
    paths = [Path(text) for text in found if text]
    return paths + [r.path for r in references if r is not None and r.path is not None]
