"""Findings of the doctor that the report shows: about the machine, and about one failure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.summary.elements import Finding
from diagnostics import finding as doctor
from diagnostics.finding import Level

HARMLESS = (Level.OK, Level.SKIP)


def findings_from(findings: Sequence[doctor.Finding]) -> tuple[Finding, ...]:
    """Return the findings that need attention, the worst first."""
    if not findings:
        return ()
    found = [item for item in findings if item.level not in HARMLESS]
    return tuple(
        Finding(
            level=item.level.value,
            code=item.code,
            summary=item.summary,
            cause=item.cause,
            fixes=tuple(text for fix in item.fixes if (text := _command(fix))),
        )
        for item in sorted(found, key=lambda item: -item.level.rank)
    )


def _command(fix: doctor.Fix) -> str:
    """Return the command to run, or what to do if there is none."""
    return fix.shell or " ".join(fix.argv) or fix.why
