"""Reads version ranges and Pythons as other tools write them."""

from __future__ import annotations

import re

from diagnostics.tables.torch_releases import Python


def poetry_ranges(text: str) -> str:
    """Return PEP 440 ranges for poetry's: `^2.1` -> `>=2.1,<3`, `2.1.0` -> `==2.1.0`, `*` -> any.

    A caret keeps the leftmost number that is not zero: `^0.20` -> `>=0.20,<0.21`. Raises ValueError
    for alternatives (`||`), which a range cannot hold. Source: poetry's page on dependencies.
    """
    if "|" in text:
        raise ValueError(f"{text!r}: alternatives are not read here")
    clauses = re.sub(r"(?<=[<>=!~^])\s+", "", text.strip())
    return ",".join(_poetry_clause(part) for part in re.split(r"[,\s]+", clauses) if part != "*")


def _poetry_clause(clause: str) -> str:
    found = re.fullmatch(r"(\^|~)(\d+(?:\.\d+)*)(\S*)", clause)
    if found is None:
        return f"=={clause}" if re.fullmatch(r"\d[\w.+*]*", clause) else clause
    numbers = [int(part) for part in found[2].split(".")]
    if found[1] == "^":
        kept = next((i for i, n in enumerate(numbers) if n), len(numbers) - 1)
    else:
        kept = min(1, len(numbers) - 1)
    upper = ".".join(str(n) for n in (*numbers[:kept], numbers[kept] + 1))
    return f">={found[2]}{found[3]},<{upper}"


def python_version(text: str) -> Python | None:
    """Return (3, 12) for `3.12`, `3.12.1`, `python3.12` or `cp312`, None for anything else."""
    found = re.fullmatch(r"(?:.*/)?(?:python|cpython|cp)?-?(\d)\.?(\d+)(?:\.\d+)?", text.strip())
    return (int(found[1]), int(found[2])) if found else None
