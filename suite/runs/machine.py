"""Machine of a run: `environment.json`, written when the run begins and read back by reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from diagnostics.codec import decode_as
from diagnostics.environment import Environment
from diagnostics.finding import Finding

FILE: Final = "environment.json"
"""Name of the file in the run folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine that a run was made on, and the doctor's findings about it."""

    environment: Environment
    fingerprint: str = ""
    """`Environment.fingerprint()` of the facts before they were redacted; empty in a file of another program."""
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, environment: Environment, findings: Iterable[Finding] = ()) -> Self:
        """Return the machine with these facts."""
        return cls(
            environment=environment,
            fingerprint=environment.fingerprint(),
            findings=tuple(findings),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the content of `environment.json`: the facts, then `findings` and `fingerprint`."""
        return {
            **self.environment.as_dict(),
            "findings": [finding.as_dict() for finding in self.findings],
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the machine that `as_dict` gave; raise ValueError, with the field, for another shape."""
        found = data.get("findings", ())
        if not isinstance(found, (list, tuple)):
            raise ValueError(f"findings: expected a list, got {type(found).__name__}")
        return cls(
            environment=Environment.from_dict(data),
            fingerprint=str(data.get("fingerprint") or ""),
            findings=tuple(decode_as(Finding, item) for item in found),
        )
