"""What the report derives from the records of a run."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from life_runs import LIVES, benched_records, write_suite_run
from recorded import altered_record, record_with
from report_runs import BAD, MODELS, write_run

from bench.report.document import to_document, to_json
from bench.summary.build import build_report
from bench.summary.headline import headline
from bench.summary.model import Report
from bench.summary.numbers import OTHER_PROCESS
from diagnostics.finding import Finding, Fix, Level
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Artifact, Failure, Measurement, MeasurementFacts, Record
from suite.runs.load import Run, load_run

EAGER = Cell(model="net", size="tiny")
ORT = Cell(model="net", size="tiny", backend="onnxruntime")


def record(
    cell: Cell,
    step: str,
    *measurements: Measurement,
    facts: dict[str, object] | None = None,
    **extra: object,
) -> Record:
    fields = {"run_id": "r", "outcome": Outcome.PASSED, **extra}
    found = Record(cell=cell, step=step, measurements=measurements, **fields)
    return record_with(found, facts or {})


def latency(cell: Cell, samples: list[float], **extra: object) -> Record:
    measured = Measurement(metric="latency", unit="s", samples=tuple(samples))
    return record(cell, "latency", measured, **extra)


def report_of(*records: Record, **info: object) -> Report:
    return build_report(Run(folder=Path("made-up"), records=records, info=info))


def around(middle: float, width: float = 0.01, count: int = 31) -> list[float]:
    return [middle * (1 + width * (2 * i / (count - 1) - 1)) for i in range(count)]


def test_backends_of_one_place_share_a_row() -> None:
    report = report_of(latency(EAGER, around(0.2)), latency(ORT, around(0.1)))
    (row,) = report.rows
    assert row.id == "net-tiny-cpu-float32-b1"
    assert [lane.backend for lane in row.lanes] == ["eager", "onnxruntime"]
    assert [lane.cell for lane in row.lanes] == [EAGER.id, ORT.id]


def test_another_batch_device_dtype_or_size_is_another_row() -> None:
    cells = [
        EAGER,
        replace(EAGER, batch=8),
        replace(EAGER, device="cuda"),
        replace(EAGER, dtype="float16"),
        replace(EAGER, size="base"),
    ]
    assert len(report_of(*(latency(cell, [1.0]) for cell in cells)).rows) == len(cells)


def test_the_speedup_takes_the_worst_case_of_both_intervals() -> None:
    eager, ort = latency(EAGER, around(0.2, 0.05)), latency(ORT, around(0.1, 0.02))
    (row,) = report_of(eager, ort).rows
    (speedup,) = row.speedups
    slow, fast = row.lanes[0].timing, row.lanes[1].timing
    assert speedup.ratio == pytest.approx(2.0)
    assert speedup.low == slow.low / fast.high / OTHER_PROCESS
    assert speedup.high == slow.high / fast.low * OTHER_PROCESS
    assert speedup.low < 2.0 < speedup.high
    assert (speedup.verdict, row.fastest) == ("faster", "onnxruntime")


@pytest.mark.parametrize(
    ("ratio", "verdict", "fastest"),
    [
        (1.0, "few", ""),
        (1.02, "few", ""),
        (0.98, "few", ""),
        (1.5, "faster", "onnxruntime"),
        (0.5, "slower", "eager"),
    ],
)
def test_a_difference_that_a_second_process_could_make_is_no_verdict(
    ratio: float, verdict: str, fastest: str
) -> None:
    report = report_of(latency(EAGER, around(ratio, 0.001)), latency(ORT, around(1.0, 0.001)))
    assert report.rows[0].speedups[0].verdict == verdict
    assert report.rows[0].fastest == fastest
    assert OTHER_PROCESS > 1.02


def test_too_few_samples_give_a_median_without_interval_and_no_verdict() -> None:
    (row,) = report_of(latency(EAGER, [0.2, 0.3]), latency(ORT, [0.1, 0.1])).rows
    timing = row.lanes[0].timing
    assert (timing.p50, timing.low, timing.p90) == (0.25, None, None)
    assert (row.speedups[0].low, row.speedups[0].verdict) == (None, "few")


def test_throughput_counts_tokens_where_there_are_tokens() -> None:
    words = latency(EAGER, [0.5] * 6, facts={"num_samples": 2, "num_tokens": 64})
    images = latency(replace(EAGER, model="other"), [0.5] * 6, facts={"num_samples": 2})
    rows = report_of(words, images).rows
    assert [(r.lanes[0].timing.throughput, r.lanes[0].timing.throughput_unit) for r in rows] == [
        (128.0, "tokens"),
        (4.0, "samples"),
    ]


def test_numbers_of_a_step_that_failed_are_not_shown() -> None:
    failed = latency(EAGER, around(0.1), outcome=Outcome.FAILED)
    (row,) = report_of(failed).rows
    assert row.lanes[0].timing is None


def test_a_latency_that_is_not_finite_is_not_shown() -> None:
    (row,) = report_of(latency(EAGER, [math.nan] * 6)).rows
    assert row.lanes[0].timing is None


def test_size_and_graph_are_shared_by_every_place_of_a_model() -> None:
    size = record(EAGER, "size", Measurement(metric="parameters", unit="1", samples=(101_770.0,)))
    export = record(
        ORT,
        "export",
        artifacts=(Artifact(kind="onnx", path="onnx/net-tiny.onnx", num_bytes=4321),),
        facts={
            "onnx": {"opset": 20, "num_nodes": 3, "operators": {"Relu": 1, "Gemm": 2}},
            "parity": {"verdict": "passed", "shapes": [{"axis": "batch", "extent": 2}]},
        },
    )
    gpu = replace(EAGER, device="cuda", dtype="float16")
    report = report_of(size, export, latency(EAGER, [1.0]), latency(gpu, [1.0]))
    assert [row.device for row in report.rows] == ["cpu", "cuda"]
    for row in report.rows:
        assert row.parameters == 101_770
        assert row.graph.num_bytes == 4321
        assert list(row.graph.operators) == ["Gemm", "Relu"]
        assert row.parity.verdict == "passed"
    assert {step.step for step in report.rows[1].shared} == {"size", "export"}


def test_a_graph_exported_on_the_cpu_makes_no_row_of_its_own_in_a_run_on_the_gpu() -> None:
    gpu = replace(ORT, device="cuda")
    report = report_of(record(ORT, "export"), latency(gpu, [1.0]))
    assert [row.device for row in report.rows] == ["cuda"]


def test_the_graph_of_an_export_whose_parity_failed_is_still_told() -> None:
    export = record(
        ORT,
        "export",
        outcome=Outcome.FAILED,
        failure=Failure(kind="parity vacuous", message="outputs do not vary"),
        facts={"parity": {"verdict": "vacuous", "reason": "outputs do not vary"}},
    )
    (row,) = report_of(export).rows
    assert (row.parity.verdict, row.parity.reason) == ("vacuous", "outputs do not vary")


def test_memory_keeps_its_two_measures_apart_and_derives_the_leak() -> None:
    memory = record(
        EAGER,
        "memory",
        Measurement(metric="peak_rss_delta", unit="B", samples=(3e6,)),
        Measurement(metric="peak_tensor_bytes", unit="B", samples=(2e6,)),
        Measurement(metric="live_bytes", unit="B", samples=(1.0, 11.0, 21.0)),
    )
    lane = report_of(memory).rows[0].lanes[0]
    assert lane.quantity("peak_rss_delta") == 3e6
    assert lane.quantity("peak_tensor_bytes") == 2e6
    assert lane.quantity("leak") == 10.0
    assert lane.quantity("live_bytes") is None


def test_cold_phases_keep_their_order_and_take_the_median_of_the_workers() -> None:
    cold = record(
        EAGER,
        "coldstart",
        Measurement(metric="import", unit="s", samples=(2.0,)),
        Measurement(metric="build", unit="s", samples=(1.0, 9.0, 3.0)),
    )
    lane = report_of(cold).rows[0].lanes[0]
    assert [(q.metric, q.value, q.num_samples) for q in lane.coldstart] == [
        ("import", 2.0, 1),
        ("build", 3.0, 3),
    ]


def test_what_did_not_pass_is_listed_worst_first_with_its_reason() -> None:
    gap = Failure(kind="gap", message="cannot work", url="https://example.org/1")
    crash = Failure(kind="SIGSEGV", message="died", log_tail="...", log="logs/x.log")
    report = report_of(
        record(ORT, "memory", outcome=Outcome.UNSUPPORTED, failure=gap),
        record(ORT, "latency", outcome=Outcome.CRASHED, failure=crash),
        record(EAGER, "latency"),
    )
    assert [(s.outcome, s.reason, s.url, s.log) for s in report.unfinished] == [
        ("crashed", "died", "", "logs/x.log"),
        ("unsupported", "cannot work", "https://example.org/1", ""),
    ]


def test_a_failure_without_a_word_still_has_a_reason() -> None:
    (step,) = report_of(record(EAGER, "latency", outcome=Outcome.TIMED_OUT)).unfinished
    assert "deadline" in step.reason


def test_planned_steps_without_a_record_are_not_reached() -> None:
    planned = [
        {"cell": EAGER.as_dict(), "step": "latency"},
        {"cell": ORT.as_dict(), "step": "latency"},
        {"cell": ORT.id, "step": "memory"},
        {"cell": {"nonsense": 1}, "step": "memory"},
        "nonsense",
    ]
    report = report_of(latency(EAGER, [1.0]), planned=planned, finished_at=None)
    reached = {(s.cell, s.step, s.outcome, s.model) for s in report.unfinished}
    assert (ORT.id, "latency", "not_reached", "net") in reached
    assert (ORT.id, "memory", "not_reached", "net") in reached
    assert (EAGER.id, "latency", "not_reached", "net") not in reached
    assert report.totals.outcomes["not_reached"] == len(reached)


def test_an_unfinished_run_says_how_to_go_on() -> None:
    report = report_of(
        planned=[{"cell": ORT.id, "step": "memory"}], started_at="x", finished_at=None
    )
    assert any("--resume made-up" in p and "1 planned step" in p for p in report.problems)


def test_the_diagnosis_of_a_failure_comes_with_its_fix() -> None:
    finding = Finding(
        code="tv-x",
        area="versions",
        level=Level.ERROR,
        summary="torch and torchvision do not fit",
        fixes=(Fix(argv=("pip", "install", "torchvision"), why="a pair that fits"),),
    ).as_dict()
    broken = altered_record(
        record(EAGER, "latency", outcome=Outcome.FAILED), {"diagnosis": [finding, "nonsense"]}
    )
    (step,) = report_of(broken).unfinished
    assert step.diagnosis[0].fixes == ("pip install torchvision",)


def test_doubts_of_the_measurement_reach_the_lane() -> None:
    noisy = Measurement(
        metric="latency",
        unit="s",
        samples=tuple(1.0 + (i % 2) for i in range(30)),
        facts=MeasurementFacts(num_rounds=30),
    )
    lane = report_of(record(EAGER, "latency", noisy)).rows[0].lanes[0]
    doubt = next(doubt for doubt in lane.doubts if doubt.code == "wide_interval")
    assert (doubt.metric, doubt.questions) == ("latency", "p50")
    assert doubt.advice


def test_the_headline_counts_who_is_faster() -> None:
    other = [replace(cell, model="other") for cell in (EAGER, ORT)]
    report = report_of(
        latency(EAGER, around(0.3)),
        latency(ORT, around(0.1)),
        latency(other[0], around(0.1)),
        latency(other[1], around(0.3)),
    )
    text = headline(report)
    assert text.startswith("2 models measured.")
    assert "ONNX Runtime is faster on 1, eager on 1" in text
    assert report.totals.mean_speedup["onnxruntime"].value == pytest.approx(1.0)


def test_the_headline_of_nothing_says_so() -> None:
    assert headline(report_of()) == "Nothing was recorded in this run."


def test_the_made_up_run_is_whole(tmp_path: Path) -> None:
    records = write_run(tmp_path / "20261123-180411-a3f9")
    report = build_report(load_run(tmp_path / "20261123-180411-a3f9"))
    assert len(report.rows) == len(MODELS)
    assert sum(report.totals.outcomes.values()) == len(records)
    assert set(report.totals.outcomes) == {outcome.value for outcome in Outcome}
    assert {step.model for step in report.unfinished} == set(BAD)
    assert ("Processor", "AMD EPYC 9R14") in report.machine
    assert ("Cores", "2 of 96") in report.machine
    assert ("torch", "2.15.0+cu132") in report.machine
    assert [finding.code for finding in report.findings] == ["tv-quota"]
    assert report.seconds == 762.0
    assert dict(report.settings)["Data"] == "digits, prose"
    assert dict(report.settings)["Plan"] == "standard"
    assert "peak_tensor_bytes" in report.rows[0].lanes[1].absent


def test_the_document_is_strict_json_without_paths_of_this_machine(tmp_path: Path) -> None:
    write_run(tmp_path / "run", models=MODELS[:3])
    report = build_report(load_run(tmp_path / "run"))
    text = to_json(replace(report, environment={"nan": math.nan, "path": Path("x")}))
    data = json.loads(text, parse_constant=pytest.fail)
    assert data["environment"] == {"nan": None, "path": "x"}
    assert str(tmp_path) not in text
    assert len(data["rows"]) == 3


def test_every_field_of_the_document_is_documented(tmp_path: Path) -> None:
    records = write_run(tmp_path / "run", models=MODELS)
    records += write_suite_run(tmp_path / "suite") + benched_records(LIVES[1])
    document = to_document(build_report(Run(folder=tmp_path, records=tuple(records))))
    written = (Path(__file__).parents[2] / "docs" / "report-schema.md").read_text("utf-8")

    def names(value: object) -> set[str]:
        if isinstance(value, list):
            return set().union(*(names(item) for item in value))
        if not isinstance(value, dict):
            return set()
        inner = (
            names(item)
            for key, item in value.items()
            if key
            not in (
                *("environment", "options", "phases", "operators", "shapes", "absent"),
                *("metric", "totals"),
            )
        )
        return set(value).union(*inner)

    totals = document["totals"]
    assert all(f"`{name}`" in written for name in totals)
    missing = {name for name in names(document) if f"`{name}`" not in written}
    assert not missing


def test_showing_a_report_imports_no_heavy_library(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "one", models=MODELS[:2])
    code = (
        "import sys; from bench.__main__ import main;"
        f"main(['report', '--runs-dir', {str(tmp_path / 'runs')!r}]);"
        "heavy = {'torch', 'numpy', 'scipy', 'onnx', 'onnxruntime', 'transformers', 'torchvision'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_models_stand_in_the_order_of_the_plan_not_of_the_exports(tmp_path):
    names = ("zeta", "alpha", "mid")
    records = [
        Record(
            run_id="r",
            cell=Cell(model=name, size="tiny", backend="onnxruntime"),
            step="latency",
            outcome=Outcome.PASSED,
            measurements=(Measurement(metric="latency", unit="s", samples=(0.1,) * 9),),
        )
        for name in ("mid", "unplanned", "zeta", "alpha")
    ]
    planned = [
        {"cell": Cell(model=name, size="tiny", backend="onnxruntime").as_dict(), "step": "latency"}
        for name in names
    ]
    run = Run(folder=tmp_path, records=tuple(records), info={"planned": planned})
    assert [row.model for row in build_report(run).rows] == [*names, "unplanned"]


def test_a_run_that_was_not_to_measure_speaks_of_its_steps(tmp_path):
    cell = Cell(model="net", size="tiny")
    records = (
        Record(run_id="r", cell=cell, step="build", outcome=Outcome.PASSED),
        Record(
            run_id="r",
            cell=replace(cell, model="other"),
            step="build",
            outcome=Outcome.FAILED,
            failure=Failure(kind="BuildError", message="two parameters too many"),
        ),
    )
    report = build_report(Run(folder=tmp_path, records=records))
    assert headline(report) == "1 of 2 steps passed on 2 models."
