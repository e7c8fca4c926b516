"""Libraries that not every installation has: what is missing is told with the command that brings it."""

import json
import os
import tomllib
from pathlib import Path

import pytest

from suite.outcome import Outcome
from suite.worker.child import run_job
from suite.worker.errors import EXTRAS, outcome_of
from suite.worker.protocol import Job

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
OPTIONAL = PROJECT["optional-dependencies"]


def failure_of(module, monkeypatch):
    """Return the failure that the worker tells of a job which cannot import `module`."""

    def runner(job, emit):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("suite.worker.child.needs_it", runner, raising=False)
    there, here = os.pipe()
    run_job(Job(runner="suite.worker.child:needs_it"), here)
    os.close(here)
    with os.fdopen(there) as pipe:
        (line,) = pipe.read().splitlines()
    return json.loads(line)["data"]


def test_a_missing_library_of_an_extra_is_unavailable_and_no_failure(monkeypatch):
    data = failure_of("transformers.models.bert", monkeypatch)
    assert outcome_of(**data) is Outcome.UNAVAILABLE
    assert data["message"] == (
        "transformers is not installed; next: pip install 'torch-vitals[text]'"
    )


@pytest.mark.parametrize("module", ["my_own_module", "suite.nope", None])
def test_any_other_missing_module_stays_a_failure(monkeypatch, module):
    data = failure_of(module, monkeypatch)
    assert outcome_of(**data) is Outcome.FAILED
    assert data["kind"] == "ModuleNotFoundError"


def test_every_library_of_the_table_is_in_its_extra_and_not_needed_by_all():
    for library, extra in EXTRAS.items():
        name = library.replace("_", "-")
        assert any(need.startswith(name) for need in OPTIONAL[extra]), library
        assert not any(need.startswith(f"{name}>") for need in PROJECT["dependencies"]), library


def test_the_tests_and_all_have_every_extra():
    """But that for fuzzing, which users of the wheel have no part of."""
    named = set(OPTIONAL["all"][0].partition("[")[2].strip("]").split(","))
    assert named == set(OPTIONAL) - {"all", "test", "fuzz"}
    assert "torch-vitals[all]" in OPTIONAL["test"]
