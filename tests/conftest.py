"""What the tests see of the terminal and of pytest-xdist."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def environment_of_one_process() -> Iterator[None]:
    """Remove what a worker of pytest-xdist finds in its environment and a single process does not.

    readline in the main process exports the terminal's size, and pytest-benchmark disables itself, also in the
    processes that a test starts, where it sees the name of a worker.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("COLUMNS", "LINES", *(n for n in os.environ if n.startswith("PYTEST_XDIST"))):
            patch.delenv(name, raising=False)
        yield
