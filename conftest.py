"""Where the three packages meet pytest: options, cells as parameters, header, progress, report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bench.gate.errors import GateError
from bench.gate.options import add_options as add_gate_options
from bench.gate.options import parse_options
from bench.gate.plugin import Done, GatePlugin
from bench.options import add_options
from bench.plan import PLANS
from bench.report.live import live_display, open_console
from bench.report.terminal import render_terminal
from bench.run import BenchRun, RunError, open_run
from bench.steps import GRAPHS, STEPS, steps_of
from bench.summary.model import Report
from diagnostics.doctor import examine
from diagnostics.environment import Environment, gather
from diagnostics.finding import Level
from suite.catalog import CatalogError
from suite.cell import Cell
from suite.data.errors import DataError
from suite.foundations.cases import CASES
from suite.options import Asked, Selection, resolve
from suite.outcome import Outcome
from suite.record import Record
from suite.store import StoreError
from suite.weights import WeightsError
from suite.worker.client import Launcher, LauncherError

HERE = Path(__file__).parent
SUITE, BENCH = HERE / "suite", HERE / "bench"
USER_ERRORS = (CatalogError, DataError, GateError, RunError, StoreError, WeightsError)

SELECTION = pytest.StashKey[Selection]()
ENVIRONMENT = pytest.StashKey[Environment]()
RUN = pytest.StashKey[BenchRun]()
DEADLINES = {"bench": 600.0, "suite": 3600.0}
"""Seconds that one worker process may take: a training at base takes a while on a CPU."""

REPORT = pytest.StashKey[Report]()
CONSOLE = pytest.StashKey[Console]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `pytest bench` and `pytest diagnostics`."""
    add_options(parser)
    add_gate_options(parser)
    doctor = parser.getgroup("torch-vitals doctor", "pytest diagnostics")
    doctor.addoption(
        "--deep",
        action="store_true",
        dest="doctor_deep",
        help="import and try every library, each in a child",
    )
    doctor.addoption(
        "--doctor-strict", action="store_true", dest="doctor_strict", help="warnings fail too"
    )
    doctor.addoption(
        "--doctor-python", dest="doctor_python", metavar="PATH", help="examine another interpreter"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Checks the options before anything is collected, when cells are what was asked for."""
    wants_bench = _wants(config, BENCH)
    option = config.option
    if (option.against or option.against_python or option.selftest) and not wants_bench:
        raise pytest.UsageError("--against and --selftest go with `pytest bench`")
    if option.length and not wants_bench:
        raise pytest.UsageError(
            "--length goes with `pytest bench`: training has the record's length"
        )
    if not (wants_bench or _wants(config, SUITE)) or config.option.help:
        return
    if getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError(
            "pytest bench measures one cell at a time: parallel cells would measure each other."
            " Run it without -n (pytest-xdist); `pytest tests -n 2` is fine"
        )
    get = config.getoption
    if get("deadline") is None:
        config.option.deadline = DEADLINES["bench" if wants_bench else "suite"]
    if get("deadline") <= 0:
        raise pytest.UsageError(f"--deadline {get('deadline'):g}: expected seconds above 0")
    if get("jobs") < 0:
        raise pytest.UsageError(f"--jobs {get('jobs')}: expected 1 or more, or 0 for the default")
    environment = gather(quick=True)
    num_cores = environment.system.num_cores
    names = (
        "models",
        "models_from",
        "backend",
        "device",
        "train_on",
        "dtype",
        "batch",
        "length",
        "variant",
        "stages",
    )
    asked = Asked(
        size=get("size") or ("base" if wants_bench else "tiny"),
        **{name: get(name) for name in (*names, "threads", "seed", "data", "weights", "nproc")},
    )
    try:
        gate = parse_options(
            config.option, config.invocation_params.args, config.invocation_params.dir
        )
        # A gate leaves one core to whatever else runs here: it compares, and absolute speed is not its matter.
        cores = max(1, num_cores - 1) if gate.is_gate or gate.selftest else num_cores
        selection = resolve(asked, num_gpus=len(environment.gpus), num_cores=cores)
    except USER_ERRORS as error:
        raise pytest.UsageError(str(error)) from error
    if gate.is_gate or gate.selftest:
        config.pluginmanager.register(
            GatePlugin(gate, selection, environment, open_console()), "vitals-gate"
        )
    # Hypothesis imports itself for its closing words even when no test used it: 0.8 s of a collection's 1 s.
    if plugin := config.pluginmanager.get_plugin("hypothesispytest"):
        config.pluginmanager.unregister(plugin)
    config.stash[ENVIRONMENT] = environment
    config.stash[SELECTION] = selection
    config.stash[CONSOLE] = open_console()


def _is_gated(config: pytest.Config) -> bool:
    """True when two versions are compared, or the machine is tested: then nothing else is measured."""
    return config.pluginmanager.has_plugin("vitals-gate")


def _wants(config: pytest.Config, folder: Path) -> bool:
    """True when one of the paths on the command line lies in `folder`, or holds it."""
    started_in = config.invocation_params.dir
    paths = [Path(started_in, str(arg).partition("::")[0]).resolve() for arg in config.args]
    return any(path in (HERE, folder) or folder in path.parents for path in paths)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What is measured here, and what makes the machine unfit to measure on."""
    if SELECTION not in config.stash:
        return []
    selection, environment = config.stash[SELECTION], config.stash[ENVIRONMENT]
    lines = [
        f"vitals: {len(selection.specs)} models, {len(selection.cells)} cells,"
        f" {selection.job_options['threads']} threads, plan {config.getoption('plan')}"
    ]
    lines += [f"left out: {e['what']}: {e['reason']}" for e in selection.excluded]
    for result in examine(environment, select=["quiet"]):
        for finding in result.findings:
            if finding.level.rank >= Level.WARN.rank:
                lines.append(f"fit to measure? {finding.summary}")
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per cell for which the step makes sense; the step is the test's name."""
    if "cell" not in metafunc.fixturenames:
        return
    step = metafunc.definition.name.removeprefix("test_")
    if step not in STEPS or SELECTION not in metafunc.config.stash or _is_gated(metafunc.config):
        return
    selection = metafunc.config.stash[SELECTION]
    if step == "foundations":
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
    lives = SUITE in metafunc.definition.path.parents
    cells = [c for c in (selection.life if lives else selection.cells) if step in steps_of(c)]
    metafunc.parametrize("cell", cells, ids=[c.id for c in cells])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Brings the steps of one cell together, so that a run that is stopped has whole models."""
    if SELECTION not in config.stash:
        return
    selection = config.stash[SELECTION]
    cells = (*selection.foundations, *selection.life, *selection.cells)
    place = {cell.id: number for number, cell in reversed([*enumerate(cells)])}

    def key(item: pytest.Item) -> tuple[int, int]:
        cell = _cell(item)
        step = _step(item).partition(":")[0]
        return (
            (place.get(cell.id, -1), [*STEPS].index(step) if step in STEPS else -1)
            if cell
            else (-1, 0)
        )

    # A step that makes sense for none of the cells leaves a test without a cell: nothing was left out.
    without = [
        item for item in items if "cell" in getattr(item, "fixturenames", ()) and not _cell(item)
    ]
    config.hook.pytest_deselected(items=without)
    items[:] = sorted((item for item in items if item not in without), key=key)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Lets our own line per cell stand alone: no file names and dots of pytest's between them."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and SELECTION in session.config.stash:
        reporter.showfspath = session.config.get_verbosity() > 0


def _cell(item: pytest.Item) -> Cell | None:
    cell = getattr(getattr(item, "callspec", None), "params", {}).get("cell")
    return cell if isinstance(cell, Cell) else None


def _step(item: pytest.Item) -> str:
    """The step of a test; of a known-answer case with the case's name."""
    step = item.name.partition("[")[0].removeprefix("test_")
    case = getattr(getattr(item, "callspec", None), "params", {}).get("case")
    return f"{step}:{case}" if case else step


@pytest.fixture(scope="session")
def bench_run(request: pytest.FixtureRequest) -> Iterator[BenchRun]:
    """The run of this pytest session, opened by the first test that measures."""
    config = request.config
    try:
        run = open_run(
            out=config.invocation_params.dir / config.getoption("out"),
            resume=config.getoption("resume"),
            selection=config.stash[SELECTION],
            environment=config.stash[ENVIRONMENT],
            plan=PLANS[config.getoption("plan")],
            deadline=config.getoption("deadline"),
            command=" ".join(["pytest", *config.invocation_params.args]),
            store=config.getoption("store"),
        )
        if isinstance(run.session.worker, Launcher):
            config.stash[CONSOLE].print(
                "importing the libraries, once for all cells ...", style="dim"
            )
            run.session.worker.wait_until_ready()  # so that the first cell does not pay for the imports
    except (*USER_ERRORS, LauncherError) as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    items = [(item, cell, _step(item)) for item in request.session.items if (cell := _cell(item))]
    run.begin([{"cell": cell.as_dict(), "step": step} for _, cell, step in items])
    config.stash[RUN] = run
    steps = [step for _, cell, step in items if f"{cell.id}/{step}" not in run.session.records]
    lives = [(cell, step) for item, cell, step in items if SUITE in item.path.parents]
    graphs = [c for item, c, step in items if BENCH in item.path.parents and step in GRAPHS]
    try:
        with live_display(len(steps), config.stash[CONSOLE], steps=steps) as live:
            run.session.on_begin = lambda cell, step: live.begin(cell.id, step)
            run.session.on_end = live.end
            run.live_ahead(lives, jobs=config.getoption("jobs"))
            run.export_ahead(graphs)
            yield run
    finally:
        config.stash[REPORT] = run.finish()


@pytest.fixture(scope="session")
def gate(request: pytest.FixtureRequest) -> Done:
    """What the gate, or the self-test, found."""
    plugin: GatePlugin = request.config.pluginmanager.get_plugin("vitals-gate")
    return plugin.done(request)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str] | None:
    """Leaves the terminal to our own line per cell; counts and -v stay pytest's."""
    if RUN not in config.stash or config.get_verbosity() > 0:
        return None
    if report.when != "call" and report.outcome == "passed":
        return None
    if hasattr(report, "wasxfail"):
        return ("xfailed" if report.skipped else "xpassed"), "", ""
    return report.outcome, "", ""


