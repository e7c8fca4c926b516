"""History: every run in a database, its trends, and the points at which they changed."""

from pathlib import Path
from typing import Final

STORE: Final = str(Path(".vitals", "history.db"))
"""The history of a project, where `--store` names no other."""
