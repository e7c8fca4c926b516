"""A finding: its level, cause, evidence, and the commands that cure it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """Severity; the members are in ascending order."""

    OK = "ok"
    SKIP = "skip"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    CRASH = "crash"
    """The check itself raised: nothing is known, and that must be seen."""

    @property
    def rank(self) -> int:
        """Position in the order of severity, 0 = harmless."""
        return list(Level).index(self)


class Safety(StrEnum):
    """Who may run a fix."""

    SAFE = "safe"
    """Changes only the examined Python environment, or nothing."""
    PRIVILEGED = "privileged"
    """Needs administrator rights or restarts something."""
    MANUAL = "manual"
    """A person has to decide or edit; the line shows what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One fact that a finding rests on."""

    source: str
    """Where it was read: a file, a variable, a call."""
    value: str
    """What was read, shortened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One command as data, so that a person or a program can run it."""

    argv: tuple[str, ...]
    """The command and its arguments; empty when it needs a shell."""
    why: str
    """One sentence: what it does to the cause."""
    safety: Safety = Safety.SAFE
    shell: str = ""
    """The line to paste, where it needs a shell (exports, pipes); else made from `argv`."""
    steps: tuple[tuple[str, ...], ...] = ()
    """The commands that `shell` joins, where it runs several in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact about the machine, its cause, and what to do about it."""

    code: str
    """Stable id, e.g. `tv-version-pair`: the name to select, silence and look up."""
    area: str
    """The line of the overview that it belongs to, e.g. `versions`."""
    level: Level
    summary: str
    """One sentence."""
    subject: str = ""
    """The package, library or trial it is about, where one code can be found twice."""
    cause: str = ""
    evidence: tuple[Evidence, ...] = ()
    fixes: tuple[Fix, ...] = ()
    explains: tuple[str, ...] = ()
    """Codes, or `code:subject` patterns, of findings that vanish when this one is cured."""
    links: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The finding as JSON-able data."""
        return asdict(self)