@pytest.fixture
def measure(bench_run: BenchRun, record_property: pytest.RecordProperty):  # type: ignore[name-defined]
    """`measure(cell, step) -> Record`: fails, skips or xfails the test as the record's outcome says."""

    def measured(cell: Cell, step: str) -> Record:
        record = bench_run.session.measure(cell, step)
        record_property("outcome", record.outcome.value)
        text = _reason(record)
        if record.outcome.is_bad:
            pytest.fail(text, pytrace=False)
        if record.outcome in (Outcome.UNSUPPORTED, Outcome.UNAVAILABLE):
            pytest.skip(text)
        if record.outcome is Outcome.KNOWN_BUG:
            pytest.xfail(text)
        return record

    return measured


@pytest.fixture
def measure_case(measure):  # type: ignore[no-untyped-def]
    """`measure_case(cell, case) -> Record`: the same for a known-answer case."""
    return lambda cell, case: measure(cell, f"foundations:{case}")


def _reason(record: Record) -> str:
    """Why a cell did not pass, with the end of its log and what the doctor says to it."""
    failure = record.failure
    if failure is None:
        return record.outcome.value
    lines = [f"{record.outcome.value}: {failure.message}"]
    lines += [failure.url] if failure.url else []
    for finding in record.facts.get("diagnosis", ()):
        lines += [f"diagnosis {finding['code']}: {finding['summary']} {finding['cause']}".rstrip()]
        lines += [f"  fix: {fix['shell'] or ' '.join(fix['argv'])}" for fix in finding["fixes"]]
    if record.outcome.is_bad and failure.log_tail:
        lines += ["", f"last lines of {failure.log}:", failure.log_tail]
    return "\n".join(lines)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table by model, every cell that did not run, and where the report lies."""
    if REPORT not in config.stash:
        return
    terminalreporter.ensure_newline()
    run = config.stash[RUN]
    console = Console(file=terminalreporter._tw._file)
    render_terminal(config.stash[REPORT], console, html=run.folder.path / "report.html")
    if run.history:
        console.print(f"History: {run.history}", soft_wrap=True, highlight=False)
