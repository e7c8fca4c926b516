"""Parity holds whatever instruction set the libraries use: two models of the table of tests/suite/parity_table.py."""

from __future__ import annotations

import pytest
from parity_table import SETTINGS, run_setting

pytestmark = pytest.mark.heavy

MODELS = ["mlp", "bert_qa"]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    return str(tmp_path_factory.mktemp("graphs"))


@pytest.mark.parametrize(
    "setting", ["AVX2, 2 threads", "SSE4.1, 2 threads, ONNX Runtime unoptimized"]
)
def test_right_graphs_pass_under_an_older_instruction_set(graphs, setting):
    found = run_setting(setting, MODELS, "tiny", graphs)
    assert sorted(found) == sorted(MODELS)
    assert all(result["passed"] for result in found.values()), found


def test_the_settings_differ_in_switches_and_threads():
    switches = {
        (row["threads"], *sorted(row.get("environment", {}).items())) for row in SETTINGS.values()
    }
    assert len(switches) == len(SETTINGS)
