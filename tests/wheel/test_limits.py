"""What the marker `vitals` makes of a figure: nothing is asserted unasked, and an open question stays open."""

from pathlib import Path

import pytest

from vitals.gating import GateVerdict

pytest_plugins = ("pytester",)

MEASURED = """
import sys
from types import ModuleType, SimpleNamespace
import pytest

@pytest.fixture(autouse=True)
def figures(monkeypatch):
    fake = ModuleType("vitals.measuring")
    fake.measure_latency = lambda *_: SimpleNamespace(p50=0.005, low=0.004, high=0.006)
    fake.measure_memory = lambda *_: SimpleNamespace(peak_tensor_bytes=2_000_000)
    monkeypatch.setitem(sys.modules, "vitals.measuring", fake)

    exporting = ModuleType("vitals.exporting")
    exporting.export = lambda *_, **__: SimpleNamespace(
        parity="vacuous", reason="constant outputs", is_exact=False, num_nodes=1, num_bytes=8
    )
    monkeypatch.setitem(sys.modules, "vitals.exporting", exporting)

{marker}
def test_it(vitals):
    {body}
"""


def outcome(pytester, marker, body):
    pytester.makepyfile(MEASURED.replace("{marker}", marker).replace("{body}", body))
    pytester.makeini("[pytest]\naddopts = --strict-markers\n")
    quiet = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # the plugin is imported already
    others = ("-p", "no:xdist", "-p", "no:benchmark", "-p", "no:hypothesispytest")
    result = pytester.runpytest_inprocess("-p", "vitals", *quiet, *others)
    return result.parseoutcomes(), result.stdout.str()


@pytest.mark.parametrize(
    "marker, body, expected, text",
    [
        (
            "",
            "vitals.latency(None); vitals.memory(None); vitals.export(None)",
            "passed",
            "p50 5.00 ms",
        ),
        ("@pytest.mark.vitals(latency_ms=7)", "vitals.latency(None)", "passed", "p50 5.00 ms"),
        (
            "@pytest.mark.vitals(latency_ms=3)",
            "vitals.latency(None)",
            "failed",
            "above latency_ms=3",
        ),
        ("@pytest.mark.vitals(memory_mb=2)", "vitals.memory(None)", "passed", "2.00 MB"),
        (
            "@pytest.mark.vitals(memory_mb=1.9)",
            "vitals.memory(None)",
            "failed",
            "above memory_mb=1.9",
        ),
        ("@pytest.mark.vitals(parity=True)", "vitals.export(None)", "failed", "constant outputs"),
        ("@pytest.mark.vitals(latency_ms=7)", "pass", "failed", "did not call vitals.latency"),
        (
            "@pytest.mark.vitals(latency_mss=7)",
            "pass",
            "errors",
            "latency_mss is no limit; expected",
        ),
        ("@pytest.mark.vitals(7)", "pass", "errors", "limits need names"),
    ],
)
def test_a_limit_fails_where_the_figure_is_surely_above_it(pytester, marker, body, expected, text):
    outcomes, shown = outcome(pytester, marker, body)
    assert outcomes == {expected: 1}, shown
    assert text in shown


def test_a_limit_within_the_interval_passes_with_a_warning(pytester):
    outcomes, shown = outcome(
        pytester, "@pytest.mark.vitals(latency_ms=5.5)", "vitals.latency(None)"
    )
    assert outcomes == {"passed": 1, "warnings": 1}, shown
    assert "latency_ms=5.5: p50 5.00 ms (95%: 4.00 ms to 6.00 ms) lies on both sides" in shown


def verdict(*bounds):
    rows = tuple(
        {"cell": f"m{n}", "latency": None if bound is None else {"low": bound[0], "high": bound[1]}}
        for n, bound in enumerate(bounds)
    )
    return GateVerdict(exit_code=0, summary="", rows=rows, path=Path("verdict.json"))


def test_a_row_is_slower_only_where_its_lower_bound_says_so():
    found = verdict((0.06, 0.09), (0.02, 0.09), (-0.01, 0.01), None)
    assert found.surely_slower_than(0.05) == ["m0 (at least +6.0%)"]
    assert found.undecided_about(0.05) == ["m1", "m3"]


def test_the_marker_is_registered_for_strict_markers_and_help():
    from vitals.fixture import LIMITS, MARKER

    assert all(f"{name}=" in MARKER for name in LIMITS)
