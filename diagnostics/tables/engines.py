"""Which torch each release of an inference engine pins, and for which Pythons it has wheels.

Source: the `Requires-Dist` and `Requires-Python` lines of the wheels on the Python package index. A release between two
listed ones with the same pin has that pin; between different ones, or outside of the table, nothing is known.
"""

from __future__ import annotations

from diagnostics.version import allows, version_key

DATED = "2026-11-30"

_ROWS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "sglang": (
        ("0.4.4", "==2.5.1", ">=3.8"),
        ("0.4.5", "==2.5.1", ">=3.8"),
        ("0.4.6", "==2.6.0", ">=3.8"),
        ("0.4.8", "==2.7.1", ">=3.8"),
        ("0.4.9", "==2.7.1", ">=3.8"),
        ("0.4.10", "==2.7.1", ">=3.8"),
        ("0.5.1", "==2.8.0", ">=3.10"),
        ("0.5.2", "==2.8.0", ">=3.10"),
        ("0.5.3", "==2.8.0", ">=3.10"),
        ("0.5.4", "==2.8.0", ">=3.10"),
        ("0.5.5", "==2.8.0", ">=3.10"),
        ("0.5.6", "==2.9.1", ">=3.10"),
        ("0.5.7", "==2.9.1", ">=3.10"),
        ("0.5.8", "==2.9.1", ">=3.10"),
        ("0.5.9", "==2.9.1", ">=3.10"),
        ("0.5.10", "==2.9.1", ">=3.10"),
        ("0.5.11", "==2.11.0", ">=3.10"),
        ("0.5.12", "==2.11.0", ">=3.10"),
        ("0.5.13", "==2.11.0", ">=3.10"),
        ("0.5.15", "==2.11.0", ">=3.10"),
        ("0.5.17", "==2.11.0", ">=3.10"),
        ("0.5.19", "==2.13.0", ">=3.10"),
        ("0.5.21", "==2.13.0", ">=3.10"),
        ("0.5.23", "==2.14.1", ">=3.11"),
    ),
    "torch-tensorrt": (
        ("2.4.0", "<2.5.0,>=2.4.0", ">=3.8"),
        ("2.5.0", "<2.6.0,>=2.5.0", ">=3.8"),
        ("2.6.0", "==2.6.0", ">=3.9"),
        ("2.7.0", "<2.8.0,>=2.7.0", ">=3.9"),
        ("2.8.0", "<2.9.0,>=2.8.0", ">=3.9"),
        ("2.9.0", "<2.10.0,>=2.9.0", ">=3.9"),
        ("2.10.0", "<2.11.0,>=2.10.0", ">=3.10"),
        ("2.11.0", "<2.12.0,>=2.11.0", ">=3.10"),
    ),
    "vllm": (
        ("0.6.3", "==2.4.0", ">=3.8"),
        ("0.6.6", "==2.5.1", ">=3.9"),
        ("0.7.3", "==2.5.1", ">=3.9"),
        ("0.8.5", "==2.6.0", "<3.13,>=3.9"),
        ("0.9.2", "==2.7.0", "<3.13,>=3.9"),
        ("0.10.0", "==2.7.1", "<3.13,>=3.9"),
        ("0.10.2", "==2.8.0", "<3.14,>=3.9"),
        ("0.11.0", "==2.8.0", "<3.14,>=3.9"),
        ("0.11.2", "==2.9.0", "<3.14,>=3.10"),
        ("0.12.0", "==2.9.0", "<3.14,>=3.10"),
        ("0.13.0", "==2.9.0", "<3.14,>=3.10"),
        ("0.15.0", "==2.9.1", "<3.14,>=3.10"),
        ("0.17.0", "==2.10.0", "<3.14,>=3.10"),
        ("0.20.0", "==2.11.0", "<3.15,>=3.10"),
        ("0.23.0", "==2.11.0", "<3.15,>=3.10"),
        ("0.26.0", "==2.11.0", "<3.15,>=3.10"),
        ("0.30.0", "==2.13.0", "<3.15,>=3.10"),
        ("0.33.0", "==2.14.0", "<3.15,>=3.11"),
    ),
    "xformers": (
        ("0.0.27.post2", "==2.4.0", ">=3.7"),
        ("0.0.28.post3", "==2.5.1", ">=3.9"),
        ("0.0.29.post3", "==2.6.0", ">=3.9"),
        ("0.0.30", "==2.7.0", ">=3.9"),
        ("0.0.31.post1", "==2.7.1", ">=3.9"),
        ("0.0.32.post2", "==2.8.0", ">=3.9"),
        ("0.0.33", "==2.9.0", ">=3.9"),
    ),
}
"""Engine -> (release, range of torch, range of Pythons), oldest first."""
ENGINES = frozenset({"vllm", "sglang", "tensorrt-llm", "torch-tensorrt", "xformers"})
"""Packages whose compiled code fits one torch, xFormers' kernels among them; of those without rows only the installed
metadata tell."""


def pin(engine: str, version: str) -> str:
    """Return the range of torch that a release requires, such as `==2.8.0`; "" where that is not known."""
    return _between(engine, version, 1)


def pythons(engine: str, version: str) -> str:
    """Return the range of Pythons that a release supports, "" where that is not known."""
    return _between(engine, version, 2)


def newest_for(engine: str, torch: str) -> str:
    """Return the newest listed release whose pin allows a torch, "" for none."""
    fitting = [release for release, wanted, _ in _ROWS.get(engine, ()) if allows(wanted, torch)]
    return fitting[-1] if fitting else ""


def _between(engine: str, version: str, field: int) -> str:
    rows = _ROWS.get(engine, ())
    mine = version_key(version)
    before = [row for row in rows if version_key(row[0]) <= mine]
    after = [row for row in rows if version_key(row[0]) >= mine]
    if not before or not after or before[-1][field] != after[0][field]:
        return ""
    return before[-1][field]
