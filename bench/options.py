"""The options that only `pytest bench` has, beside those that it shares with `pytest suite`."""

from __future__ import annotations

from typing import Any

from bench.plan import PLANS


def add_options(parser: Any) -> None:
    """Add `--plan`, `--prompt`, `--depth`, `--new`, `--store` and `--benchmark-table` to pytest's parser."""
    add = parser.getgroup("torch-vitals").addoption
    add(
        "--plan",
        default="standard",
        choices=list(PLANS),
        help="how hard to measure (default: standard)",
    )
    add(
        "--prompt",
        default="",
        metavar="TOKENS",
        help="generation: lengths of the prompt (default: 128,512; beside other steps 128)",
    )
    add(
        "--depth",
        default="",
        metavar="TOKENS",
        help="generation: tokens in the cache before the prompt (default: 0,512,1024,2048; beside other steps 0)",
    )
    add(
        "--new",
        type=int,
        default=None,
        metavar="TOKENS",
        help="generation: tokens to generate (default: 64; beside other steps 16)",
    )
    add(
        "--store",
        default="",
        metavar="WHERE",
        help="history of runs: a SQLite file or postgresql+psycopg://... (default: OUT/history.db)",
    )
    add(
        "--benchmark-table",
        action="store_true",
        help="show pytest-benchmark's own table, too (a row per step, some 190 columns)",
    )


def hide_benchmark_table(option: Any) -> None:
    """Leave out pytest-benchmark's table, unless it, or a view of pytest-benchmark that needs it, is asked for.

    Must be called before that plugin is configured; what it saves is saved all the same.
    """
    asked = ("benchmark_table", "benchmark_verbose", "benchmark_compare", "benchmark_histogram")
    if not any(getattr(option, name, None) for name in asked):
        option.benchmark_quiet = True
