"""Hooks by which another pytest plugin of ours takes part in a run of the suite's engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from suite.engine.run import Run


@pytest.hookspec(firstresult=True)
def pytest_vitals_run_options(config: pytest.Config) -> Mapping[str, Any] | None:
    """Keyword arguments for `suite.engine.run.open_run` beyond the suite's own."""


@pytest.hookspec(firstresult=True)
def pytest_vitals_finish_run(config: pytest.Config, run: Run) -> bool | None:
    """Closes the run after its last step; True from the plugin that did it."""
