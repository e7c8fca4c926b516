"""A finished run from its own records and progress lines: seconds by kind of step, by phase of the exports, and how
often the expected rest was right.
"""

import json
import re
from collections import defaultdict
from pathlib import Path

REST = re.compile(r"  about (?P<number>\d+) (?P<unit>s|min) left")
NEAR = 0.3
"""Error of the expected rest that counts as right, as a share of the real one."""
LATE = 1 / 30
"""Error that counts as right near the end, as a share of the whole run."""
FIRST = 0.1
"""Share of the run before which nothing is expected of it."""
EXPORT = "export"
EAGER = "eager"
PHASES = {"export": "tracing", "input": "inputs, eager, float64", "parity": "parity"}
"""Phase of an export -> how it is called here; the others are one row."""


def kinds_of(records: Path) -> dict[str, float]:
    """Return kind of step -> seconds of all its records; exports by phase as well. Exports overlap each other."""
    found: dict[str, float] = defaultdict(float)
    for line in records.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        step, seconds = record["step"], float(record.get("seconds") or 0.0)
        if step != EXPORT:
            backend = record["cell"]["backend"]
            found[f"{backend}: {step}"] += seconds
            continue
        found["exports"] += seconds
        rest = seconds
        for phase, taken in record.get("phases", {}).items():
            if phase in PHASES:
                found[f"  {PHASES[phase]}"] += taken
                rest -= taken
        found["  build, check, session, cache"] += rest
    order = sorted(found, key=lambda kind: (not kind.startswith(("exports", "  ")), kind))
    exports = ["exports", *(kind for kind in order if kind.startswith("  "))]
    return {kind: found[kind] for kind in (*exports, *(k for k in order if k not in exports))}


def expected_rest(line: str) -> float | None:
    """Return the seconds that a line of the progress expects the run to go on; None if it says nothing of it."""
    found = REST.search(line)
    if found is None:
        return None
    return float(found["number"]) * (60.0 if found["unit"] == "min" else 1.0)


def rest_hits(expected: list[tuple[float, float]], total: float) -> tuple[int, int]:
    """Return (moments in which the expected rest was right, moments), from a tenth of the run on.

    `expected`: (seconds since the start, expected rest in seconds). `total`: seconds of the run.
    """
    right = moments = 0
    for at, rest in expected:
        real = total - at
        if at < FIRST * total or real <= 0:
            continue
        moments += 1
        right += abs(rest - real) <= max(NEAR * real, LATE * total)
    return right, moments


def split_table(title: str, base: dict[str, float], head: dict[str, float]) -> list[str]:
    """Return a line per kind of step with the seconds of both runs and their ratio."""
    lines = [f"{'seconds of steps':34} {title[:12]:>12} {'here':>12} {'ratio':>6}"]
    for kind in dict.fromkeys((*base, *head)):
        before, after = base.get(kind), head.get(kind)
        shown = ["-" if value is None else f"{value:.1f} s" for value in (before, after)]
        ratio = f"{after / before:.2f}" if before and after is not None and before > 0.05 else "-"
        lines.append(f"{kind:34} {shown[0]:>12} {shown[1]:>12} {ratio:>6}")
    return lines
