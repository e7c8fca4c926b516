"""Renders the checkup for a terminal: one line per area, details for problems."""

from __future__ import annotations

from collections.abc import Callable

from diagnostics.checkup import Checkup
from diagnostics.control_codes import calmed, without_codes
from diagnostics.doctor import Diagnosis
from diagnostics.finding import Finding, Level, Safety
from diagnostics.install_commands import line
from diagnostics.overview import detail
from diagnostics.registry import CheckResult

MARKS = {
    Level.OK: ("✓", "green"),
    Level.SKIP: ("-", "dim"),
    Level.INFO: ("i", "cyan"),
    Level.WARN: ("!", "yellow"),
    Level.ERROR: ("✗", "red"),
    Level.CRASH: ("☠", "bold magenta"),
}
ASCII = {Level.OK: "ok", Level.ERROR: "x", Level.CRASH: "#"}
Paint = Callable[[str, str], str]


def plain(text: str, style: str) -> str:
    """Return the text without colour."""
    return text


def lines(
    checkup: Checkup, *, verbose: bool = False, paint: Paint = plain, unicode: bool = True
) -> list[str]:
    """Return the report line by line; `verbose` also shows information, skips and healthy checks."""
    found: list[str] = []
    for key, title, level in checkup.areas():
        # Information is no problem: the overview stays green.
        shown = Level.OK if level is Level.INFO and not verbose else level
        about = detail(checkup.environment, key)
        found.append(
            f"{_mark(shown, paint, unicode)} {title}"
            + (f" ({without_codes(about)})" if about else "")
        )
        if verbose:
            found += [
                f"      {_mark(item.status, paint, unicode)} {paint(item.code, 'bold')}: "
                f"{_said(item)}"
                for item in checkup.results
                if item.area == key
            ]
    crashed = [item for item in checkup.results if item.status is Level.CRASH]
    problems = [item for item in checkup.diagnoses if verbose or _is_problem(item)]
    for diagnosis in problems:
        found += ["", *_diagnosis(checkup, diagnosis, paint, unicode)]
    for item in crashed:
        found += [
            "",
            f"{_mark(Level.CRASH, paint, unicode)} the check {item.code} crashed: {without_codes(item.reason)}",
        ]
    return [*found, "", summary(checkup, paint)]


def _mark(level: Level, paint: Paint, unicode: bool) -> str:
    sign, style = MARKS[level]
    return paint(f"[{sign if unicode else ASCII.get(level, sign)}]", style)


def _said(item: CheckResult) -> str:
    said = "; ".join(finding.summary for finding in item.findings)
    return without_codes(said or (item.title if item.status is Level.OK else item.reason))


def _is_problem(diagnosis: Diagnosis) -> bool:
    return diagnosis.finding.level.rank >= Level.WARN.rank


def _diagnosis(checkup: Checkup, diagnosis: Diagnosis, paint: Paint, unicode: bool) -> list[str]:
    finding = calmed(diagnosis.finding)
    head = f"{_mark(finding.level, paint, unicode)} {paint(finding.summary, 'bold')}"
    found = [f"{head}  {paint(finding.code, 'dim')}"]
    if finding.cause:
        found.append(f"      cause: {finding.cause}")
    found += [f"      {paint(f'{item.source}: {item.value}', 'dim')}" for item in finding.evidence]
    found += _fixes(finding, paint)
    if diagnosis.consequences:
        also = "; ".join(without_codes(item.summary) for item in diagnosis.consequences)
        found.append(f"      also explained: {also}")
    if finding.fixes:
        found.append(f"      {paint(f'then: {verify(checkup, finding.code)}', 'dim')}")
    return found


def _fixes(finding: Finding, paint: Paint) -> list[str]:
    found = []
    for index, fix in enumerate(finding.fixes):
        label = "fix:" if index == 0 else " or:"
        note = {Safety.PRIVILEGED: " (needs rights)", Safety.MANUAL: " (adapt)"}.get(fix.safety, "")
        found.append(f"      {label} {paint(line(fix), 'green')}")
        found.append(f"           {fix.why}{note}")
    return found


def verify(checkup: Checkup, code: str) -> str:
    """Return the command that repeats one check."""
    python = checkup.environment.python
    other = "" if python.is_self else f" --python {python.executable}"
    deep = " --deep" if code.startswith("deep-") else ""
    return f"python -m diagnostics{other}{deep} --select {code}"


def summary(checkup: Checkup, paint: Paint = plain) -> str:
    """Return the last line."""
    counts = checkup.counts()
    seconds = f"{len(checkup.results)} checks in {checkup.seconds:.1f} s"
    if not (counts["error"] or counts["warn"] or counts["crash"]):
        note = f", {counts['info']} notes (-v)" if counts["info"] else ""
        return paint(f"No issues found ({seconds}{note}).", "green")
    areas = {item.finding.area for item in checkup.diagnoses if _is_problem(item)}
    parts = [
        f"{counts[key]} {word}{'s' if counts[key] != 1 else ''}"
        for key, word in (("error", "error"), ("warn", "warning"), ("crash", "crashed check"))
        if counts[key]
    ]
    where = f" in {len(areas)} area{'s' if len(areas) != 1 else ''}" if areas else ""
    calm = (
        ""
        if counts["error"] or counts["crash"]
        else " Warnings can be left alone when everything works."
    )
    return f"{', '.join(parts)}{where} ({seconds}).{calm}"


_ANSI = {
    "green": "32",
    "red": "31",
    "yellow": "33",
    "cyan": "36",
    "dim": "2",
    "bold": "1",
    "bold magenta": "1;35",
}


def ansi(text: str, style: str) -> str:
    """Return the text in colour, without rich: importing it takes longer than the whole run."""
    return f"\x1b[{_ANSI[style]}m{text}\x1b[0m"
