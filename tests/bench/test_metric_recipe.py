"""The recipe of docs/contributing.md for a metric, followed in a copy of the tree: a row, a line in an instrument."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = """
        Metric(
            name="toy_pages",
            title="toy pages",
            unit="B",
            instrument="memory",
            threshold=0.10,
            meaning="Bytes of a metric that nobody needs.",
        ),
        Metric(
            name="live_bytes","""
MEASURED = """
    found.append(_measured("toy_pages", [512], MeasurementFacts()))
    return found, absent
"""
PROBE = """
import json, sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
sys.path[:0] = ["", sys.argv[1]]
from report_runs import MODELS, write_run
from bench.docs_page import with_tables
from bench.gate.exact import compare_values, metric_values
from bench.gate.thresholds import Limits, parse_thresholds
from bench.history.query import query_trends
from bench.instruments import memory
from bench.plan import PLANS
from bench.run_outputs import write_outputs
from suite.backends.runnable import Runnable
from suite.cell import Cell

out = Path(sys.argv[2])
subject = Runnable(call=lambda: None, outputs=list, synchronize=lambda: None)
rows, _ = memory.measure(subject, PLANS["quick"], lambda kind, **data: None)
(toy,) = (m for m in rows if m.metric == "toy_pages")
folder = out / "20261124-000000-toy"
records = write_run(folder, models=MODELS[:1])
records = [
    replace(r, measurements=(*r.measurements, toy)) if r.step == "memory" else r for r in records
]
lines = [json.dumps(record.as_dict()) + "\\n" for record in records]
(folder / "records.jsonl").write_text("".join(lines))
store = str(out / "history.db")
write_outputs(folder, store)
before = metric_values(r for r in records if r.step == "memory")
after = {**before, "toy_pages": ("B", 2 * before["toy_pages"][1])}
exact = {e.metric: e.verdict.value for e in compare_values(before, after, Limits())}
own = parse_thresholds({"toy_pages": "150%"}, "pyproject").for_cell(Cell(model="mlp", size="tiny"))
allowed = {e.metric: e.verdict.value for e in compare_values(before, after, own)}
trends = query_trends(store, metrics=["toy_pages"]).trends
print(json.dumps({
    "report": (folder / "report.html").read_text().count("toy pages"),
    "gate": exact["toy_pages"],
    "allowed": allowed["toy_pages"],
    "history": [trend.points[-1].value for trend in trends],
    "page": with_tables(Path("docs/metrics.md").read_text()),
}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the copy does with the new metric."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "bench", tree / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("suite", "diagnostics", "docs"):
        (tree / name).symlink_to(ROOT / name, target_is_directory=True)
    for file, old, new in (
        ("bench/metrics.py", '\n        Metric(\n            name="live_bytes",', ROW),
        ("bench/instruments/memory.py", "\n    return found, absent\n", MEASURED),
    ):
        text = (tree / file).read_text()
        assert text.count(old) == 1
        (tree / file).write_text(text.replace(old, new))
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(ROOT / "tests" / "bench"), str(tree)],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_new_metric_is_measured_and_shown_in_the_report(seen):
    assert seen["report"] >= 1


def test_a_new_metric_fails_the_gate_and_its_threshold_can_be_set(seen):
    assert (seen["gate"], seen["allowed"]) == ("REGRESSED", "NO-REGRESSION")


def test_a_new_metric_has_a_trend(seen):
    assert seen["history"]
    assert set(seen["history"]) == {512.0}


def test_a_new_metric_is_in_the_table_of_the_docs(seen):
    row = "| `toy_pages` | B | memory | lower | Bytes of a metric that nobody needs. |"
    assert row in seen["page"]
