"""The roofline: peaks as an instrument tells them, points under them, and the drawing."""

from dataclasses import replace

import pytest
from report_runs import write_run

from bench.charts.roofline import roof_plots
from bench.report.html import to_html
from bench.run import is_whole, peaks_for
from bench.summary.build import build_report, peaks_of, point_of, roofline_of
from bench.summary.elements import Quantity, Timing
from bench.summary.model import Lane, Row
from bench.summary.roofline_records import Peaks, Roofline
from bench.summary.scaling import scalings_of
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Measurement, Record
from suite.runs.load import load_run
from suite.worker.client import Answer
from suite.worker.fake import FakeWorker
from suite.worker.job_options import JobOptions

PEAKS = Peaks(device="cpu", threads=2, bandwidth=10e9, matmul={"float32": 100e9})
TOLD = [{"device": "cpu", "threads": 2, "bandwidth": 10e9, "matmul": {"float32": 100e9}}]


def row(
    *, p50=1e-3, macs=25_000_000, weights=1_000_000, peak=0.0, batch=1, length=0, dtype="float32"
):
    timing = Timing(
        p50=p50, low=None, high=None, confidence=0.95, p90=None, num_samples=9,
        iterations_per_sample=1, throughput=None, throughput_unit="samples",
    )  # fmt: skip
    memory = (Quantity(metric="peak_tensor_bytes", value=peak, unit="B"),) if peak else ()
    lane = Lane(backend="eager", cell=f"net-b{batch}", steps=(), timing=timing, memory=memory)
    return Row(
        id=f"net-tiny-cpu-{dtype}-b{batch}", model="net", size="tiny", device="cpu", dtype=dtype,
        batch=batch, length=length, lanes=(lane,), parameter_bytes=weights, macs=macs,
    )  # fmt: skip


def point(**rest):
    one = row(**rest)
    return point_of(one, one.lanes[0], PEAKS)


def test_a_point_has_its_rates_and_its_share_of_the_roof():
    found = point()
    assert found.flops == pytest.approx(50e9)
    assert found.bytes_per_second == pytest.approx(1e9)
    assert found.intensity == pytest.approx(50)
    assert found.share == pytest.approx(0.5)
    assert found.limit == "compute"


def test_few_operations_per_byte_are_limited_by_memory():
    found = point(macs=1_000_000, p50=0.5e-3)
    assert found.share == pytest.approx(0.2)
    assert found.limit == "memory"


def test_activations_count_twice():
    assert point(peak=500_000).intensity == pytest.approx(25)


def test_far_below_the_roof_it_is_overhead_and_above_it_a_cache():
    assert point(p50=1.0).limit == "overhead"
    assert point(macs=1_000_000, p50=0.05e-3).limit == "cache"


def test_nothing_is_above_the_roof_without_a_reason():
    swift = point(p50=2e-4)  # 250 GFLOP/s where products reach 100: no cache explains that
    assert swift.share == pytest.approx(2.5)
    assert swift.limit == "above"
    plots = roof_plots(Roofline(peaks=(PEAKS,), points=(swift,)), {swift.row: "net"})
    assert "above it: more than the products measured here" in plots[0].marks[0].title


def test_points_are_named_after_their_models_each_once():
    points = tuple(
        replace(point(p50=p50), row=f"{name}-tiny-cpu-float32-b1", backend=backend)
        for name, p50 in (("one", 1e-3), ("two", 2e-3))
        for backend in ("eager", "onnxruntime")
    )
    names = {found.row: found.row.partition("-")[0] for found in points}
    (plot,) = roof_plots(Roofline(peaks=(PEAKS,), points=points), names)
    assert sorted(mark.label for mark in plot.marks if mark.label) == ["one", "two"]


def test_without_a_peak_or_macs_there_is_no_point():
    assert point(dtype="float16") is None
    assert point(macs=None) is None
    assert roofline_of({}, [row()]) is None
    assert roofline_of({"roofline": TOLD}, [row(macs=None)]) is None


