"""The gate as a pytest plugin: one test per cell, the run behind them, exit code and summary."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console

from bench.gate.errors import GateError
from bench.gate.options import GateOptions
from bench.gate.outcome import Gate
from bench.gate.pairing import NEGATIVE_CONTROL
from bench.gate.row import Row, row_name
from bench.gate.run import GateConfig, Judge, run_gate
from bench.gate.thresholds import load_thresholds
from bench.gate.verdict import Exit, Verdict
from diagnostics.environment import Environment
from suite.calm_console import calm_console
from suite.catalog import CatalogError
from suite.cell import Cell
from suite.options import Selection
from suite.origins.find import first_file
from suite.pytest_plugin import command_of
from suite.runs.store import StoreError

PYPROJECT: Final = "pyproject.toml"


@dataclass(slots=True, kw_only=True)
class Done:
    """State of the gate or the self-test."""

    code: int | None = None
    show: Any = None
    """Prints the result on a console."""
    rows: dict[str, Row] = field(default_factory=dict)
    gate: Gate | None = None
    passed: bool = False
    sentence: str = ""


class GatePlugin:
    """Registered only when `--against`, `--against-python` or `--selftest` was given.

    Raises GateError if no cell has a step that is to be compared.
    """

    def __init__(
        self,
        asked: GateOptions,
        selection: Selection,
        environment: Environment,
        console: Console,
        judge: Judge | None = None,
    ) -> None:
        self._asked = asked
        self._selection = selection
        self._environment = environment
        self._console = console
        self._judge = judge
        self._done = Done()
        if asked.is_gate and not self._rows():
            raise GateError(
                f"--gated {','.join(asked.steps)}: none of the chosen models has it, so that nothing would be compared;"
                " next: other --models, or another step"
            )

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test per cell, or the self-test alone."""
        name = metafunc.definition.name
        if name == "test_gate" and self._asked.is_gate:
            rows = self._rows()
            metafunc.parametrize(("cell", "step"), rows, ids=[row_name(*row) for row in rows])
        if name == "test_selftest" and self._asked.selftest:
            metafunc.parametrize("cell", [NEGATIVE_CONTROL], ids=["machine"])

    def _rows(self) -> list[tuple[Cell, str]]:
        """Return the cells and steps that are compared: each step of the cells that have it."""
        from bench.steps import STEPS

        specs = self._selection.specs
        return [
            (cell, name)
            for name in self._asked.steps
            for cell in self._selection.cells
            if STEPS[name].applies(cell)
            and ((suits := STEPS[name].suits) is None or suits(specs[cell.model]))
        ]

    def done(self, request: pytest.FixtureRequest) -> Done:
        """Run the gate or the self-test at the first call, and return its state."""
        if self._done.code is None:
            self._run(request.config, request.session)
        return self._done

    def _run(self, config: pytest.Config, session: pytest.Session) -> None:
        try:
            if self._asked.selftest:
                self._selftest(config)
            else:
                self._compare(config, session)
        except (GateError, CatalogError, StoreError) as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
        except OSError as error:  # the disk is full, or was taken away
            place = error.filename or config.getoption("out")
            pytest.exit(
                f"{place}: {error.strerror or error}; nothing was judged. Next: free some disk space,"
                " or name another folder with --out",
                returncode=pytest.ExitCode.USAGE_ERROR,
            )
        except Exception as error:  # pytest would end with 1, which says that something regressed
            self._console.print_exception(max_frames=0)
            pytest.exit(
                f"the gate ended by an error of its own ({type(error).__name__}: {error}); nothing was judged",
                returncode=int(Exit.BROKEN),
            )

    def _compare(self, config: pytest.Config, session: pytest.Session) -> None:
        from bench.gate.files import write_files
        from bench.gate.terminal import render

        request = self._request(config, session)
        gate, folder = run_gate(request, say=self._say, judge=self._judge)
        write_files(gate, folder)
        self._done.gate = gate
        self._done.code = int(gate.exit)
        self._done.rows = {row.name: row for row in gate.rows}
        self._done.show = lambda console: render(gate, console, folder)

    def _selftest(self, config: pytest.Config) -> None:
        from bench.gate.selftest import run_selftest
        from bench.gate.selftest_text import render_selftest

        get = config.getoption
        found = run_selftest(
            out=config.invocation_params.dir / get("out"),
            plan=get("plan"),
            threads=self._selection.job_options.threads,
            deadline=get("deadline"),
            fingerprint=self._environment.fingerprint(),
            say=self._say,
            witness=self._asked.witness,
        )
        self._done.code = 0 if found.supports_plan else 1
        self._done.passed, self._done.sentence = found.supports_plan, found.sentence
        self._done.show = lambda console: render_selftest(found, console)

    def _request(self, config: pytest.Config, session: pytest.Session) -> GateConfig:
        from bench.steps import STEPS
        from suite.engine.run import preload_for

        get = config.getoption
        started_in = config.invocation_params.dir
        own = get("models_from")
        chosen = [
            (item.callspec.params["cell"], item.callspec.params["step"])
            for item in session.items
            if hasattr(item, "callspec")
        ]
        kept = {cell for cell, _ in chosen}
        cells = tuple(cell for cell in self._selection.cells if cell in kept)
        return GateConfig(
            selection=_narrowed(self._selection, cells),
            thresholds=load_thresholds(_pyproject(own, started_in, Path(config.rootpath))),
            against=self._asked.against,
            python=self._asked.python,
            models_from=own.resolve() if own else None,
            file=first_file(self._selection.job_options.origins),
            started_in=started_in,
            out=started_in / get("out"),
            plan=get("plan"),
            deadline=get("deadline"),
            command=command_of(config),
            fingerprint=self._environment.fingerprint(),
            is_strict=self._asked.is_strict,
            witness=self._asked.witness,
            is_forced=self._asked.is_forced,
            chosen=chosen,
            preload=preload_for(self._selection, STEPS),
        )

    def _say(self, text: str) -> None:
        self._console.print(text, style="dim", highlight=False, soft_wrap=True)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Set the gate's exit code if it was completed."""
        if self._done.code is not None:
            session.exitstatus = self._done.code

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table."""
        if self._done.show is not None:
            terminalreporter.ensure_newline()
            self._done.show(calm_console(file=terminalreporter._tw._file, width=_width()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str] | None:
        """Suppress pytest's progress dots; its counts and -v remain."""
        if config.get_verbosity() > 0 or (report.when != "call" and report.outcome == "passed"):
            return None
        return report.outcome, "", ""


