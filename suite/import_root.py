"""Where this project's packages are imported from: a checkout's root, or the one package that a wheel installs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PREFIX: Final = __name__.partition("suite")[0]
"""Empty in a checkout; `vitals.` where a wheel was installed, which has `suite` as `vitals.suite`."""

TREE: Final = Path(__file__).resolve().parents[1]
"""Folder that holds `suite`, `bench` and `diagnostics`."""


OWN: Final = () if PREFIX else (TREE,)
"""Folders that a child process of this interpreter needs to import these packages.

It finds an installed package by itself. That package's folder must not be named: every other package lies there too,
and would come before the standard library.
"""


def python_path(folders: Sequence[Path] = OWN) -> str:
    """Return PYTHONPATH for a child process: `folders`, then what was inherited."""
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*map(str, folders), *([inherited] if inherited else [])])
