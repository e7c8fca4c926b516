"""Runs the checks over the facts, isolates those that crash, and finds the root causes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from diagnostics.did_you_mean import did_you_mean
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.registry import Check, CheckResult, Skipped, checks, stamp
from diagnostics.simulation import tried

FACTS_MISSING = "facts-missing"
"""The check that names what could not be looked at; its findings have an exit code of their own."""


class UnknownCode(ValueError):
    """A selected or ignored code that no check has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One root cause with the findings that it explains."""

    finding: Finding
    consequences: tuple[Finding, ...] = ()


def examine(
    environment: Environment, *, select: Iterable[str] = (), ignore: Iterable[str] = ()
) -> list[CheckResult]:
    """Return the result of every chosen check, in the order of the causal chain.

    `select` and `ignore` hold codes, areas or glob patterns of codes. Raises UnknownCode for one
    that fits no check, with the nearest codes.
    """
    return [run(item, environment) for item in chosen(select, ignore)]


def chosen(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Check, ...]:
    """Return the checks that `select` and `ignore` leave. Raises UnknownCode."""
    every = checks()
    wanted = {c.code for item in select for c in _named(item, every)}
    unwanted = {c.code for item in ignore for c in _named(item, every)}
    kept = wanted or {item.code for item in every}
    return tuple(item for item in every if item.code in kept - unwanted)


def _named(pattern: str, every: tuple[Check, ...]) -> list[Check]:
    found = [c for c in every if c.area == pattern or fnmatchcase(c.code, pattern)]
    if not found:
        hint = did_you_mean(pattern, [item.code for item in every], is_listed=False)
        raise UnknownCode(f"no check has the code {pattern!r}{hint} (--list shows them all)")
    return found


def run(item: Check, environment: Environment) -> CheckResult:
    """Run one check; an exception becomes the status `crash`, never a traceback."""
    start = time.perf_counter()
    findings: tuple[Finding, ...] = ()
    reason = ""
    try:
        findings = tuple(
            tried(environment, stamp(found, item)) for found in item.examine(environment)
        )
        status = max((f.level for f in findings), key=lambda level: level.rank, default=Level.OK)
    except Skipped as skipped:
        status, reason = Level.SKIP, str(skipped)
    except Exception as error:
        status, reason = Level.CRASH, _where(error)
    return CheckResult(
        code=item.code,
        title=item.title,
        area=item.area,
        status=status,
        findings=findings,
        seconds=time.perf_counter() - start,
        reason=reason,
    )


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" (line {trace.tb_lineno} of {trace.tb_frame.f_code.co_name})" if trace else ""
    return f"{type(error).__name__}: {error}{place}"


def reduce(results: Iterable[CheckResult]) -> tuple[Diagnosis, ...]:
    """Return the root causes by severity, then causal order, each with what it explains."""
    found = [finding for result in results for finding in result.findings]
    parents: dict[int, int] = {}
    for index, finding in enumerate(found):
        for other, candidate in enumerate(found):
            if (
                other != index
                and _explains(candidate, finding)
                and not _leads_to(parents, other, index)
            ):
                parents[index] = other
                break
    children: dict[int, list[Finding]] = {}
    for index in parents:
        children.setdefault(_root(parents, index), []).append(found[index])
    roots = [
        Diagnosis(finding=finding, consequences=tuple(children.get(index, ())))
        for index, finding in enumerate(found)
        if index not in parents
    ]
    return tuple(sorted(roots, key=lambda item: -item.finding.level.rank))


def _explains(cause: Finding, effect: Finding) -> bool:
    if cause.level.rank < Level.WARN.rank:
        return False
    named = (effect.code, f"{effect.code}:{effect.subject}")
    return any(fnmatchcase(name, pattern) for pattern in cause.explains for name in named)


def _leads_to(parents: dict[int, int], start: int, goal: int) -> bool:
    while start in parents:
        start = parents[start]
        if start == goal:
            return True
    return False


def _root(parents: dict[int, int], index: int) -> int:
    while index in parents:
        index = parents[index]
    return index


def exit_code(
    results: Iterable[CheckResult], *, strict: bool = False, unknown: bool = False
) -> int:
    """Return 0 without errors, 1 with errors (`strict`: warnings too), 3 when a check crashed.

    4 when no error was found and something could not be looked at: a fact is `unknown`, or the
    results say that one is missing.
    """
    every = list(results)
    if any(result.status is Level.CRASH for result in every):
        return 3
    bad = {Level.ERROR, Level.WARN} if strict else {Level.ERROR}
    if any(result.status in bad and result.code != FACTS_MISSING for result in every):
        return 1
    missing = any(result.code == FACTS_MISSING and result.findings for result in every)
    return 4 if unknown or missing else 0
