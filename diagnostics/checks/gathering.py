"""Whether the facts themselves could be gathered."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import finding
from diagnostics.registry import check


@check("facts-missing", "Every fact could be gathered", "doctor")
def facts_missing(environment: Environment) -> Iterator[Finding]:
    """A collector failed or did not answer in time.

    Why: checks that need its facts saw defaults, so a clean bill would say too much.
    Cure: look at the named source; run again on a quieter machine when it was only late.
    """
    for name, reason in environment.unknown.items():
        yield finding(
            Level.WARN,
            f"the facts about {name} are missing or guessed",
            subject=name,
            cause="the collector failed or was late",
            evidence={name: reason},
        )
