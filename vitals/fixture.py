"""`pytest -p vitals`: the fixture `vitals` for tests of your own models, and limits by marker.

It asserts nothing by itself: every call measures and returns a record. `@pytest.mark.vitals(latency_ms=5)` fails the
test where the figure is surely above the limit; where that stays open, a warning says so.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from vitals.exporting import Exported
    from vitals.gating import GateVerdict
    from vitals.measuring import Latency, Memory

LIMITS: Final = {
    "latency_ms": "latency",
    "memory_mb": "memory",
    "parity": "export",
    "regression": "gate",
}
"""Keyword of the marker -> method of the fixture that judges by it."""

MARKER: Final = (
    "vitals(latency_ms=, memory_mb=, parity=, regression=): limits of what the fixture `vitals` measures in this test;"
    " regression is a share, 0.05 = 5% slower"
)
LINES: pytest.StashKey[list[str]] = pytest.StashKey()
JUDGED: pytest.StashKey[set[str]] = pytest.StashKey()


class OpenLimitWarning(UserWarning):
    """Whether a limit is kept could not be told from this measurement."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARKER)
    config.stash[LINES] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that passed although a limit of its marker was never looked at."""
    limits = limits_of(item)
    judged: set[str] = item.stash.setdefault(JUDGED, set())
    yield
    for name in limits.keys() - judged:
        pytest.fail(
            f"{name}: the marker sets this limit, and the test did not call vitals.{LIMITS[name]}",
            pytrace=False,
        )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show every figure that was taken."""
    if config.stash[LINES]:
        terminalreporter.section("vitals")
        for line in config.stash[LINES]:
            terminalreporter.write_line(line)


def limits_of(item: pytest.Item) -> dict[str, Any]:
    """Return the limits of the test's markers, the nearest first; fail for a keyword that is none."""
    found: dict[str, Any] = {}
    for marker in item.iter_markers("vitals"):
        for name, value in marker.kwargs.items():
            if name not in LIMITS:
                expected = ", ".join(LIMITS)
                pytest.fail(
                    f"vitals marker: {name} is no limit; expected {expected}", pytrace=False
                )
            found.setdefault(name, value)
        if marker.args:
            pytest.fail("vitals marker: limits need names, e.g. latency_ms=5", pytrace=False)
    return found


@pytest.fixture
def vitals(request: pytest.FixtureRequest, tmp_path: Path) -> Vitals:
    """`vitals.latency(module, *inputs)`, `.memory`, `.export` and `.gate`; see docs/your-tests.md."""
    return Vitals(request=request, folder=tmp_path, limits=limits_of(request.node))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """The fixture's value."""

    request: pytest.FixtureRequest
    folder: Path
    """Where graphs go that no path is given for."""
    limits: Mapping[str, Any]
    """Of the test's markers."""

    def latency(
        self, module: Callable[..., Any], *inputs: Any, plan: str = "quick", **named: Any
    ) -> Latency:
        """Measure a warm forward pass in eval mode; `latency_ms` limits its median."""
        from suite import units
        from vitals.measuring import measure_latency

        found = measure_latency(module, inputs, named, plan)
        low, high = found.low or found.p50, found.high or found.p50
        interval = f"{units.seconds(low)} to {units.seconds(high)}"
        text = f"p50 {units.seconds(found.p50)} (95%: {interval})"
        self._tell("latency", text, latency_ms=found.p50 * 1e3)
        self._judge("latency_ms", text, low * 1e3, high * 1e3, "ms")
        return found

    def memory(
        self, module: Callable[..., Any], *inputs: Any, plan: str = "quick", **named: Any
    ) -> Memory:
        """Measure the memory of a forward pass; `memory_mb` limits its peak of tensor bytes (1 MB = 1e6 B)."""
        from suite import units
        from vitals.measuring import measure_memory

        found = measure_memory(module, inputs, named, plan)
        peak = found.peak_tensor_bytes
        text = f"peak tensors {units.num_bytes(peak)}"
        self._tell("memory", text, peak_tensor_bytes=peak)
        self._judge("memory_mb", text, peak / 1e6, peak / 1e6, "MB")
        return found

    def export(
        self,
        module: Any,
        *inputs: Any,
        dynamic: Mapping[str, Mapping[int, str]] | None = None,
        path: Path | None = None,
        **named: Any,
    ) -> Exported:
        """Write an ONNX graph and hold it against the module; `parity=True` fails unless that passed."""
        from suite import units
        from vitals.exporting import export

        file = path or self.folder / "model.onnx"
        found = export(module, inputs, named, dynamic=dynamic or {}, path=file)
        text = f"parity {found.parity}, {found.num_nodes} nodes, {units.num_bytes(found.num_bytes)}"
        self._tell("export", text, parity=found.parity)
        self._mark("parity")
        if self.limits.get("parity") and not found.is_exact:
            pytest.fail(f"parity {found.parity}: {found.reason}", pytrace=False)
        return found

    def gate(
        self,
        models_from: str | Path,
        *,
        against: str,
        models: str = "*",
        plan: str = "quick",
        options: Sequence[str] = (),
    ) -> GateVerdict:
        """Measure the models of that file against the git ref or folder `against`, both in this moment.

        `regression` limits the slowdown, as a share. Takes minutes.
        """
        from vitals.gating import run_gate

        root = self.request.config.rootpath
        file = (root / models_from).resolve()
        verdict = run_gate(against, file, models, plan, options, root)
        self._tell("gate", verdict.summary, gate=verdict.exit_code)
        self._mark("regression")
        limit = self.limits.get("regression")
        if limit is not None and verdict.exit_code == 2:
            pytest.fail(f"{verdict.summary}; see {verdict.path}", pytrace=False)
        if limit is not None and (slower := verdict.surely_slower_than(limit)):
            pytest.fail(f"slower than {limit:.1%}: {', '.join(slower)}", pytrace=False)
        if limit is not None and (undecided := verdict.undecided_about(limit)):
            self._warn(f"regression={limit}: not to be told here of {', '.join(undecided)}")
        return verdict

    def _judge(self, name: str, text: str, low: float, high: float, unit: str) -> None:
        """Fail if the whole interval is above the limit; warn if the limit lies within it."""
        self._mark(name)
        limit = self.limits.get(name)
        if limit is not None and low > limit:
            pytest.fail(f"{text} is above {name}={limit} ({unit})", pytrace=False)
        if limit is not None and high > limit:
            self._warn(f"{name}={limit}: {text} lies on both sides; a harder plan may tell")

    def _mark(self, name: str) -> None:
        self.request.node.stash.setdefault(JUDGED, set()).add(name)

    def _warn(self, text: str) -> None:
        warnings.warn(OpenLimitWarning(text), stacklevel=_depth_of_test())

    def _tell(self, what: str, text: str, **properties: Any) -> None:
        """Keep the figure for the summary, and for JUnit's properties."""
        self.request.config.stash[LINES].append(f"{self.request.node.nodeid} {what}: {text}")
        self.request.node.user_properties.extend((f"vitals.{k}", v) for k, v in properties.items())


def _depth_of_test() -> int:
    """Return how many frames above `warnings.warn`'s caller the test is: the first one outside of this file."""
    for depth, frame in enumerate(inspect.stack()[1:], 1):
        if frame.filename != __file__:
            return depth
    return 1
