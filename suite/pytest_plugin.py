"""The engine in pytest: options, cells as parameters, the run used by the tests, progress."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from diagnostics.doctor import examine
from diagnostics.environment import Environment
from diagnostics.finding import Level
from diagnostics.gather import gather
from suite import pytest_hooks
from suite.axes import BACKENDS, EAGER, EXPORT, FOUNDATIONS
from suite.catalog import CatalogError
from suite.cell import Cell
from suite.data.errors import DataError
from suite.engine.live_display import live_display, open_console
from suite.engine.progress import Work, kind_of
from suite.engine.run import Run, RunError, open_run
from suite.engine.steps import STEPS, Step, step_name, typical_seconds
from suite.foundations.cases import CASES
from suite.options import Asked, Selection, resolve
from suite.outcome import Outcome
from suite.pytest_options import add_options
from suite.record import Record
from suite.runs.store import StoreError
from suite.weights import WeightsError
from suite.worker.client import Launcher, LauncherError

SUITE: Final = Path(__file__).parent
USER_ERRORS: Final = (CatalogError, DataError, RunError, StoreError, WeightsError)
"""Errors a user can cause; shown in one sentence, without a traceback."""

DEADLINE: Final = 3600.0
"""Time limit of one worker process in seconds: training at base takes a while on a CPU."""

SELECTION = pytest.StashKey[Selection]()
ENVIRONMENT = pytest.StashKey[Environment]()
CONSOLE = pytest.StashKey[Console]()
RUN = pytest.StashKey[Run]()
LAUNCHER = pytest.StashKey[Launcher]()
"""Launcher that was started before the run, if a model had to be described."""
UNASKED = pytest.StashKey[list[Record]]()
"""Records of the failed steps that no test of the session asked for."""
COLLECTED = pytest.StashKey[tuple[str, ...]]()
"""Steps that the session has tests for, before any is left out."""
Measure = Callable[[Cell, str], Record]
KNOWN_STEPS = pytest.StashKey[Mapping[str, Step]]()
"""Steps possible for a cell, if another plugin knows more than the suite's own."""

