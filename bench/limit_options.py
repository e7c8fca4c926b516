"""Options of commands that say what to ship: the limits within which a state or a lane may be chosen."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Mapping
from typing import Final

from bench.summary.advice import DEFAULT_DROP, Limits

UNITS: Final = {
    "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30,
}  # fmt: skip
TIMES: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}


def add_limit_options(parser: argparse.ArgumentParser) -> None:
    """Add `--max-drop`, `--max-size` and `--max-latency`."""
    add = parser.add_argument
    add(
        "--max-drop",
        type=_number,
        default=DEFAULT_DROP,
        metavar="POINTS",
        help=f"loss of quality that is fine; percent for perplexity (default: {DEFAULT_DROP:g})",
    )
    add("--max-size", type=_bytes, metavar="SIZE", help="e.g. 50MB, 1.5GiB")
    add("--max-latency", type=_seconds, metavar="TIME", help="e.g. 10ms")


def limits_of(arguments: argparse.Namespace) -> Limits:
    """Return the limits that were asked for."""
    return Limits(
        max_drop=arguments.max_drop,
        max_bytes=arguments.max_size,
        max_seconds=arguments.max_latency,
    )


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; expected points such as 1 or 0.5")
    return value


def _bytes(text: str) -> float:
    return _scaled(text, UNITS, "a size such as 50MB")


def _seconds(text: str) -> float:
    return _scaled(text, TIMES, "a time such as 10ms")


def _scaled(text: str, scales: Mapping[str, float], what: str) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]*)\s*", text.lower())
    if not found or (found[2] and found[2] not in scales):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no {what.removeprefix('a ')}; expected {what}"
        )
    return float(found[1]) * (scales[found[2]] if found[2] else 1.0)
