"""One failed training: what starts from it is not run, is never counted as failed, and the run is red all the same."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.report.markdown import to_markdown
from bench.summary.build import build_report
from suite.engine.outcome_rules import settled
from suite.runs.load import load_run

ROOT = Path(__file__).parents[2]

PLUGIN = """
import pytest
from suite.outcome import Outcome
from suite.record import Failure
from suite.worker.client import Answer
from suite.worker.fake import FakeWorker

FAILED = Answer(outcome=Outcome.FAILED, failure=Failure(kind="claim", message="accuracy 11%, chance 10%"))

@pytest.hookimpl(tryfirst=True)
def pytest_vitals_run_options(config):
    return {"worker": lambda folder: FakeWorker(answer=lambda job: FAILED)}
"""


def suite(folder, *arguments):
    """`pytest suite` of the perceptron, whose training fails, on a worker that runs nothing."""
    (folder / "failing_training.py").write_text(PLUGIN)
    plain = ["-p", "no:cacheprovider", "-p", "failing_training", "--models", "mlp", "--out", folder]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "suite", *map(str, (*plain, *arguments))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
    )
    (run,) = (folder / "runs").iterdir()
    return done, load_run(run)


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    folder = tmp_path_factory.mktemp("life")
    done, run = suite(folder, "--stages", "train,finetune,prune", f"--junitxml={folder}/j.xml")
    return done, run, ElementTree.parse(folder / "j.xml").getroot()[0].attrib


def test_the_failure_is_counted_once_where_it_happened(life):
    _, run, _ = life
    ends = Counter((record.outcome.value, record.step) for record in run.records)
    assert ends == {
        ("failed", "train"): 1,
        ("not_run", "finetune"): 3,
        ("not_run", "prune"): 1,
        ("not_run", "export"): 2,
    }


def test_every_follower_gives_the_failed_training_as_its_reason(life):
    _, run, _ = life
    followers = [record for record in run.records if record.outcome.value == "not_run"]
    assert {record.failure.message for record in followers} == {
        "there is no trained state to start from: its train stage ended as 'failed': accuracy 11%, chance 10%"
    }


def test_pytest_the_exit_code_and_the_report_agree(life):
    done, run, junit = life
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 6 skipped" in done.stdout
    assert (junit["failures"], junit["errors"], junit["skipped"]) == ("1", "0", "6")
    report = build_report(run)
    assert report.totals.outcomes == {"failed": 1, "not_run": 6}
    assert re.search(r"1 failed +\S 6 not run", done.stdout)
    page = to_markdown(report)
    assert page.count("**failed**") == 1
    assert "**not run** 6 steps had nothing to start from" in page


def test_a_failure_that_no_test_asked_for_still_makes_the_session_red(tmp_path):
    done, _ = suite(tmp_path, "--stages", "prune")
    assert re.search(r"= 2 skipped, \d+ deselected", done.stdout)
    assert "failed: accuracy 11%, chance 10%" in done.stdout
    assert done.returncode == 1


def test_a_resumed_run_tries_followers_again(life):
    _, run, _ = life
    assert settled(run.records) == {}
