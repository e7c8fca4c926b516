"""The report tells what the newest gate over its commit said."""

import json
from dataclasses import replace

import pytest
from report_runs import ENVIRONMENT, write_machine, write_run

from bench.report.document import to_json
from bench.report.html import to_html
from bench.summary.build import build_report
from diagnostics.records import Repository
from suite.runs.load import load_run

COMMIT = "abcdef123456"


def finding(estimate):
    return {"estimate": estimate, "low": estimate - 0.01, "high": estimate + 0.01}


def row(cell, verdict=None, estimate=0.0, **more):
    return {"cell": cell, "verdict": verdict, "latency": finding(estimate), "exact": [], **more}


def write_gate(run, name, *rows, sha=COMMIT):
    folder = run.parent.parent / "gates" / name
    folder.mkdir(parents=True)
    side = {"label": "main (1a2b3c4 Faster <b>pooling</b>)", "sha": "1a2b3c4"}
    document = {
        "summary": "regressed",
        "base": side,
        "head": {"label": "working tree", "sha": sha},
        "started_at": "2026-11-24T10:00:00+00:00",
        "rows": list(rows),
    }
    (folder / "verdict.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "20261124-100000-r"
    write_run(folder)
    write_machine(folder, replace(ENVIRONMENT, git=Repository(commit=COMMIT)))
    return folder


def test_verdicts_stand_worst_first_and_a_fact_that_got_worse_is_a_regression(run):
    worse = [{"metric": "parameters", "verdict": "REGRESSED"}]
    write_gate(
        run, "20261124-1",
        row("a", "NO-REGRESSION"), row("b", "INCONCLUSIVE"), row("c", "REGRESSED", 0.1),
        row("d", "NO-REGRESSION", exact=worse), row("e", broken="no output"), row("f"),
        row("g", "NO-REGRESSION", parity={"verdict": "failed"}),
    )  # fmt: skip
    gate = build_report(load_run(run)).gate
    assert [r.cell for r in gate.rows] == ["e", "g", "c", "d", "b", "a", "f"]
    assert gate.counts == {
        "BROKEN": 2, "REGRESSED": 2, "INCONCLUSIVE": 1, "NO-REGRESSION": 1, "NOT TIMED": 1
    }  # fmt: skip
    report = build_report(load_run(run))
    text = to_html(report)
    assert 'id="verdicts"' in text
    assert ">+10%<" in text
    assert "Faster &lt;b&gt;" in text
    assert json.loads(to_json(report))["gate"]["counts"]["REGRESSED"] == 2


def test_the_newest_gate_over_the_runs_own_commit_counts(run):
    write_gate(run, "20261124-1", row("a"))
    write_gate(run, "20261124-2", row("b"))
    write_gate(run, "20261124-3", row("c"), sha="another")
    assert build_report(load_run(run)).gate.name == "20261124-2"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"head": 3}', '{"head": {"sha": "abcdef123456"}}']
)
def test_a_damaged_verdict_is_none(run, text):
    folder = write_gate(run, "20261124-1", row("a"))
    (folder / "verdict.json").write_text(text)
    assert build_report(load_run(run)).gate is None
    assert 'id="verdicts"' not in to_html(build_report(load_run(run)))
