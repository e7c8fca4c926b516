"""Cold metrics come once per fresh worker, and imports from a fresh interpreter."""

from __future__ import annotations

import time

import pytest

from bench.instruments import coldstart
from suite.backends.runnable import Runnable
from suite.cell import Cell
from suite.results.measuring import RunResult
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob, Job

CELL = Cell(model="m", size="tiny", backend="onnxruntime")


def silent(kind, /, **data):
    return None


def test_build_session_and_first_forward_are_told_apart(monkeypatch):
    def load(job, emit):
        for name, seconds in (("build", 0.05), ("input", 0.1), ("session", 0.02)):
            emit("phase", name=name)
            time.sleep(seconds)
        return Runnable(
            call=lambda: time.sleep(0.03),
            outputs=list,
            synchronize=lambda: None,
            setup=RunResult(num_samples=1, num_tokens=9),
        )

    monkeypatch.setattr(coldstart, "runnable_for", load)
    result = coldstart.run(CellJob(runner="", cell=CELL), silent)
    found = {m.metric: m.samples for m in result.measurements}
    assert list(found) == ["build", "session", "first_forward"]
    assert all(len(samples) == 1 for samples in found.values())
    assert found["build"][0] >= 0.05
    assert found["session"][0] >= 0.02
    assert found["first_forward"][0] >= 0.03
    assert result.result.num_tokens == 9


def test_an_import_is_timed_in_an_interpreter_that_does_not_have_it_yet(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text(
        "import time\nprint('noise on stdout')\ntime.sleep(0.2)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    job = Job(
        runner="", options=JobOptions.from_dict({"modules": ["slow_to_import"], "replicates": 2})
    )
    result = coldstart.import_seconds(job, silent)
    (found,) = result.measurements
    assert found.metric == "import"
    assert len(found.samples) == 2
    assert all(0.2 <= sample < 5 for sample in found.samples)


def test_without_modules_those_of_the_backend_are_imported(monkeypatch):
    seen = []
    monkeypatch.setattr(coldstart, "time_import", lambda modules: seen.append(modules) or 1.0)
    coldstart.import_seconds(CellJob(runner="", cell=CELL), silent)
    assert seen == [("onnxruntime",)]


def test_an_import_that_fails_is_said_in_the_interpreter_s_words():
    with pytest.raises(RuntimeError, match="No module named 'no_such_library'"):
        coldstart.time_import(["no_such_library"])
