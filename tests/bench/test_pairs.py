"""Ratios of cells that are measured in turns: the interval, the verdict, when a sitting ends, who sits in it."""

from __future__ import annotations

import io
import os
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from life_runs import LIVES, life_records
from rich.console import Console

from bench.instruments import sitting
from bench.instruments.options import SittingArm, SittingOptions
from bench.instruments.sitting import ArmFailed, sit
from bench.paired_ratio import is_decided, mean_ratio, paired_ratio
from bench.pairs import MAX_ARMS, pairs_record, references
from bench.report.lifecycle_table import slowest_verdict
from bench.report.markdown import to_markdown
from bench.report.terminal import render_terminal
from bench.stats import samples_needed
from bench.steps import steps_of
from bench.summary.advice import advise
from bench.summary.advice_text import speed_text
from bench.summary.build import build_report
from bench.summary.headline import average, headline
from suite.backends.runnable import Runnable
from suite.cell import Cell
from suite.engine.run_config import RunConfig
from suite.engine.session import Session
from suite.outcome import Outcome
from suite.record import Measurement, MeasurementFacts, Record, record_from_dict
from suite.results.measuring import PairedArm, PairsResult
from suite.runs.load import Run
from suite.runs.store import RunFolder
from suite.worker.client import Answer
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

EAGER = Cell(model="net", size="base")
ORT = replace(EAGER, backend="onnxruntime")


def arm(seconds, void=(), cell="net-base-eager-cpu-float32-b1", **rest):
    return PairedArm(cell=cell, seconds=tuple(seconds), void=tuple(void), **rest)


def noisy(middle, num, spread=0.03, seed=0):
    dice = random.Random(seed)
    return [middle * (1 + dice.gauss(0, spread)) for _ in range(num)]


# The interval and the verdict.


@pytest.mark.parametrize("seed", range(20))
def test_a_fivefold_difference_is_known_after_three_pairs(seed):
    slow, fast = arm(noisy(6.47, 3, 0.05, seed)), arm(noisy(1.33, 3, 0.05, seed + 100))
    assert paired_ratio(fast, slow).verdict == "slower"
    assert is_decided(fast, slow)


def test_two_pairs_have_no_ratio():
    assert paired_ratio(arm([5.0, 5.0]), arm([1.0, 1.0])) is None


def test_the_interval_is_never_narrower_than_two_processes_of_equal_code_differ():
    found = paired_ratio(arm([1.0] * 50), arm([1.0] * 50))
    assert (found.value, found.verdict) == (1.0, "same")
    assert found.low == pytest.approx(1 / 1.02)
    assert found.high == pytest.approx(1.02)


def test_from_six_pairs_on_the_interval_is_made_of_the_ratios_themselves():
    before = [1.0, 2.0, 3.0, 4.0, 5.0, 600.0]
    found = paired_ratio(arm(before), arm([1.0] * 6))
    assert samples_needed(0.5) == 6
    assert found.low <= 1.0
    assert found.high >= 600.0


def test_disturbed_pairs_are_left_out_and_counted():
    found = paired_ratio(arm([2.0] * 4 + [90.0], void=[4]), arm([1.0] * 5, void=[0]))
    assert (found.value, found.num_pairs, found.num_void) == (2.0, 3, 2)


def test_when_nearly_all_pairs_were_disturbed_all_count_and_none_decides():
    slow, fast = arm([2.0] * 6, void=range(5)), arm([1.0] * 6)
    assert paired_ratio(slow, fast).num_pairs == 6
    assert not is_decided(slow, fast)


def test_turns_without_a_core_never_count_however_few_are_left():
    slow = arm([270.0] * 6, void=range(6), starved=range(4))
    assert paired_ratio(slow, arm([1.0] * 6)) is None
    assert paired_ratio(arm([2.0] * 6, void=range(6)), arm([1.0] * 6)).value == 2.0


def test_equal_arms_are_seldom_called_different():
    """Two processes of equal code, one per cent apart as the gate's blocks are, forty times over."""
    wrong = 0
    for seed in range(200):
        dice = random.Random(seed)
        layout = 1 + dice.gauss(0, 0.01)
        base = arm(noisy(1.0, 12, 0.03, seed))
        head = arm([layout * s for s in noisy(1.0, 12, 0.03, seed + 1000)])
        wrong += paired_ratio(base, head).verdict in ("faster", "slower")
    assert wrong <= 12


