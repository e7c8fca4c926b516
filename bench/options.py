"""The options that only `pytest bench` has, beside those that it shares with `pytest suite`."""

from __future__ import annotations

from typing import Any

from bench.plan import PLANS


def add_options(parser: Any) -> None:
    """Add `--plan` and `--store` to pytest's parser."""
    add = parser.getgroup("torch-vitals").addoption
    add(
        "--plan",
        default="standard",
        choices=list(PLANS),
        help="how hard to measure (default: standard)",
    )
    add(
        "--store",
        default="",
        metavar="WHERE",
        help="history of runs: a SQLite file or postgresql+psycopg://... (default: OUT/history.db)",
    )
