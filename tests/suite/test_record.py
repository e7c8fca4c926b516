"""Records: what a run writes is read back as it was, and so are the files of earlier versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diagnostics.finding import Fix
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import SCHEMA, Record, record_from_dict
from suite.result_types import RESULTS
from suite.results.export import ExportResult
from suite.results.measuring import LatencyResult
from suite.results.prune import PruneResult
from suite.results.quantize import QuantizeResult
from suite.results.step_result import DataSet, UnknownResult
from suite.results.train import TrainResult

FILE = Path(__file__).parent / "files" / "records-schema-1.jsonl"
"""Written by the last version with schema 1: mlp, tiny, every stage and measurement; long lists cut to six."""

STORED = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
RENAMED = {"float": "float32", "data": "name"}


def record_of(step: str, kind: type) -> Any:
    found = [record_from_dict(data) for data in STORED if data["step"] == step]
    assert isinstance(found[0].result, kind)
    return found[0]


def leaves(data: Any, key: str = "") -> set[tuple[str, str]]:
    """(key, value) of everything that says something."""
    if isinstance(data, dict):
        return set().union(*(leaves(item, name) for name, item in data.items()))
    if isinstance(data, list):
        return set().union(*(leaves(item, key) for item in data))
    if data in (None, "", False):
        return set()
    return {(RENAMED.get(key, key), repr(float(data) if isinstance(data, int) else data))}


@pytest.mark.parametrize("data", STORED, ids=lambda data: f"{data['step']}-{data['outcome']}")
def test_a_record_of_schema_1_is_read_without_losing_a_value(data: dict[str, Any]) -> None:
    record = record_from_dict(data)
    assert record.unread == ()
    assert (record.schema, record.step) == (SCHEMA, data["step"])
    again = json.loads(json.dumps(record.as_dict()))
    assert leaves(data) - leaves(again) <= {("schema", "1.0")}
    assert record_from_dict(again) == record


def test_the_stored_records_have_every_step_of_a_model() -> None:
    assert {data["step"] for data in STORED} >= set(RESULTS) - {
        *("foundations", "parallel", "pairs", "generate", "fidelity", "compilation")
    }


def test_what_schema_1_said_has_its_place_in_the_result() -> None:
    train = record_of("train", TrainResult)
    assert (train.task, train.data.name) == ("image_classification", "digits")
    assert train.result.metric.trained > 90
    assert train.result.findings[0].code == "data-loader-bound"
    assert train.result.state.reused is False
    prune = record_of("prune", PruneResult).result
    assert prune.before.parameters > prune.after.parameters > 0
    assert prune.speedup["pruned"].low > 0
    quantize = record_of("quantize", QuantizeResult).result
    assert quantize.metric.float32 > 90
    assert quantize.report.count.quantized == {"Gemm": 2}
    export = record_of("export", ExportResult)
    assert export.result.parity.shapes[0].verdict == "passed"
    assert export.result.onnx.inputs[0].shape[0] == "batch"
    assert export.data == DataSet(
        name="digits", split="test", preprocessing=export.data.preprocessing
    )
    latency = record_of("latency", LatencyResult)
    assert latency.measurement("latency").facts.sentinel.num > 1
    assert latency.result.num_samples == 1


def test_the_operators_of_a_pt2e_program_lie_where_those_of_a_graph_do() -> None:
    (data,) = [d for d in STORED if d["cell"]["variant"] == "pt2e"]
    report = record_from_dict(data).result.report
    assert report.count.quantized == {"linear": 2}
    assert report.kernels.integer["linear"] == report.num_kernels == 1


def test_the_doctors_finding_comes_back_with_its_commands() -> None:
    (failed,) = [record_from_dict(data) for data in STORED if data["outcome"] == "failed"]
    assert failed.result is None
    assert failed.diagnosis[0].code
    assert isinstance(failed.diagnosis[0].fixes[0], Fix)


def test_a_field_that_does_not_fit_is_named_and_the_rest_is_read() -> None:
    data = json.loads(json.dumps(next(d for d in STORED if d["step"] == "train")))
    data["facts"]["curve"] = "falling"
    data["facts"]["claims"][0]["holds"] = "yes"
    record = record_from_dict(data)
    assert record.result.curve == ()
    assert record.result.metric.trained > 90
    assert len(record.result.claims) == 5
    assert record.unread == (
        "TrainResult.claims: [0]: Claim.holds: expected bool, got str",
        "TrainResult.curve: expected a list, got str",
    )


def test_the_result_of_a_step_that_is_not_known_is_kept_as_it_came() -> None:
    record = Record(
        run_id="r",
        cell=Cell(model="m", size="tiny"),
        step="distil",
        outcome=Outcome.PASSED,
        result=UnknownResult(data={"teacher": {"size": [1, 2]}}),
    )
    assert record_from_dict(json.loads(json.dumps(record.as_dict()))) == record


def test_a_newer_schema_and_a_damaged_record_are_refused_with_the_reason() -> None:
    data = {**STORED[0], "schema": SCHEMA + 1}
    with pytest.raises(ValueError, match="upgrade torch-vitals"):
        record_from_dict(data)
    with pytest.raises(ValueError, match="outcome"):
        record_from_dict({**STORED[0], "outcome": "fine"})
    with pytest.raises(ValueError, match="Measurement.samples"):
        record_from_dict({**STORED[0], "measurements": [{"metric": "x", "unit": "s"}]})