def test_a_mean_of_ratios_has_an_interval_that_shrinks_with_their_number():
    one = mean_ratio([(2.0, 1.8, 2.2)])
    four = mean_ratio([(2.0, 1.8, 2.2)] * 4)
    assert one == pytest.approx((2.0, 1.8, 2.2))
    assert four[0] == pytest.approx(2.0)
    assert 1.8 < four[1] < 2.0 < four[2] < 2.2


# The sitting.


def seat(arms, seconds=60.0, precision=0.05, fails=(), tick=0.0):
    """`arms`: per arm a function of the turn's number; gives the result and the order of turns."""
    order, taken = [], [0] * len(arms)
    now = [0]

    def ask(number, word):
        if (number, word) in fails or (number, taken[number]) in fails:
            raise ArmFailed("RuntimeError: boom")
        if word != "turn":
            return {"iterations": 3, "ended_because": "flat"} if word == "warm" else {}
        order.append("ABCDEFGH"[number])
        taken[number] += 1
        seconds = arms[number](taken[number])
        now[0] += round((seconds + tick) * 1e9)
        return {"seconds": seconds, "sentinel": 3e-5, "reasons": []}

    cells = [EAGER, ORT, replace(EAGER, backend="compiled")]
    asked = [
        SittingArm(cell=cells[i], options=JobOptions(), over=(0,) if i else ())
        for i in range(len(arms))
    ]
    found = sit(
        ask, asked, lambda kind, /, **data: None, seconds=seconds, precision=precision,
        clock=lambda: now[0],
    )  # fmt: skip
    return found, "".join(order)


def test_turns_go_forwards_and_backwards_and_end_when_everything_is_decided():
    found, order = seat([lambda n: 1.0, lambda n: 0.2, lambda n: 3.0], seconds=1.0)
    assert order == "ABCCBAABC"
    assert found.stopped_because == "decided"
    assert [one.seconds for one in found.arms] == [(1.0,) * 3, (0.2,) * 3, (3.0,) * 3]
    assert found.arms[0].iterations == 3


def test_time_goes_to_the_open_comparison():
    dice = random.Random(1)
    _, order = seat(
        [lambda n: 0.01 * dice.gauss(1, 0.2), lambda n: 0.01 * dice.gauss(1, 0.2)], seconds=20.0
    )
    clear, short = seat([lambda n: 0.05, lambda n: 0.01], seconds=20.0)
    assert len(order) > 10 * len(short)
    assert clear.stopped_because == "decided"


def test_a_sitting_ends_at_its_cap_after_three_passes_at_least():
    dice = random.Random(2)
    found, order = seat([lambda n: dice.uniform(5, 9), lambda n: dice.uniform(5, 9)], seconds=1.0)
    assert order == "ABBAAB"
    assert found.stopped_because == "time_cap"


def test_an_arm_that_fails_is_named_and_the_others_go_on():
    found, _ = seat([lambda n: 1.0, lambda n: 0.2, lambda n: 3.0], seconds=1.0, fails={(1, 1)})
    assert found.lost == {ORT.id: "RuntimeError: boom"}
    assert [one.cell for one in found.arms] == [EAGER.id, EAGER.id.replace("eager", "compiled")]
    assert {len(one.seconds) for one in found.arms} == {3}


def test_without_its_reference_there_is_nothing_to_sit_for():
    found, order = seat([lambda n: 1.0, lambda n: 0.2], fails={(0, "ready")})
    assert order == ""
    assert list(found.lost) == [EAGER.id]


@pytest.fixture
def hold(monkeypatch):
    """`hold(fast, slow)`: a sitting of real processes whose calls are these functions."""

    def held(*calls):
        def load(job, emit):
            call = calls[("eager", "onnxruntime").index(job.cell.backend)]
            return Runnable(call=call, outputs=list, synchronize=lambda: None)

        monkeypatch.setattr(sitting, "runnable_for", load)
        # Unlike a launcher, this process may have asked CUDA for its GPUs: no fork of it could use one, nor has to.
        monkeypatch.setattr(sitting, "forks_can_use_it", lambda: True)
        arms = (
            SittingArm(cell=EAGER, options=JobOptions()),
            SittingArm(cell=ORT, options=JobOptions(), over=(0,)),
        )
        asked = SittingOptions(arms=arms, seconds=0.2, precision=0.5)
        job = CellJob(runner="", cell=ORT, options=JobOptions().extended(asked))
        return sitting.run(job, lambda kind, /, **data: None).result

    return held


