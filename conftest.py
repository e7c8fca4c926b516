"""Where the three packages meet pytest: each has a plugin of its own; one that is not here is left out."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent

pytest_plugins = [
    f"{package}.pytest_plugin"
    for package in ("diagnostics", "suite", "bench")
    if (HERE / package / "pytest_plugin.py").is_file()
]
