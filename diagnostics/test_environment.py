"""`pytest diagnostics`: one test per check, its id is the check's code."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from typing import Any

import pytest

from diagnostics.doctor import reduce, run
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.gather import gather
from diagnostics.install_commands import line
from diagnostics.registry import Check, CheckResult, checks


@functools.cache
def examined(python: str | None) -> Environment:
    """The facts, gathered once per session and not before the first test runs."""
    return gather(python)


@functools.cache
def examined_deep(python: str | None) -> Environment:
    """The facts with the trials of the deep tier."""
    from diagnostics.deep.trials import attempt

    environment = examined(python)
    results = [run(item, environment) for item in checks() if not item.deep]
    return dataclasses.replace(environment, trials=attempt(environment, results))


@functools.cache
def folded(python: str | None) -> frozenset[Finding]:
    """Findings that another one explains: their root cause fails in their place."""
    environment = examined(python)
    results = [run(item, environment) for item in checks() if not item.deep]
    return frozenset(effect for diagnosis in reduce(results) for effect in diagnosis.consequences)


def told(finding: Finding) -> str:
    """Return a finding as the message of a failing test."""
    fixes = "".join(f"\nfix: {line(fix)}\n     {fix.why}" for fix in finding.fixes)
    facts = "".join(f"\n  {item.source}: {item.value}" for item in finding.evidence)
    return f"{finding.summary}\ncause: {finding.cause or 'see the summary'}{facts}{fixes}"


@pytest.mark.parametrize("item", [pytest.param(item, id=item.code) for item in checks()])
def test_environment(item: Check, request: pytest.FixtureRequest, record_property: Any) -> None:
    option = request.config.getoption
    python = option("doctor_python", None)
    if item.deep and not option("doctor_deep", False):
        pytest.skip("a trial of the deep tier: --deep")
    environment = examined_deep(python) if item.deep else examined(python)
    result = run(item, environment)
    record_property("code", item.code)
    record_property("level", result.status.value)
    judge(
        result,
        folded(python),
        strict=bool(option("doctor_strict", False)),
        record_property=record_property,
    )


def judge(
    result: CheckResult, consequences: frozenset[Finding], *, strict: bool, record_property: Any
) -> None:
    """Fails, warns, skips or passes as the result says."""
    if result.status is Level.SKIP:
        pytest.skip(result.reason)
    if result.status is Level.CRASH:
        pytest.fail(f"the check {result.code} crashed: {result.reason}", pytrace=False)
    for finding in result.findings:
        for fix in finding.fixes:
            record_property("fix", line(fix))
    serious = [f for f in result.findings if f.level.rank >= Level.WARN.rank]
    roots = [finding for finding in serious if finding not in consequences]
    if serious and not roots:
        pytest.skip("a consequence of another finding: " + serious[0].summary)
    limit = Level.WARN if strict else Level.ERROR
    failing = [finding for finding in roots if finding.level.rank >= limit.rank]
    if failing:
        pytest.fail("\n\n".join(told(finding) for finding in failing), pytrace=False)
    for finding in roots:
        warnings.warn(f"{finding.code}: {told(finding)}", stacklevel=1)
