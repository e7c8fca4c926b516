"""Ship line: which of the measured lanes of each model is the fastest, and the command that would know better."""

from __future__ import annotations

from collections import Counter
from shlex import quote
from typing import Final

from bench.output.names import backend_name, plural
from bench.summary.advice_text import from_here
from bench.summary.labels import interval_text, times
from bench.summary.model import Report, Row
from suite.axes import ORIGINAL, REFERENCE
from suite.origins.reference import LIBRARIES

LINES: Final = 4
"""Most models with a line of their own; more are counted."""


def ship_lines(report: Report) -> list[str]:
    """Return what to ship of what was measured, and the `tune` command; empty without a comparison of backends.

    A run that compared nothing, such as one of eager alone, says nothing of what to ship.
    """
    rows = _rows(report)
    if not rows:
        return []
    if len(rows) <= LINES:
        lines = [f"{row.model}: of what was measured, {_best(row)}." for row in rows]
    else:
        counts = Counter(row.fastest for row in rows)
        named = [
            f"{backend_name(name)} for {plural(num, 'model')}"
            for name, num in counts.most_common()
            if name
        ]
        open_ = f"{plural(counts[''], 'model')} open" if counts[""] else ""
        parts = [f"ship {', '.join(named)}"] if named else []
        lines = [f"Of what was measured, {'; '.join([*parts, *([open_] if open_ else [])])}."]
    return [*lines, f"Over dtypes, threads, 8 bits and quality: {tune_command(report, rows[0])}"]


def tune_command(report: Report, row: Row) -> str:
    """Return the command that measures all lanes of the row's model."""
    origin = report.options.get("origins", {}).get(row.model, "")
    own = report.options.get("models_from", "")
    parts = ["python -m bench tune", quote(_named(origin)) if origin else row.model]
    parts += [f"--models-from {quote(from_here(own))}"] if own and not origin else []
    return " ".join((*parts, f"--size {row.size} --max-drop 1"))


def _named(reference: str) -> str:
    """Return a reference as `--models` takes it: of a file without the kind."""
    kind, _, target = reference.partition(":")
    return reference if kind in LIBRARIES else from_here(target)


def _rows(report: Report) -> list[Row]:
    """Return one row per model: as built, in float32, the first batch, with a comparison of backends."""
    found: dict[tuple[str, str], Row] = {}
    for row in report.rows:
        if row.variant == ORIGINAL and row.dtype == "float32" and row.speedups:
            found.setdefault((row.model, row.size), row)
    return list(found.values())


def _best(row: Row) -> str:
    if row.fastest == REFERENCE:
        return f"ship {backend_name(REFERENCE)}: nothing measured is faster"
    best = next((one for one in row.speedups if one.backend == row.fastest), None)
    if best is None:
        return "no lane is surely faster than another"
    ratio = times(best.ratio) + interval_text(best.low, best.high)
    return f"ship {backend_name(best.backend)}: {ratio} as fast as {best.over}"
