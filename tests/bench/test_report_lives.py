"""What the report derives from the records of a suite's run: lives, states, foundations, and rows of variants."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from life_runs import BAD, GAP_URL, LIVES, benched_records, life_records, write_suite_run
from life_stages import record_of
from recorded import altered_record, facts_of
from report_runs import latency_record

from bench.report.document import to_json
from bench.summary.build import build_report
from bench.summary.headline import average, headline
from bench.summary.lifecycle_records import Life
from bench.summary.model import Report
from bench.summary.numbers import OTHER_PROCESS
from suite.cell import Cell
from suite.foundations.cases import CASES
from suite.outcome import Outcome
from suite.record import Failure, Measurement, Record
from suite.runs.load import Run, load_run

ROWS = {row[0]: row for row in LIVES}


def report_of(*records: Record, **info: object) -> Report:
    return build_report(Run(folder=Path("made-up"), records=records, info=info))


def life_of(name: str, **changed: Any) -> Life:
    records = life_records(ROWS[name], bad=changed.pop("bad", {}))
    (life,) = report_of(*records).lives
    return life


def altered(records: list[Record], step: str, variant: str, **facts: Any) -> list[Record]:
    return [
        altered_record(r, {**facts_of(r), **facts})
        if (r.step, r.cell.variant) == (step, variant)
        else r
        for r in records
    ]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("runs") / "20261124-180411-a3f9"
    write_suite_run(folder)
    return build_report(load_run(folder))


def test_stages_make_lives_and_no_rows(report: Report) -> None:
    assert report.rows == ()
    assert [life.model for life in report.lives] == [row[0] for row in LIVES]
    assert report.totals.num_models == len(LIVES)


def test_every_stage_of_every_model_is_in_its_life(report: Report, tmp_path: Path) -> None:
    records = write_suite_run(tmp_path / "run")
    shown = {
        (s.step.cell, s.step.step, s.step.outcome) for life in report.lives for s in life.stages
    }
    shown |= {(c.step.cell, c.step.step, c.step.outcome) for c in report.foundations}
    assert shown == {(r.cell.id, r.step, r.outcome.value) for r in records}


def test_the_stages_stand_in_the_order_of_a_life() -> None:
    life = life_of("resnet18")
    names = [(s.step.step, s.step.variant) for s in life.stages]
    assert names[:3] == [("build", "original"), ("train", "trained"), ("finetune", "full")]
    assert names.index(("prune", "pruned")) < names.index(("quantize", "int8"))
    assert names[-1] == ("parallel", "fsdp")


def test_a_stage_has_its_claims_and_its_metric_before_and_after() -> None:
    life = life_of("cnn")
    train, prune = life.stage("train", "trained"), life.stage("prune", "pruned")
    assert train is not None
    assert prune is not None
    assert (train.before, train.after) == (10.2, 97.3)
    assert train.gain == pytest.approx(87.1)
    assert prune.gain == pytest.approx(-2.1)
    assert [claim.holds for claim in train.claims] == [True, True]


def test_a_claim_that_does_not_hold_leaves_the_numbers_of_its_stage() -> None:
    life = life_of("unet", bad=BAD)
    prune, pruned = life.stage("prune", "pruned"), life.state("pruned")
    assert prune is not None
    assert pruned is not None
    assert (prune.step.outcome, prune.num_broken) == ("failed", 1)
    assert pruned.drop == pytest.approx(13.2)
    assert pruned.outcome == "failed"
    assert pruned.ratio is not None


def test_what_is_better_when_lower_drops_when_it_rises() -> None:
    life = life_of("gpt2")
    assert life.quality is not None
    assert (life.quality.name, life.quality.direction) == ("perplexity", "lower")
    assert life.quality.change_unit == "%"
    pruned = life.state("pruned")
    assert pruned is not None
    assert pruned.metric > 44.1
    assert pruned.drop == pytest.approx(2.1)


def test_the_ratios_of_computing_and_of_waiting_are_two_numbers() -> None:
    pruned = life_of("mlp").state("pruned")
    assert pruned is not None
    assert pruned.macs_ratio == pytest.approx(3.2, rel=1e-3)
    assert pruned.ratio is not None
    assert pruned.ratio.value == pytest.approx(1.3, rel=0.05)
    assert pruned.ratio.is_paired
    assert pruned.ratio.low < pruned.ratio.value < pruned.ratio.high


def test_masks_are_a_control_arm_that_is_as_large_as_before() -> None:
    life = life_of("resnet18")
    masked, trained = life.state("masked"), life.state("trained")
    assert masked is not None
    assert trained is not None
    assert masked.macs_ratio == 1.0
    assert masked.parameters == trained.parameters
    assert masked.ratio.value == pytest.approx(1.0, abs=0.03)


def test_a_state_on_another_runtime_is_held_against_eager_across_processes() -> None:
    life = life_of("resnet18")
    int8 = life.state("int8")
    (graph,) = [s for s in life.states if (s.name, s.backend) == ("trained", "onnxruntime")]
    assert int8.ratio.value == pytest.approx(6.0, rel=0.05)
    assert not int8.ratio.is_paired
    assert graph.ratio.value == pytest.approx(1.62, rel=0.05)


def test_an_eager_arm_beside_the_quantized_one_pairs_the_ratio() -> None:
    records = life_records(ROWS["cnn"], bad={})
    latency = {"eager": [8.0] * 9, "float": [4.0] * 9, "quantized": [2.0] * 9}
    (life,) = report_of(*altered(records, "quantize", "int8", latency=latency)).lives
    int8 = life.state("int8")
    assert (int8.ratio.value, int8.ratio.is_paired) == (4.0, True)
    assert int8.is_other_batch


def test_a_stage_that_had_no_core_tells_no_ratio() -> None:
    records = life_records(ROWS["cnn"], bad={})
    latency = {"eager": [8.0] * 9, "float": [4.0] * 9, "quantized": [2.0] * 9}
    found = altered(records, "quantize", "int8", latency=latency, is_starved=True)
    (life,) = report_of(*found).lives
    assert not life.state("int8").ratio.is_known
    assert not life.state("int8").like_for_like.is_known


def test_what_was_pruned_first_has_the_product_of_both_ratios_where_each_was_paired() -> None:
    records = life_records(ROWS["cnn"], bad={})
    latency = {"eager": [8.0] * 9, "float": [4.0] * 9, "quantized": [2.0] * 9}
    (life,) = report_of(*altered(records, "quantize", "pruned_int8", latency=latency)).lives
    both, pruned = life.state("pruned_int8"), life.state("pruned")
    assert both.ratio.value == pytest.approx(4 * pruned.ratio.value)
    assert both.ratio.low == pytest.approx(4 / 1.02 * pruned.ratio.low)
    assert not both.ratio.is_paired


def test_a_latency_on_another_batch_is_marked_and_its_ratio_holds() -> None:
    pt2e = life_of("resnet18").state("pt2e")
    assert pt2e.is_other_batch
    assert pt2e.ratio.value == pytest.approx(2.9, rel=0.05)
    assert pt2e.ratio.is_paired


def test_no_state_on_the_front_is_beaten_by_another() -> None:
    life = life_of("resnet18")
    judged = [s for s in life.states if s.ratio and s.drop is not None]
    for state in judged:
        beaten = any(
            other.ratio.value >= state.ratio.value
            and other.drop <= state.drop
            and (other.ratio.value, other.drop) != (state.ratio.value, state.drop)
            for other in judged
        )
        assert state.is_best is not beaten
    assert any(state.is_best for state in judged)


def test_sizes_follow_the_state_from_which_it_was_made() -> None:
    life = life_of("resnet18")
    trained, pruned = life.state("trained"), life.state("pruned")
    int8, both = life.state("int8"), life.state("pruned_int8")
    assert int8.parameters == trained.parameters == 703_512
    assert both.parameters == pruned.parameters == 703_512 // 3
    assert both.num_bytes < int8.num_bytes < trained.num_bytes
    assert both.macs_ratio == pruned.macs_ratio == pytest.approx(3.2, rel=1e-3)
    assert int8.graph.num_nodes == 135
    assert trained.graph.path.endswith("resnet18-tiny-trained.onnx")


def test_the_training_has_its_curve_its_health_and_its_events() -> None:
    training = life_of("rnn").training
    assert training is not None
    assert training.curve.num_steps == 200
    assert [step for step, _ in training.validation] == [50, 100, 150, 200]
    assert [(sign.code, bool(sign.cure)) for sign in training.findings] == [("overfitting", True)]
    assert life_of("unet").training.events == ("out of memory: micro-batch 32 -> 16",)
    assert training.memory[0].metric == "train_peak_rss"


def test_a_long_curve_is_told_by_the_means_of_stretches() -> None:
    records = life_records(ROWS["mlp"], bad={})
    curve = [float(i) for i in range(5000)]
    (life,) = report_of(*altered(records, "train", "trained", curve=curve)).lives
    found = life.training.curve
    assert (len(found.losses), found.num_steps) == (240, 5000)
    assert sum(found.losses) / 240 == pytest.approx(2499.5, rel=0.01)
    assert found.steps[0] < found.steps[-1] <= 5000


def test_every_strategy_tells_gain_and_what_was_forgotten() -> None:
    tunings = {tuning.strategy: tuning for tuning in life_of("bert_classifier").tunings}
    assert list(tunings) == ["full", "partial", "layerwise", "lora"]
    assert tunings["full"].gain == pytest.approx(8.0)
    assert tunings["partial"].trainable == 170
    assert tunings["full"].forgotten == pytest.approx(10.0)


def test_what_was_quantized_is_counted_by_operator() -> None:
    first = life_of("cnn").quantized[0]
    assert (first.variant, first.num_quantized, first.num_float) == ("int8", 21, 2)
    assert list(first.operators) == ["Conv", "Gemm"]
    assert (first.method, first.types) == ("static", "u8s8")


def test_parallel_trainings_tell_their_efficiency() -> None:
    ddp = life_of("gpt2").parallel[0]
    assert (ddp.strategy, ddp.processes, ddp.transport, ddp.efficiency) == ("ddp", 2, "gloo", 0.71)


def test_a_gap_has_its_reason_and_link_in_the_life_and_in_the_list(report: Report) -> None:
    (life,) = [life for life in report.lives if life.model == "gru"]
    gap = life.stage("quantize", "int8").step
    assert (gap.outcome, gap.kind, gap.url) == ("unsupported", "gap", GAP_URL)
    assert gap.reason in {step.reason for step in report.unfinished}
    follower = life.stage("export", "int8").step
    assert (follower.outcome, follower.kind) == ("unsupported", "state")


def test_known_answers_are_told_by_case_device_and_dtype(report: Report) -> None:
    asked = sum(
        c.is_asked(dtype=d) for c in CASES.values() for d in ("float32", "bfloat16", "float16")
    )
    assert len(report.foundations) == asked
    first = report.foundations[0]
    assert (first.case, first.device, first.dtype) == ("creation", "cpu", "float32")
    assert first.num_answers == 2
    assert 0 < first.largest_error < 1
    gaps = [case for case in report.foundations if case.step.outcome == "unsupported"]
    assert gaps
    assert all(case.step.reason and case.step.url and case.meaning for case in gaps)


def test_what_was_planned_and_not_reached_is_part_of_the_life(tmp_path: Path) -> None:
    write_suite_run(tmp_path / "run", finished=False)
    report = build_report(load_run(tmp_path / "run"))
    assert [life.model for life in report.lives] == [row[0] for row in LIVES]
    last = report.lives[-1]
    assert {stage.step.outcome for stage in last.stages} == {"not_reached"}
    assert (last.states, last.training) == ((), None)
    assert last.quality is None or last.quality.name == "accuracy"
    assert any("`pytest suite --resume run`" in problem for problem in report.problems)
    assert report.totals.num_planned == 0


def test_the_task_of_a_users_own_model_comes_with_its_records() -> None:
    records = [
        replace(r, cell=replace(r.cell, model="mine")) for r in life_records(ROWS["gpt2"], bad={})
    ]
    (life,) = report_of(*records).lives
    assert life.quality.name == "perplexity"
    bare = [replace(r, task="") for r in records]
    (unknown,) = report_of(*bare).lives
    assert unknown.quality is None
    assert unknown.state("pruned").metric is not None
    assert unknown.state("pruned").drop is None


def test_an_older_record_without_a_task_is_of_the_catalogue() -> None:
    records = life_records(ROWS["unet"], bad={})
    bare = [replace(r, task="") for r in records]
    (life,) = report_of(*bare).lives
    assert life.quality.name == "mIoU"


NONSENSE = (None, "text", 3, math.nan, [], {}, [None], {"a": [1]}, [{"holds": 1}], True)


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_facts_of_another_shape_never_stop_the_report(value: object) -> None:
    records = [
        altered_record(record, dict.fromkeys(facts_of(record), value))
        for record in life_records(ROWS["resnet18"], bad={})
    ]
    to_json(report_of(*records))
    for name in ("metric", "latency", "bytes", "before", "after", "curve", "validation", "claims"):
        for record in life_records(ROWS["resnet18"], bad={}):
            if name in facts_of(record):
                report_of(
                    *life_records(ROWS["resnet18"], bad={}),
                    altered_record(record, {**facts_of(record), name: value}),
                )


def test_losses_that_are_no_numbers_stay_in_the_curve_and_leave_the_document_strict() -> None:
    records = altered(
        life_records(ROWS["mlp"], bad={}), "train", "trained", curve=[2.0, math.nan, math.inf, 1.0]
    )
    report = report_of(*records)
    assert math.isnan(report.lives[0].training.curve.losses[1])
    data = json.loads(to_json(report), parse_constant=pytest.fail)
    assert data["lives"][0]["training"]["curve"]["losses"] == [2.0, None, None, 1.0]


def test_a_variant_that_was_benchmarked_is_a_row_of_its_own() -> None:
    report = report_of(*benched_records(ROWS["cnn"]))
    assert [(row.id, row.variant) for row in report.rows] == [
        ("cnn-tiny-cpu-float32-b1", "original"),
        ("cnn-tiny-cpu-float32-b1-pruned", "pruned"),
        ("cnn-tiny-cpu-float32-b1-int8", "int8"),
    ]
    original, pruned, int8 = report.rows
    assert [lane.backend for lane in original.lanes] == ["eager", "onnxruntime"]
    assert [lane.backend for lane in int8.lanes] == ["onnxruntime"]
    assert pruned.graph.path.endswith("cnn-tiny-pruned.onnx")
    assert all(
        step.step != "prune" for row in report.rows for lane in row.lanes for step in lane.steps
    )


def test_what_the_benchmark_measured_goes_before_the_glance_of_a_stage() -> None:
    report = report_of(*benched_records(ROWS["cnn"]))
    (life,) = report.lives
    int8, row = life.state("int8"), report.rows[2]
    assert int8.latency.p50 == row.lanes[0].timing.p50
    original = report.rows[0].lane("eager").timing
    assert int8.ratio.value == pytest.approx(original.p50 / int8.latency.p50)
    assert int8.ratio.low == pytest.approx(original.low / int8.latency.high / OTHER_PROCESS)
    assert not int8.ratio.is_paired


def test_a_state_that_was_exported_and_not_measured_is_no_row() -> None:
    cell = Cell(model="net", size="tiny", backend="onnxruntime")
    rows = report_of(
        record_of(replace(cell, variant="trained"), "export", {}),
        latency_record(cell, 0.1, 0, random.Random(0)),
    ).rows
    assert [row.id for row in rows] == ["net-tiny-cpu-float32-b1"]


def test_what_training_and_loading_cost_is_part_of_the_row() -> None:
    learning = report_of(*benched_records(ROWS["cnn"])).rows[0].learning
    assert learning.step.p50 == pytest.approx(3 * 410e-6, rel=0.05)
    assert learning.step.throughput == pytest.approx(2 / learning.step.p50)
    assert learning.step.low < learning.step.p50 < learning.step.high
    assert [loading.num_workers for loading in learning.loading] == [0, 1, 2]
    assert learning.loading[1].rate == pytest.approx(1900, rel=0.05)
    assert learning.memory[0].metric == "train_peak_rss"


def test_the_headline_of_a_suite_speaks_of_steps_and_known_answers(report: Report) -> None:
    assert headline(report) == (
        "157 of 181 steps passed on 14 models. 123 of 126 known answers came out."
    )
    assert "int8 3.5" in average(report)
    assert report.totals.mean_state_speedup["pruned"].num == 13


def test_claims_are_counted(report: Report) -> None:
    assert report.totals.num_broken == 1
    assert report.totals.num_claims > 300


def test_a_foreign_variant_and_stage_are_shown_as_they_are() -> None:
    cell = Cell(model="net", size="tiny", variant="distilled")
    report = report_of(
        record_of(cell, "quantize", {"metric": {"parent": 1.0, "quantized": 2.0}}),
        replace(
            record_of(cell, "export", {}),
            outcome=Outcome.FAILED,
            failure=Failure(kind="X", message="why"),
        ),
    )
    (life,) = report.lives
    assert [s.step.variant for s in life.stages] == ["distilled", "distilled"]
    assert life.state("distilled").metric == 2.0


def test_another_device_dtype_or_batch_is_another_life() -> None:
    cell = Cell(model="net", size="tiny", variant="trained")
    cells = [
        cell,
        replace(cell, device="cuda"),
        replace(cell, dtype="bfloat16"),
        replace(cell, batch=8),
        replace(cell, size="base"),
    ]
    step = Measurement(metric="train_step", unit="s", samples=(0.1,))
    report = report_of(*(record_of(c, "train", {}, measurements=(step,)) for c in cells))
    assert len({life.id for life in report.lives}) == len(cells)
