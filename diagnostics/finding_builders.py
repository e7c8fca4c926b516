"""Builds findings and fixes for checks; the registry adds the code and the area."""

from __future__ import annotations

from diagnostics.finding import Evidence, Finding, Fix, Level, Safety


def finding(
    level: Level,
    summary: str,
    *,
    subject: str = "",
    cause: str = "",
    evidence: dict[str, object] | None = None,
    fixes: tuple[Fix, ...] = (),
    explains: tuple[str, ...] = (),
    links: tuple[str, ...] = (),
) -> Finding:
    """Return a finding without code; `evidence` maps the source to what was read there."""
    seen = tuple(
        Evidence(source=source, value=str(value)[:300])
        for source, value in (evidence or {}).items()
    )
    return Finding(
        code="",
        area="",
        level=level,
        summary=summary,
        subject=subject,
        cause=cause,
        evidence=seen,
        fixes=fixes,
        explains=explains,
        links=links,
    )


def by_hand(line: str, why: str) -> Fix:
    """Return a fix that a person has to decide on or to adapt."""
    return Fix(argv=(), shell=line, why=why, safety=Safety.MANUAL)


def as_root(line: str, why: str) -> Fix:
    """Return a fix that needs administrator rights."""
    return Fix(argv=(), shell=line, why=why, safety=Safety.PRIVILEGED)


def export(line: str, why: str) -> Fix:
    """Return a fix that changes the variables of the current shell."""
    return Fix(argv=(), shell=line, why=why)


def listing(words: tuple[str, ...] | list[str], most: int = 4) -> str:
    """Return the words as `a, b, c and 2 more`."""
    shown = ", ".join(words[:most])
    return f"{shown} and {len(words) - most} more" if len(words) > most else shown


def gib(size: float) -> str:
    """Return bytes as GiB or MiB with three significant digits."""
    if size >= 1 << 30:
        return f"{size / (1 << 30):.3g} GiB"
    return f"{size / (1 << 20):.3g} MiB"
