"""Prints findings of the text, line and file tools, and turns them into an exit code."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from diagnostics.control_codes import calmed
from diagnostics.finding import Finding, Fix, Level, Safety
from diagnostics.redact import Redactor

FINE, ERRORS, USAGE = 0, 1, 2
"""Exit codes: no errors, errors found, the command line cannot be understood."""


Paint = Callable[[str, str], str]

# The doctor's own renderer has the same signs; importing it would load all of the doctor.
MARKS = {
    Level.OK: ("✓", "ok", "32"),
    Level.SKIP: ("-", "-", "2"),
    Level.INFO: ("i", "i", "36"),
    Level.WARN: ("!", "!", "33"),
    Level.ERROR: ("✗", "x", "31"),
    Level.CRASH: ("☠", "#", "35"),
}
BOLD, DIM, GREEN = "1", "2", "32"


def plain(text: str, style: str) -> str:
    """The text as it is."""
    return text


def ansi(text: str, style: str) -> str:
    """The text in a colour of the terminal."""
    return f"\x1b[{style}m{text}\x1b[0m"


def line(fix: Fix) -> str:
    """The line to paste."""
    return fix.shell or shlex.join(fix.argv)


def exit_code(findings: Sequence[Finding], *, strict: bool = False) -> int:
    """1 when a finding is an error (`strict`: or a warning), else 0."""
    bar = Level.WARN.rank if strict else Level.ERROR.rank
    return ERRORS if any(item.level.rank >= bar for item in findings) else FINE


def as_json(findings: Sequence[Finding], redactor: Redactor | None = None) -> str:
    """The findings as a JSON document: `Finding.as_dict` and, per fix, the line to paste.

    Personal parts are taken out when a redactor is given.
    """
    rows = []
    for item in findings:
        row = item.as_dict()
        row["fixes"] = [
            {**fix, "line": line(shown)}
            for fix, shown in zip(_dicts(row["fixes"]), item.fixes, strict=True)
        ]
        rows.append(row)
    shown = redactor.data(rows) if redactor is not None else rows
    return json.dumps({"schema": 1, "findings": shown}, indent=1)


def _dicts(value: object) -> list[dict[str, object]]:
    return [dict(item) for item in value] if isinstance(value, (list, tuple)) else []


def show(
    findings: Sequence[Finding],
    *,
    in_json: bool,
    nothing: str,
    stream: TextIO | None = None,
    redactor: Redactor | None = None,
) -> None:
    """Print the findings, or the sentence `nothing` when there are none."""
    out = sys.stdout if stream is None else stream
    if in_json:
        print(as_json(findings, redactor), file=out)
        return
    colour = out.isatty() and "NO_COLOR" not in os.environ
    paint = ansi if colour else plain
    unicode = "utf" in (getattr(out, "encoding", None) or "").lower()
    findings = calmed(tuple(findings))
    for row in lines(findings, paint=paint, unicode=unicode) or [nothing]:
        print(row if unicode else row.encode("ascii", "replace").decode(), file=out)


def lines(findings: Sequence[Finding], *, paint: Paint = plain, unicode: bool = True) -> list[str]:
    """The findings as text; those that another one explains are one line under it."""
    summaries = {item.code: item.summary for item in findings}
    folded = {code for item in findings for code in item.explains}
    found: list[str] = []
    for item in findings:
        if item.code in folded:
            continue
        found += _lines(item, paint, unicode)
        also = [summaries[code] for code in item.explains if code in summaries]
        found += [f"      also explained: {'; '.join(also)}"] if also else []
        found.append("")
    return found[:-1]


def _lines(item: Finding, paint: Paint, unicode: bool) -> list[str]:
    sign, letter, style = MARKS[item.level]
    mark = paint(f"[{sign if unicode else letter}]", style)
    found = [f"{mark} {paint(item.summary, BOLD)}  {paint(item.code, DIM)}"]
    found += [f"      cause: {item.cause}"] if item.cause else []
    found += [paint(f"      {e.source}: {e.value}", DIM) for e in item.evidence]
    for index, fix in enumerate(item.fixes):
        note = {Safety.PRIVILEGED: " (needs rights)", Safety.MANUAL: " (adapt)"}.get(fix.safety, "")
        found.append(f"      {'fix:' if index == 0 else ' or:'} {paint(line(fix), GREEN)}")
        found.append(f"           {fix.why}{note}")
    return [*found, *(f"      see {link}" for link in item.links)]