HAS_OWN_CELLS = pytest.StashKey[bool]()
"""True if another plugin, such as the gate, assigns the cells to the tests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options shared by `pytest suite` and `pytest bench`."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hooks of `suite.pytest_hooks`."""
    pluginmanager.add_hookspecs(pytest_hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Validate the options before collection, if `pytest suite` was requested."""
    if SELECTION in config.stash or config.option.help or not wants(config, SUITE):
        return
    if config.option.length:
        raise pytest.UsageError(
            "--length goes with `pytest bench`: training has the record's length"
        )
    configure_selection(config, size="tiny", deadline=DEADLINE)


def wants(config: pytest.Config, folder: Path) -> bool:
    """Return whether a path on the command line is in `folder`, or contains it."""
    started_in = config.invocation_params.dir
    paths = [Path(started_in, str(arg).partition("::")[0]).resolve() for arg in config.args]
    return any(path in (folder.parent, folder) or folder in path.parents for path in paths)


def configure_selection(
    config: pytest.Config,
    *,
    size: str,
    deadline: float,
    num_spared_cores: int = 0,
    own_alone: bool = False,
    machines: Sequence[Environment] = (),
) -> list[Selection]:
    """Return the selection for the options on each of the `machines` (none = on this one), and store the first in the
    config's stash.

    `size` and `deadline` (seconds) are the defaults of the command; `num_spared_cores` are left to other work;
    `own_alone` leaves the built-in models out. Raise pytest.UsageError naming the option.
    """
    option = config.option
    if getattr(option, "numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError(
            "pytest bench measures one cell at a time: parallel cells would measure each other."
            " Run it without -n (pytest-xdist); `pytest tests -n 2` is fine"
        )
    if option.deadline is None:
        option.deadline = deadline
    if option.deadline <= 0:
        raise pytest.UsageError(f"--deadline {option.deadline:g}: expected seconds above 0")
    if option.jobs < 0:
        raise pytest.UsageError(f"--jobs {option.jobs}: expected 1 or more, or 0 for the default")
    environment = gather(quick=True)
    asked = Asked(
        size=option.size or size,
        has_default_size=not option.size,
        own_alone=own_alone,
        out=config.invocation_params.dir / option.out,
        **{
            n: getattr(option, n)
            for n in Asked.__slots__
            if n not in ("size", "has_default_size", "out", "own_alone")
        },
    )
    try:
        selections = [
            resolve(
                asked,
                num_gpus=len(machine.gpus),
                num_cores=max(1, machine.system.num_cores - num_spared_cores),
                worker=partial(_launcher_of, config),
            )
            for machine in machines or (environment,)
        ]
    except USER_ERRORS as error:
        raise pytest.UsageError(str(error)) from error
    # Hypothesis imports itself for its terminal summary even if no test used it: 0.8 s of a
    # collection's 1 s.
    if plugin := config.pluginmanager.get_plugin("hypothesispytest"):
        config.pluginmanager.unregister(plugin)
    config.stash[ENVIRONMENT] = environment
    config.stash[SELECTION] = selections[0]
    config.stash[CONSOLE] = open_console()
    return selections


def _launcher_of(config: pytest.Config) -> Launcher:
    """Return the launcher that describes models of other origins; the run goes on with it, imports and all."""
    if LAUNCHER not in config.stash:
        modules = () if config.option.collectonly else BACKENDS[EAGER].preload
        config.stash[LAUNCHER] = launcher = Launcher(preload=modules)
        config.add_cleanup(launcher.close)
    return config.stash[LAUNCHER]


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return header lines on the models and cells to measure, exclusions, and reasons against measuring here."""
    if SELECTION not in config.stash:
        return []
    selection, environment = config.stash[SELECTION], config.stash[ENVIRONMENT]
    plan = config.getoption("plan", "")
    lines = [
        f"vitals: {len(selection.specs)} models, {len(selection.cells)} cells,"
        f" {selection.job_options.threads} threads{f', plan {plan}' if plan else ''}"
    ]
    lines += [f"left out: {e['what']}: {e['reason']}" for e in selection.excluded]
    for result in examine(environment, select=["quiet"]):
        for finding in result.findings:
            if finding.level.rank >= Level.WARN.rank:
                lines.append(f"fit to measure? {finding.summary}")
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Create one test per cell to which the step applies; the step is the test's name."""
    stash = metafunc.config.stash
    step = metafunc.definition.name.removeprefix("test_")
    if "cell" not in metafunc.fixturenames or step not in known_steps(metafunc.config):
        return
    if SELECTION not in stash or stash.get(HAS_OWN_CELLS, False):
        return
    selection = stash[SELECTION]
    if step == FOUNDATIONS:
        pairs = [
            (cell, name)
            for cell in selection.foundations
            for name, case in CASES.items()
            if case.is_asked(dtype=cell.dtype)
        ]
        metafunc.parametrize(
            "cell, case", pairs, ids=[f"{c.device}-{c.dtype}-{n}" for c, n in pairs]
        )
        return
    cells = selection.life if _is_of_suite(metafunc.definition) else selection.cells
    row = known_steps(metafunc.config)[step]
    chosen = [
        cell
        for cell in cells
        if row.applies(cell) and (row.suits is None or row.suits(selection.specs[cell.model]))
    ]
    metafunc.parametrize("cell", chosen, ids=[cell.id for cell in chosen])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group the steps of each cell, so an interrupted run has complete models."""
    if SELECTION not in config.stash:
        return
    selection = config.stash[SELECTION]
    cells = (*selection.foundations, *selection.life, *selection.cells)
    place = {cell.id: number for number, cell in reversed([*enumerate(cells)])}
    order = {step: number for number, step in enumerate(known_steps(config))}

    def key(item: pytest.Item) -> tuple[int, int]:
        cell = cell_of(item)
        if cell is None:
            return -1, 0
        return place.get(cell.id, -1), order.get(step_of(item).partition(":")[0], -1)

    # A step that applies to no cell leaves a test without a cell; that is not an exclusion.
    without = [
        item for item in items if "cell" in getattr(item, "fixturenames", ()) and not cell_of(item)
    ]
    config.stash[COLLECTED] = tuple(dict.fromkeys(step_of(item) for item in items))
    config.hook.pytest_deselected(items=without)
    items[:] = sorted((item for item in items if item not in without), key=key)


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> str:
    """Say why `-k` left nothing to do."""
    keyword = config.option.keyword
    if items or not keyword or SELECTION not in config.stash:
        return ""
    from suite.nothing_selected import why_nothing

    selection, known = config.stash[SELECTION], known_steps(config)
    steps = [known[name] for name in config.stash.get(COLLECTED, ()) if name in known]
    cells = (*selection.life, *selection.cells)
    return why_nothing(keyword, steps, cells, selection.specs)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Suppress pytest's file names and dots between our own lines per cell."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and SELECTION in session.config.stash:
        reporter.showfspath = session.config.get_verbosity() > 0


def command_of(config: pytest.Config) -> str:
    """Return the command line that a user types to repeat the run."""
    typed: str | None = config.hook.pytest_vitals_command(config=config)
    return typed or shlex.join(["pytest", *map(str, config.invocation_params.args)])


def known_steps(config: pytest.Config) -> Mapping[str, Step]:
    """Return name -> step of all steps possible for a cell, in order."""
    return config.stash.get(KNOWN_STEPS, STEPS)


def cell_of(item: pytest.Item) -> Cell | None:
    """Return the test's cell, or None."""
    cell = getattr(getattr(item, "callspec", None), "params", {}).get("cell")
    return cell if isinstance(cell, Cell) else None


def step_of(item: pytest.Item) -> str:
    """Return the step of a test; for a known-answer case with the case's name."""
    step = item.name.partition("[")[0].removeprefix("test_")
    case = getattr(getattr(item, "callspec", None), "params", {}).get("case")
    return f"{step}:{case}" if case else step


def _is_of_suite(item: pytest.Item) -> bool:
    return SUITE in item.path.parents


@pytest.fixture(scope="session")
def vitals_run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """The run of this pytest session, opened by the first test that needs it."""
    config = request.config
    console, known = config.stash[CONSOLE], known_steps(config)
    items = [
        (item, cell, step_of(item)) for item in request.session.items if (cell := cell_of(item))
    ]
    lives = [(cell, step) for item, cell, step in items if _is_of_suite(item)]
    selection = config.stash[SELECTION]
    if not lives:  # what they alone need is then not imported
        selection = replace(selection, life=())
    try:
        run = open_run(
            out=config.invocation_params.dir / config.getoption("out"),
            resume=config.getoption("resume"),
            selection=selection,
            environment=config.stash[ENVIRONMENT],
            deadline=config.getoption("deadline"),
            command=command_of(config),
            steps=known,
            launcher=config.stash.get(LAUNCHER, None),
            **(config.hook.pytest_vitals_run_options(config=config) or {}),
        )
        graphs = [
            cell
            for item in request.session.items
            if not _is_of_suite(item)
            and (cell := cell_of(item))
            and known[step_of(item).partition(":")[0]].needs_graph
        ]
        if isinstance(run.session.worker, Launcher):
            run.help_exports(graphs)
            console.print("importing the libraries, once for all cells ...", style="dim")
            run.session.worker.wait_until_ready()  # the imports do not count for the first cell
    except (*USER_ERRORS, LauncherError) as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    run.begin([{"cell": cell.as_dict(), "step": step} for _, cell, step in items])
    run.session.cells = tuple(dict.fromkeys(cell for _, cell, _ in items))
    run.session.planned = frozenset(f"{cell.id}/{step}" for _, cell, step in items)
    config.stash[RUN] = run
    steps = [
        Work(kind=kind_of(step, cell), seconds=typical_seconds(cell, step, known))
        for _, cell, step in items
        if f"{cell.id}/{step}" not in run.session.records
    ]
    closing = config.hook.pytest_vitals_closing_tasks(config=config, run=run) or ()
    shared = [kind_of(step, cell) for _, cell, step in items if step == EXPORT]
    shared += [work.kind for work in closing if work.lanes]
    lanes = dict.fromkeys(shared, len(run.workers))
    name_of = partial(step_name, steps=known)
    work = [*steps, *closing]
    with live_display(len(steps), console, work=work, name_of=name_of, lanes=lanes) as live:
        run.session.on_begin = lambda cell, step: live.begin(cell.id, step)
        run.session.on_end = live.end
        run.display = live
        try:
            run.lives_ahead(lives, jobs=config.getoption("jobs"))
            run.exports_ahead(graphs)
            yield run
        finally:
            try:
                if not config.hook.pytest_vitals_finish_run(config=config, run=run):
                    run.close()
                    file = run.folder.records_file
                    console.print(f"Records: {file}", soft_wrap=True, highlight=False)
            except OSError as error:
                pytest.exit(not_written(error, run), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session in which a step failed that only other steps asked for: their tests are merely skipped."""
    session.config.stash[UNASKED] = failed_unasked(session)
    if session.exitstatus == pytest.ExitCode.OK and session.config.stash[UNASKED]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the failed steps that have no test of their own in this session."""
    for record in config.stash.get(UNASKED, ()):
        line = (
            f"{record.cell.id} ({record.step}), which other steps start from: {reason_of(record)}"
        )
        terminalreporter.write_line(line, red=True)


def failed_unasked(session: pytest.Session) -> list[Record]:
    """Return the records of failed steps that were run for others and have no test in this session."""
    if RUN not in session.config.stash:
        return []
    asked = {(cell.id, step_of(item)) for item in session.items if (cell := cell_of(item))}
    records = session.config.stash[RUN].session.records.values()
    return [r for r in records if r.outcome.is_bad and (r.cell.id, r.step) not in asked]


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str] | None:
    """Suppress pytest's output in favour of our own line per cell; counts and -v are unchanged."""
    if RUN not in config.stash or config.get_verbosity() > 0:
        return None
    if report.when != "call" and report.outcome == "passed":
        return None
    if hasattr(report, "wasxfail"):
        return ("xfailed" if report.skipped else "xpassed"), "", ""
    return report.outcome, "", ""


@pytest.fixture
def measure(vitals_run: Run, record_property: Callable[[str, object], None]) -> Measure:
    """`measure(cell, step) -> Record`: fails, skips or xfails the test according to the record's outcome."""

    def measured(cell: Cell, step: str) -> Record:
        try:
            record = vitals_run.session.measure(cell, step)
        except OSError as error:  # the disk is full, or was taken away
            pytest.exit(not_written(error, vitals_run), returncode=pytest.ExitCode.USAGE_ERROR)
        return told(record, record_property)

    return measured


def not_written(error: OSError, run: Run) -> str:
    """Return what to do when the run folder cannot be written any more."""
    place = error.filename or run.folder.path
    return (
        f"{place}: {error.strerror or error}; what was recorded before is kept."
        f" Next: free some disk space, then the same command with --resume {run.folder.run_id}"
    )


def told(record: Record, record_property: Callable[[str, object], None]) -> Record:
    """Return the record; fail, skip or xfail the test according to its outcome."""
    record_property("outcome", record.outcome.value)
    text = reason_of(record)
    if record.outcome.is_bad:
        pytest.fail(text, pytrace=False)
    if record.outcome in (Outcome.NOT_RUN, Outcome.UNSUPPORTED, Outcome.UNAVAILABLE):
        pytest.skip(text)
    if record.outcome is Outcome.KNOWN_BUG:
        pytest.xfail(text)
    return record


@pytest.fixture
def measure_case(measure: Measure) -> Measure:
    """`measure_case(cell, case) -> Record`: the same for a known-answer case."""
    return lambda cell, case: measure(cell, f"foundations:{case}")


def reason_of(record: Record) -> str:
    """Return why a cell did not pass, with the end of its log and the doctor's diagnosis."""
    failure = record.failure
    if failure is None:
        return record.outcome.value
    is_follower = record.outcome is Outcome.NOT_RUN
    said = "not run because " if is_follower else f"{record.outcome.value}: "
    lines = [f"{said}{failure.message}"]
    lines += [failure.url] if failure.url else []
    for finding in record.diagnosis:
        lines += [f"diagnosis {finding.code}: {finding.summary} {finding.cause}".rstrip()]
        lines += [f"  fix: {fix.shell or ' '.join(fix.argv)}" for fix in finding.fixes]
    if record.outcome.is_bad and failure.log_tail:
        lines += ["", f"last lines of {failure.log}:", failure.log_tail]
    return "\n".join(lines)
