"""The options of `pytest diagnostics`."""

from __future__ import annotations

from typing import Any


def pytest_addoption(parser: Any) -> None:
    """Adds the doctor's options to pytest's parser."""
    add = parser.getgroup("torch-vitals doctor", "pytest diagnostics").addoption
    add(
        "--deep",
        action="store_true",
        dest="doctor_deep",
        help="import and try every library, each in a child",
    )
    add("--doctor-strict", action="store_true", dest="doctor_strict", help="warnings fail too")
    add("--doctor-python", dest="doctor_python", metavar="PATH", help="examine another interpreter")
