"""One run of the doctor: the machine, the results, the diagnoses."""

from __future__ import annotations

from dataclasses import dataclass

from diagnostics.doctor import Diagnosis, exit_code, reduce
from diagnostics.environment import Environment
from diagnostics.finding import Level
from diagnostics.registry import AREAS, CheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """The machine, the results and the options of one run; every renderer shows it."""

    environment: Environment
    results: tuple[CheckResult, ...]
    strict: bool = False
    excused: bool = False
    """Facts that are missing were ignored by the user."""
    seconds: float = 0.0

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """Root causes by severity, each with its consequences."""
        return reduce(self.results)

    @property
    def exit_code(self) -> int:
        """0 healthy, 1 errors (or warnings when strict), 3 a check crashed, 4 could not look."""
        unknown = bool(self.environment.unknown) and not self.excused
        return exit_code(self.results, strict=self.strict, unknown=unknown)

    def areas(self) -> tuple[tuple[str, str, Level], ...]:
        """(key, title, worst level) of every area that was examined."""
        found = []
        for key, title in AREAS.items():
            levels = [result.status for result in self.results if result.area == key]
            if levels:
                worst = max(levels, key=lambda level: level.rank)
                # An area is skipped only when all of it was.
                if worst is Level.SKIP and any(level is Level.OK for level in levels):
                    worst = Level.OK
                found.append((key, title, worst))
        return tuple(found)

    def counts(self) -> dict[str, int]:
        """Number of root findings per level, and of crashed checks."""
        found = {level.value: 0 for level in (Level.ERROR, Level.WARN, Level.INFO)}
        for diagnosis in self.diagnoses:
            found[diagnosis.finding.level.value] += 1
        found["crash"] = sum(result.status is Level.CRASH for result in self.results)
        return found
