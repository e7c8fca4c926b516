"""The ledger of unchanged rows, and the tables of counted processes, on made-up counts."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from bench.gate.verdict import Verdict

SPEED = Path(__file__).parents[1] / "speed"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(SPEED))
    yield
    for name in ("gate_ledger", "witness_tables"):
        sys.modules.pop(name, None)


def process(whole, **trials):
    """What one process counts; `trials` is kind -> per cent that its work really takes, asked for 2."""
    found = [
        {
            "kind": kind,
            "percent": 2.0,
            "place": "head",
            "alone": share,
            "count": whole * (1 + share / 100),
        }
        for kind, share in trials.items()
    ]
    return {"counts": [whole] * 5, "load": 1.0, "trials": found}


def test_the_ledger_that_is_kept_says_of_every_sitting_what_was_measured_where():
    ledger = importlib.import_module("gate_ledger")
    names = {verdict.value for verdict in Verdict}
    for text in ledger.LEDGER.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        assert line["date"]
        assert line["commit"]
        assert line["machine"]
        assert line["load"]
        assert line["witness"] in (ledger.TIME, ledger.INSTRUCTIONS)
        assert set(line["rows"]) <= names


def test_the_ledger_adds_up_sittings_and_leaves_one_without_rows_out(tmp_path):
    ledger = importlib.import_module("gate_ledger")
    file = tmp_path / "ledger.jsonl"
    for rows, witness in (({"NO-REGRESSION": 299}, "time"), ({"REGRESSED": 1}, "instructions")):
        ledger.add(ledger.sitting(rows, witness=witness, load="idle", what="a test"), file)
    ledger.add(ledger.sitting({}, witness="time", load="idle", what="nothing"), file)
    _, _, time, instructions, both = ledger.summary(file).splitlines()
    assert time.startswith("| time | 1 | 299 | 0 | 1.00% |")
    assert instructions.startswith("| instructions | 1 | 1 | 1 | 100.00% |")
    assert both.startswith("| both | 2 | 300 | 1 | 1.57% |")


def test_an_unchanged_row_uses_each_process_once():
    tables = importlib.import_module("witness_tables")
    rows = tables.independent_rows([process(1e6 + n) for n in range(11)])
    assert rows == [Verdict.NO_REGRESSION] * 2


def test_work_of_another_size_than_was_asked_for_is_told_apart_and_not_judged():
    tables = importlib.import_module("witness_tables")
    processes = [process(1e6, loop=2.0, numpy=3.0) for _ in range(4)]
    pairs, confirmed, always, missed = tables.recalled(processes, 2.0)
    assert missed == 4
    assert pairs == [Verdict.REGRESSED] * 6
    assert confirmed == [Verdict.REGRESSED]
    assert always == [True] * 4