def failure_reason(row: Row, *, is_strict: bool) -> str:
    """Return why the cell's test fails; empty if it passes."""
    from bench.gate.wording import effect_text, exact_text, reason_text, unsure_text, witness_text

    if row.is_broken or row.lost:
        return reason_text(row)
    worse = [exact_text(e) for e in row.worst_exact]
    if row.verdict is Verdict.REGRESSED:
        worse.insert(0, f"slower by {effect_text(row)}")
    if row.has_more_work:
        worse.append(witness_text(row))
    if row.is_uncertain and is_strict:
        worse.append(f"inconclusive: {unsure_text(row)}")
    return "; ".join(worse)


def _narrowed(selection: Selection, cells: tuple[Any, ...]) -> Selection:
    """Return the selection restricted to the collected cells."""
    from dataclasses import replace

    names = {cell.model for cell in cells}
    specs = {name: spec for name, spec in selection.specs.items() if name in names}
    return replace(selection, cells=cells, specs=specs, life=())


def _pyproject(models_from: Path | None, started_in: Path, root: Path) -> Path:
    """Return the pyproject.toml of the models file, of the folder that pytest was started in, or of this project."""
    places = [*(models_from.resolve().parents if models_from else ()), started_in, root]
    found = [place / PYPROJECT for place in places if (place / PYPROJECT).is_file()]
    return found[0] if found else root / PYPROJECT


def _width() -> int | None:
    return None if sys.stdout.isatty() else 150