def test_every_arm_has_a_process_of_its_own_and_they_never_work_at_once(hold, tmp_path):
    log = tmp_path / "log"

    def work(name, seconds):
        def call():
            with log.open("a") as file:
                file.write(f"{name} {os.getpid()} in\n")
            time.sleep(seconds)
            with log.open("a") as file:
                file.write(f"{name} {os.getpid()} out\n")

        return call

    found = hold(work("a", 0.001), work("b", 0.02))
    assert [one.cell for one in found.arms] == [EAGER.id, ORT.id]
    assert len({len(one.seconds) for one in found.arms}) == 1
    assert min(found.arms[1].seconds) >= 0.02
    lines = [line.split() for line in log.read_text().splitlines()]
    assert len({pid for _, pid, _ in lines}) == 2
    assert str(os.getpid()) not in {pid for _, pid, _ in lines}
    assert [word for _, _, word in lines] == ["in", "out"] * (len(lines) // 2)


def test_a_process_that_dies_is_named_and_one_that_raises_says_why(hold):
    def raises():
        raise ValueError("no such kernel")

    died = hold(lambda: time.sleep(0.001), lambda: os._exit(9))
    assert "ended without a word" in died.lost[ORT.id]
    raised = hold(lambda: time.sleep(0.001), raises)
    assert raised.lost[ORT.id] == "ValueError: no such kernel"


# Who is compared with whom.


def test_a_backend_is_compared_with_eager_and_a_state_with_the_trained_model_there():
    trained = replace(EAGER, variant="trained")
    assert references(EAGER) == ()
    assert references(ORT) == (EAGER,)
    assert references(replace(ORT, variant="trained")) == (trained,)
    pruned = replace(ORT, variant="pruned")
    assert references(pruned) == (replace(EAGER, variant="pruned"), trained)


def test_a_quantized_state_is_also_compared_with_the_float_graph_on_its_runtime():
    trained = replace(EAGER, variant="trained")
    int8, both = replace(ORT, variant="int8"), replace(ORT, variant="pruned_int8")
    assert references(int8) == (trained, replace(ORT, variant="trained"))
    assert references(both) == (trained, replace(ORT, variant="pruned"))


def test_a_state_of_the_model_as_built_is_compared_with_that():
    int8 = replace(ORT, variant="built_int8")
    assert references(int8) == (EAGER, ORT)
    assert references(replace(EAGER, variant="built_pruned")) == (EAGER,)


def test_only_cells_with_something_to_compare_take_turns():
    assert "pairs" in steps_of(ORT)
    assert "pairs" not in steps_of(EAGER)


class Seats:
    """A worker that answers every sitting with equal turns; `jobs` are those that it got."""

    def __init__(self, lost=()):
        self.jobs, self.lost = [], dict(lost)

    def run(self, job):
        self.jobs.append(job)
        cells = [Cell(**one["cell"]).id for one in job.options.extra["arms"]]
        result = {
            "arms": [{"cell": c, "seconds": [0.1] * 3} for c in cells if c not in self.lost],
            "lost": self.lost,
            "stopped_because": "decided",
        }
        return Answer(outcome=Outcome.PASSED, result={"result": result}, phases={"turns": 1.0})

    def close(self):
        """Nothing runs."""


class Open(Session):
    """A session in which every prerequisite is there."""

    def refusal(self, cell, step, worker=None):
        return None


def session_of(tmp_path, worker, cells):
    folder = RunFolder.create(tmp_path / "runs")
    config = RunConfig(specs={}, options=JobOptions(), deadline=60.0, cold_replicates=1, cache="")
    return Open(request=config, folder=folder, worker=worker, cells=cells)


def test_one_sitting_serves_all_cells_of_a_model_and_another_model_has_its_own(tmp_path):
    compiled, other = replace(EAGER, backend="compiled"), replace(ORT, model="other")
    worker = Seats()
    session = session_of(tmp_path, worker, [EAGER, compiled, ORT, other])
    records = [pairs_record(session, cell) for cell in (compiled, ORT, other)]
    assert [len(job.options.extra["arms"]) for job in worker.jobs] == [3, 2]
    assert records[0].result.sitting == records[1].result.sitting != records[2].result.sitting
    assert [r.result.own.cell for r in records] == [compiled.id, ORT.id, other.id]
    assert {r.outcome for r in records} == {Outcome.PASSED}


def test_a_sitting_has_no_more_arms_than_fit(tmp_path):
    variants = ("trained", "pruned", "int8", "pruned_int8")
    cells = [
        replace(EAGER, variant=v, backend=b)
        for v in variants
        for b in ("eager", "compiled", "onnxruntime")
        if b == "onnxruntime" or "int8" not in v
    ]
    worker = Seats()
    session = session_of(tmp_path, worker, cells)
    compared = [cell for cell in cells if references(cell)]
    records = [pairs_record(session, cell) for cell in compared]
    assert all(len(job.options.extra["arms"]) <= MAX_ARMS for job in worker.jobs)
    assert 1 < len(worker.jobs) < len(compared)
    assert all(len(r.result.references) == len(references(r.cell)) for r in records)


def test_a_cell_whose_arm_failed_says_so_and_its_neighbour_passes(tmp_path):
    compiled = replace(EAGER, backend="compiled")
    worker = Seats(lost={compiled.id: "RuntimeError: boom"})
    session = session_of(tmp_path, worker, [EAGER, compiled, ORT])
    failed, passed = (pairs_record(session, cell) for cell in (compiled, ORT))
    assert (failed.outcome, passed.outcome) == (Outcome.FAILED, Outcome.PASSED)
    assert failed.failure.message == f"{compiled.id}: RuntimeError: boom"


def test_a_record_of_turns_is_read_as_it_was_written():
    record = pairs_of(ORT, arm([2.0] * 3, void=[1]), arm([1.0] * 3, cell=ORT.id))
    assert record_from_dict(record.as_dict()) == record


# What the report makes of it.


def pairs_of(cell, *arms):
    *over, own = arms
    result = PairsResult(sitting="s", own=own, references=tuple(over), stopped_because="decided")
    return Record(run_id="r", cell=cell, step="pairs", outcome=Outcome.PASSED, result=result)


def latency(cell, *samples):
    measured = Measurement(metric="latency", unit="s", samples=samples)
    return Record(
        run_id="r", cell=cell, step="latency", outcome=Outcome.PASSED, measurements=(measured,)
    )


def report_of(*records):
    return build_report(Run(folder=Path("made-up"), records=records))


def terminal_of(report):
    text = io.StringIO()
    render_terminal(report, Console(width=200, file=text))
    return text.getvalue()


def test_a_model_that_is_five_times_slower_is_told_from_three_pairs_however_few_its_rounds():
    report = report_of(
        latency(EAGER, 1.33, 1.35),
        latency(ORT, 6.47),
        pairs_of(ORT, arm([1.33, 1.36, 1.31]), arm([6.47, 6.3, 6.6], cell=ORT.id)),
    )
    (speedup,) = report.rows[0].speedups
    assert (speedup.verdict, speedup.num_pairs, report.rows[0].fastest) == ("slower", 3, "eager")
    assert "too close" not in headline(report)
    assert "0.21× (" in terminal_of(report)


def test_a_ratio_from_single_rounds_is_no_headline_anywhere():
    report = report_of(latency(EAGER, 1.234), latency(ORT, 0.001))
    assert report.rows[0].speedups[0].verdict == "few"
    assert report.totals.mean_speedup == {}
    assert average(report) == ""
    for text in (headline(report), terminal_of(report), to_markdown(report)):
        assert "1,234" not in text
        assert "too few pairs" in text.lower()


def busy(record):
    (measured,) = record.measurements
    facts = MeasurementFacts(num_rounds=9, void_rounds=9, are_voids_kept=True)
    return replace(record, measurements=(replace(measured, facts=facts),))


@pytest.mark.parametrize("has_turns", [True, False])
def test_a_busy_machine_has_no_ratios_and_says_so_once(has_turns):
    """Ten runnable threads on a core: 301 times as fast, with an interval from 137 to 2161, was a headline."""
    cells = [replace(cell, model=name) for name in ("a", "b", "c") for cell in (EAGER, ORT)]
    records = [
        busy(latency(cell, *[0.3 if cell.backend == "eager" else 0.001] * 9)) for cell in cells
    ]
    for cell in cells[1::2] if has_turns else ():
        slow = arm([0.3] * 3, void=range(3), starved=range(3), cell=references(cell)[0].id)
        records.append(pairs_of(cell, slow, arm([0.001] * 3, cell=cell.id)))
    report = report_of(*records)
    assert {s.verdict for row in report.rows for s in row.speedups} == {"few"}
    assert (average(report), report.totals.mean_speedup) == ("", {})
    assert len(report.cautions) == 1
    assert not [doubt for row in report.rows for lane in row.lanes for doubt in lane.doubts]
    for text in (terminal_of(report), to_markdown(report)):
        assert "300×" not in text
        assert text.count("Other processes used the machine") == 1


def quantized_report():
    """8 bits at 654 us, the float graph on the same runtime at 189 us, the trained model in eager at 1.275 ms."""
    trained = replace(EAGER, variant="trained")
    graph, int8 = replace(ORT, variant="trained"), replace(ORT, variant="int8")
    seconds = {trained: 1275e-6, graph: 189e-6, int8: 654e-6}
    arms = {cell: arm([value] * 6, cell=cell.id) for cell, value in seconds.items()}
    row = next(row for row in LIVES if row[0] == "cnn")
    records = [
        replace(r, cell=replace(r.cell, model="net", size="base"))
        for r in life_records(row, bad={})
    ]
    records += [latency(cell, *[value] * 9) for cell, value in seconds.items()]
    records.append(pairs_of(graph, arms[trained], arms[graph]))
    records.append(pairs_of(int8, arms[trained], arms[graph], arms[int8]))
    return report_of(*records)


def test_a_quantized_state_that_is_slower_than_its_float_graph_is_not_praised():
    report = quantized_report()
    (life,) = report.lives
    int8 = life.state("int8")
    assert int8.ratio.value == pytest.approx(1.95, rel=0.01)
    assert int8.like_for_like.value == pytest.approx(0.289, rel=0.01)
    assert int8.like_for_like.verdict == slowest_verdict(int8) == "slower"
    assert "0.29× (0.28–0.29×) the float state's speed on ONNX Runtime" in speed_text(int8)
    assert report.totals.mean_like_for_like["int8"].value < 1
    assert "int8 0.29×" in average(report).split("float state on the same backend")[1]
    assert "0.29×" in to_markdown(report)
    assert advise(life).fastest is not int8


def test_turns_go_before_the_medians_of_two_processes():
    report = report_of(
        latency(EAGER, *[0.2] * 9),
        latency(ORT, *[0.1] * 9),
        pairs_of(ORT, arm([0.3] * 9), arm([0.1] * 9, cell=ORT.id)),
    )
    (speedup,) = report.rows[0].speedups
    assert speedup.ratio == pytest.approx(3.0)
    assert report.totals.mean_speedup["onnxruntime"].num == 1
    assert "3.00× (2.94–3.06×) eager's speed" in average(report)


def test_medians_that_contradict_the_turns_are_said_once_and_the_ratio_is_that_of_the_turns():
    """Two cores of a virtual machine ran threads at two speeds: p50 gave 1.2 times, turns 2.0."""
    records = [latency(EAGER, *[607e-6] * 9), latency(ORT, *[505e-6] * 9)]
    eager, ort = arm([1.03e-3] * 7, cell=EAGER.id), arm([0.51e-3] * 7, cell=ORT.id)
    report = report_of(*records, pairs_of(ORT, eager, ort))
    assert report.rows[0].speedups[0].ratio == pytest.approx(2.02, abs=0.01)
    (caution,) = report.cautions
    assert "In 1 of 2 cells this puts in question: p50" in caution
    assert "607 µs in its own rounds and 1.03 ms in turns" in caution
    assert not [doubt for lane in report.rows[0].lanes for doubt in lane.doubts]


def test_one_model_has_no_mean():
    eager, ort = arm([0.2] * 7, cell=EAGER.id), arm([0.1] * 7, cell=ORT.id)
    report = report_of(
        latency(EAGER, *[0.2] * 9), latency(ORT, *[0.1] * 9), pairs_of(ORT, eager, ort)
    )
    assert average(report).startswith("ONNX Runtime runs at 2.0")
    assert average(report).endswith("eager's speed on 1 model.")