@pytest.mark.parametrize(
    "entries", [None, 5, ["x"], [{}], [{"bandwidth": "fast", "matmul": {"float32": None}}]]
)
def test_damaged_peaks_are_none(entries):
    assert peaks_of(entries) == ()


def test_peaks_are_measured_on_every_device_that_was_timed_and_not_after_a_hasty_plan():
    worker = FakeWorker(
        answer=lambda job: Answer(
            outcome=Outcome.PASSED, result={"facts": {"device": job.options.extra["device"]}}
        )
    )
    measured = Measurement(metric="latency", unit="s", samples=(1.0,))
    records = [
        Record(
            run_id="r", cell=Cell(model="mlp", size="tiny", backend="eager", device=device),
            step="latency", outcome=Outcome.PASSED, measurements=(measured,),
        )
        for device in ("cpu", "cuda", "cpu")
    ]  # fmt: skip
    found = peaks_for(records, JobOptions(plan={"name": "standard"}, threads=2), worker)
    assert found == [{"device": "cpu"}, {"device": "cuda"}]
    assert worker.jobs[0].options.threads == 2
    assert peaks_for(records, JobOptions(plan={"name": "quick"}), worker) == []
    worker.answer = lambda job: Answer(outcome=Outcome.CRASHED)
    assert peaks_for(records, JobOptions(plan={"name": "standard"}), worker) == []


def test_a_run_is_whole_when_every_planned_step_has_a_record():
    cell = Cell(model="mlp", size="tiny", backend="eager")
    record = Record(run_id="r", cell=cell, step="latency", outcome=Outcome.PASSED)
    planned = [{"cell": cell.as_dict(), "step": "latency"}]
    assert is_whole(planned, {record.key: record})
    assert not is_whole(
        [*planned, {"cell": cell.as_dict(), "step": "memory"}], {record.key: record}
    )


def test_the_report_has_the_roofline_and_says_which_limit(tmp_path):
    write_run(tmp_path / "run")
    run = load_run(tmp_path / "run")
    run.info["roofline"] = TOLD
    report = build_report(run)
    assert len(report.roofline.points) > 40
    text = to_html(report)
    assert 'id="roofline"' in text
    assert "100 GFLOP/s" in text
    assert 'id="roofline"' not in to_html(build_report(load_run(tmp_path / "run")))


def test_scaling_is_told_where_several_batches_were_measured():
    (found,) = scalings_of([row(), row(batch=8, p50=2e-3), row(dtype="bfloat16")])
    assert found.extents == (1, 8)
    assert found.rate(8, 2e-3) == pytest.approx(4000)
    (eager,) = found.backends
    assert (eager.gain, eager.ideal) == (pytest.approx(4.0), 8.0)
    assert scalings_of([row()]) == ()


def test_scaling_with_the_length_counts_tokens_and_is_apart_from_that_with_the_batch():
    rows = [row(length=32), row(length=128, p50=8e-3), row(batch=8, length=32)]
    (found,) = scalings_of(rows, "length")
    assert found.extents == (32, 128)
    assert found.rate(128, 8e-3) == pytest.approx(16_000)
    assert found.backends[0].gain == pytest.approx(0.5)
    (found,) = scalings_of(rows, "batch")
    assert found.extents == (1, 8)


@pytest.mark.heavy
@pytest.mark.slow
def test_the_instrument_measures_rates_that_a_machine_can_have():
    from bench.instruments.options import RooflineOptions
    from bench.instruments.results import RooflineResult
    from suite.worker.client import Launcher
    from suite.worker.protocol import Job

    launcher = Launcher(preload=["torch"])
    try:
        options = JobOptions(threads=1).extended(RooflineOptions(device="cpu"))
        job = Job(runner="bench.instruments.roofline:run", options=options)
        answer = launcher.run(job)
    finally:
        launcher.close()
    assert answer.failure is None
    found = answer.read(RooflineResult)
    assert found.threads == 1
    assert 1e8 < found.bandwidth < 1e12
    assert 1e8 < found.matmul["float32"] < 1e13
