"""Opening and closing a run."""

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from bench.plan import PLANS
from bench.run import finish_run
from bench.steps import STEPS
from bench.summary.machine import machine_of
from diagnostics.gather import gather
from suite.engine.run import RunError, described, open_run, preload_for
from suite.options import Asked, resolve
from suite.outcome import Outcome
from suite.runs.load import load_run
from suite.worker.client import Answer, Launcher
from suite.worker.fake import FakeWorker


@pytest.fixture
def opened(tmp_path):
    """Opens runs in one folder, on a fake worker."""
    environment = gather(quick=True)

    def make(*, resume=None, **asked):
        selection = resolve(Asked(**{"models": ["mlp"], **asked}), num_gpus=0, num_cores=1)
        answer = Answer(outcome=Outcome.PASSED, result={"facts": {"parity": {"verdict": "passed"}}})
        return open_run(
            out=tmp_path,
            resume=resume,
            selection=selection,
            environment=environment,
            options={"plan": PLANS["quick"].as_dict()},
            steps=STEPS,
            deadline=9.0,
            command="pytest bench",
            worker=lambda folder: FakeWorker(answer=lambda job: answer),
        )

    return make


def test_a_run_says_what_it_is_going_to_do_before_it_does_it(opened):
    run = opened()
    run.begin([{"cell": run.selection.cells[0].as_dict(), "step": "latency"}])
    found = load_run(run.folder.path)
    assert found.info["finished_at"] is None
    assert len(found.info["planned"]) == 1
    assert found.machine.fingerprint == run.session.environment_id
    # Of a checkout, an interpreter and wheels that are here: what is written is what is read.
    assert found.problems[:1] == ("records.jsonl is missing: no cell of this run was recorded.",)
    labels = dict(machine_of(found.machine))
    assert labels["Python"].startswith(platform.python_version())
    assert labels["torch"] == found.machine.environment.builds["torch"].version


def test_a_finished_run_has_closed_its_worker_and_left_a_report(opened):
    run = opened()
    run.begin([])
    run.session.measure(run.selection.cells[0], "latency")
    report = finish_run(run, store=str(run.folder.path.parents[1] / "history.db")).report
    assert run.session.worker.is_closed
    assert report.finished_at
    assert "mlp" in (run.folder.path / "report.html").read_text()


def test_resume_takes_the_newest_run_and_what_passed_in_it(opened):
    run = opened()
    run.begin([])
    run.session.measure(run.selection.cells[0], "latency")
    again = opened(resume="")
    assert again.folder.path == run.folder.path
    assert list(again.session.records) == [f"{run.selection.cells[0].id}/latency"]


def test_resume_with_other_options_is_refused_and_names_them(opened):
    opened().begin([])
    with pytest.raises(RunError, match="made with seed = 0, this one has 3"):
        opened(resume="", seed=3)


def test_resume_without_a_run_says_so(opened):
    with pytest.raises(RunError, match="--resume"):
        opened(resume="nowhere")


@pytest.mark.heavy
def test_the_launcher_stays_single_threaded_with_all_that_the_catalogue_needs(tmp_path):
    selection = resolve(Asked(backend="eager,onnxruntime,compiled"), num_gpus=0, num_cores=1)
    launcher = Launcher(preload=preload_for(selection, STEPS), log=tmp_path / "log")
    try:
        ready = launcher.wait_until_ready()
    finally:
        launcher.close()
    assert ready["failed"] == {}, (tmp_path / "log").read_text()
    assert ready["num_threads"] == 1


def test_a_run_folder_says_what_the_doctor_warns_of_and_not_who_ran_it():
    found = replace(gather(quick=True), variables={"HF_HOME": f"{Path.home()}/models"})
    told = described(found)
    assert told["variables"] == {"HF_HOME": "~/models"}
    assert isinstance(told["findings"], list)
    assert told["fingerprint"] == found.fingerprint()
