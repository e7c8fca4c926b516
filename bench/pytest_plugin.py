"""`pytest bench`: its options, the plan of its run, the gate, and the report at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from bench.fleet.errors import FleetError
from bench.fleet.options import add_options as add_fleet_options
from bench.fleet.options import check_options
from bench.gate.errors import GateError
from bench.gate.options import add_options as add_gate_options
from bench.gate.options import parse_options
from bench.gate.plugin import Done, GatePlugin
from bench.generation import STEP as GENERATE
from bench.generation import Asked, asked_of, check_positions
from bench.options import add_options, hide_benchmark_table
from bench.output.console import console_on
from bench.plan import PLANS
from bench.steps import STEPS
from suite.axes import BACKENDS, EXPORT
from suite.catalog import CatalogError
from suite.engine.progress import Work
from suite.engine.run import Run
from suite.import_root import PREFIX
from suite.pytest_plugin import (
    CONSOLE,
    ENVIRONMENT,
    HAS_OWN_CELLS,
    KNOWN_STEPS,
    cell_of,
    configure_selection,
    step_of,
    wants,
)

if TYPE_CHECKING:
    from bench.fleet.plugin import OpenFleet
    from bench.run import FinishedRun

BENCH: Final = Path(__file__).parent
DEADLINE: Final = 600.0
"""Seconds that one worker process may take."""

GATE: Final = "vitals-gate"
"""Name under which the gate's plugin is registered."""
FLEET: Final = "vitals-fleet"
"""Name under which the fleet's plugin is registered."""

ASKED: pytest.StashKey[Asked] = pytest.StashKey()
"""What the options say about generation."""
FINISHED: pytest.StashKey[FinishedRun] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what `pytest bench` alone takes."""
    add_options(parser)
    add_gate_options(parser)
    add_fleet_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Checks the options before anything is collected; registers the gate where two versions are compared."""
    config.stash[KNOWN_STEPS] = STEPS
    option = config.option
    if not wants(config, BENCH):
        if option.against or option.against_python or option.selftest:
            raise pytest.UsageError("--against and --selftest go with `pytest bench`")
        if option.fleet:
            raise pytest.UsageError(
                f"--fleet {option.fleet}: goes with `pytest bench`; the lives of `pytest suite` stay on one machine,"
                " side by side there with --jobs. Next: leave --fleet out"
            )
        return
    if option.help:
        return
    hide_benchmark_table(option)
    try:
        gate = parse_options(option, [*config.invocation_params.args], config.invocation_params.dir)
        check_options(option)
        fleet = _opened(config) if option.fleet else None
        judge = fleet.judge() if fleet is not None and gate.is_gate else None
    except (GateError, FleetError) as error:
        raise pytest.UsageError(str(error)) from error
    compares = gate.is_gate or gate.selftest
    # A gate leaves one core to whatever else runs here: it compares, and absolute speed is not its matter.
    selections = configure_selection(
        config,
        size="base",
        deadline=DEADLINE,
        num_spared_cores=1 if compares else 0,
        # Installed, the built-in models are the same in both arms: only a user's own can differ.
        own_alone=bool(PREFIX and gate.against and option.models_from),
        machines=fleet.machines if fleet is not None else (),
    )
    selection = selections[0]
    try:
        asked = asked_of(option.prompt, option.depth, option.new)
        check_positions(
            asked, selection.specs.values(), dict.fromkeys(c.size for c in selection.cells)
        )
    except CatalogError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[ASKED] = asked
    if fleet is not None and not compares:
        config.stash[HAS_OWN_CELLS] = True
        config.pluginmanager.register(fleet.plugin(selections), FLEET)
    if compares:
        config.stash[HAS_OWN_CELLS] = True
        machine = fleet.machines[0] if fleet is not None else config.stash[ENVIRONMENT]
        try:
            plugin = GatePlugin(gate, selection, machine, config.stash[CONSOLE], judge)
        except GateError as error:
            raise pytest.UsageError(str(error)) from error
        config.pluginmanager.register(plugin, GATE)


def _opened(config: pytest.Config) -> OpenFleet:
    """Return the fleet that `--fleet` names; its connection ends with the session."""
    from bench.fleet.plugin import open_fleet

    fleet = open_fleet(config.option.fleet, config.option.fleet_kinds)
    config.add_cleanup(fleet.cluster.close)
    return fleet


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave generation in graphs to runs of that step alone, or with lengths of their own: it takes an export."""
    if ASKED not in config.stash or config.stash[ASKED].as_dict():
        return
    if {step_of(item) for item in items if cell_of(item)} <= {GENERATE, EXPORT}:
        return
    left_out = [
        item
        for item in items
        if step_of(item) == GENERATE
        and (cell := cell_of(item))
        and BACKENDS[cell.backend].needs_graph
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_vitals_run_options(config: pytest.Config) -> Mapping[str, Any]:
    """The plan, and the lengths of generation, go into every job."""
    plan = PLANS[config.getoption("plan")]
    options = {"plan": plan.as_dict(), "generation": config.stash.get(ASKED, Asked()).as_dict()}
    return {"options": options, "cold_replicates": plan.cold_replicates}


def pytest_vitals_closing_tasks(config: pytest.Config, run: Run) -> Sequence[Work]:
    """What is left after the last step, for the expected rest."""
    from bench.run import closing_tasks

    return closing_tasks(run)


def pytest_vitals_finish_run(config: pytest.Config, run: Run) -> bool:
    """Ends the run with its report and its line in the history."""
    from bench.run import finish_run  # the report's modules are not needed before

    out = config.invocation_params.dir / config.getoption("out")
    store = config.getoption("store") or str(out / "history.db")
    config.stash[FINISHED] = finish_run(run, store=store)
    return True


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table by model, the doubts, every cell that did not run, what to ship, and where the report is."""
    if FINISHED not in config.stash:
        return
    from bench.report.terminal import render_terminal

    terminalreporter.ensure_newline()
    finished = config.stash[FINISHED]
    console = console_on(terminalreporter._tw._file)
    if finished.history:
        console.print(f"History: {finished.history}", soft_wrap=True, highlight=False)
    render_terminal(finished.report, console, html=finished.html, is_brief=True)


@pytest.fixture(scope="session")
def gate(request: pytest.FixtureRequest) -> Done:
    """What the gate, or the self-test, found."""
    plugin = request.config.pluginmanager.get_plugin(GATE)
    assert isinstance(plugin, GatePlugin), "tests that ask for it are collected with it alone"
    return plugin.done(request)
