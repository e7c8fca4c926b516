"""Reports facts that could not be gathered."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import finding
from diagnostics.registry import check


@check("facts-missing", "Every fact could be gathered", "doctor")
def facts_missing(environment: Environment) -> Iterator[Finding]:
    """A collector failed or exceeded its deadline.

    Why: the checks that need its facts only saw defaults, so their silence proves nothing. Cure:
    examine the named source; if it was only late, run again on a less busy machine.
    """
    for name, reason in environment.unknown.items():
        yield finding(
            Level.WARN,
            f"the facts about {name} are missing or guessed",
            subject=name,
            cause="the collector failed or was late",
            evidence={name: reason},
        )
