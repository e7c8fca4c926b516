"""How a finished run is split by kind of step, and how its expected rest is judged (tests/speed/run_split.py)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[1] / "speed" / "run_split.py"


@pytest.fixture(scope="module")
def split():
    spec = importlib.util.spec_from_file_location("run_split", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_exports_come_first_and_by_phase(split, tmp_path):
    records = [
        ("onnxruntime", "latency", 2.0, {}),
        ("onnxruntime", "export", 10.0, {"build": 1.0, "export": 5.0, "parity": 3.0}),
        ("eager", "training", 4.0, {}),
        ("eager", "training", 6.0, {}),
    ]
    file = tmp_path / "records.jsonl"
    lines = [
        json.dumps({"cell": {"backend": b}, "step": s, "seconds": t, "phases": p})
        for b, s, t, p in records
    ]
    file.write_text("\n".join(lines) + "\n")
    found = split.kinds_of(file)
    assert next(iter(found)) == "exports"
    assert found["exports"] == 10.0
    assert found["  tracing"] == 5.0
    assert found["  parity"] == 3.0
    assert found["  build, check, session, cache"] == pytest.approx(2.0)
    assert found["eager: training"] == 10.0
    assert found["onnxruntime: latency"] == 2.0


def test_a_kind_that_one_run_lacks_has_no_ratio(split):
    lines = split.split_table("abc", {"exports": 4.0}, {"exports": 2.0, "eager: pairs": 3.0})
    assert lines[1].split()[-1] == "0.50"
    assert lines[2].split()[-1] == "-"


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("[ 1/79] ✓ passed  bert  export  101 s  about 13 min left", 780.0),
        ("analysis 3 of 28  bert  2.1 s  about 45 s left", 45.0),
        ("[ 1/79] ✓ passed  bert  export  101 s", None),
    ],
)
def test_the_expected_rest_of_a_line(split, line, seconds):
    assert split.expected_rest(line) == seconds


def test_moments_before_the_first_tenth_do_not_count_and_the_last_are_judged_by_the_run(split):
    moments = [(5.0, 500.0), (20.0, 100.0), (50.0, 80.0), (99.0, 4.0)]
    assert split.rest_hits(moments, total=100.0) == (2, 3)
