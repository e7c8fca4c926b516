"""Hooks for our other pytest plugins to take part in a run of the suite's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from suite.engine.progress import Work
from suite.engine.run import Run


@pytest.hookspec(firstresult=True)
def pytest_vitals_run_options(config: pytest.Config) -> Mapping[str, Any] | None:
    """Return keyword arguments for `suite.engine.run.open_run` beyond the suite's own."""


@pytest.hookspec(firstresult=True)
def pytest_vitals_command(config: pytest.Config) -> str | None:
    """Return the command line as the user typed it, if that was not pytest's own."""


@pytest.hookspec(firstresult=True)
def pytest_vitals_closing_tasks(config: pytest.Config, run: Run) -> Sequence[Work] | None:
    """Return the tasks with which the plugin closes the run, so that the expected rest covers them."""


@pytest.hookspec(firstresult=True)
def pytest_vitals_finish_run(config: pytest.Config, run: Run) -> bool | None:
    """Close the run after its last step; return True if the plugin did so."""
