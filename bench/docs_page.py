"""Tables of docs/metrics.md: `python -m bench.docs_page docs/metrics.md` rewrites them from METRICS and DOUBTS."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.doubts import DOUBTS, DOUBTS_OF_TURNS
from bench.metrics import METRICS
from suite.docs_page import render_table, replace_table


def metrics_table() -> str:
    """Return the Markdown table of METRICS, with a final newline."""
    rows = (
        (
            f"`{row.name}`",
            row.unit,
            row.instrument,
            f"{row.direction}{', exact' if row.is_deterministic else ''}",
            row.meaning,
        )
        for row in METRICS.values()
    )
    return render_table(("metric", "unit", "step", "better", "meaning"), rows)


def doubts_table() -> str:
    """Return the Markdown table of DOUBTS, with a final newline."""
    rows = (
        (f"`{code}`", " ".join((check.__doc__ or "").split()))
        for code, check in {**DOUBTS, **DOUBTS_OF_TURNS}.items()
    )
    return render_table(("doubt", "when"), rows)


def with_tables(page: str) -> str:
    """Return the page with both tables replaced; raises ValueError naming the one that it does not have."""
    for table in (metrics_table(), doubts_table()):
        page = replace_table(page, table)
    return page


def main(arguments: Sequence[str]) -> int:
    """Rewrite the tables in each of the named files."""
    for name in arguments:
        path = Path(name)
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
