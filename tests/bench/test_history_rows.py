"""What of a run goes into a history: statistics, ratios, settings, moments, samples."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from history_stores import run_of
from hypothesis import given, settings
from hypothesis import strategies as st
from report_runs import MODELS, write_run

from bench.history.compression import pack, unpack
from bench.history.rows import UNKNOWN, run_entry, sentinel_ratio
from bench.history.timestamps import parse_timestamp
from bench.stats import median, percentile
from diagnostics.redact import without_password
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Failure, Measurement, Record, measurement_from
from suite.results.measuring import LatencyResult
from suite.runs.load import Run, load_run

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DOUBLES = st.floats(allow_nan=True, allow_infinity=True, width=64)


def points(run: Run) -> dict[str, object]:
    return {p.series.metric: p for r in run_entry(run, now=NOW).records for p in r.points}


def with_record(**fields: object) -> Run:
    run = run_of(0)
    cell = Cell(model="mlp", size="base")
    start = {"run_id": "r", "cell": cell, "step": "latency", "outcome": Outcome.PASSED}
    return replace(run, records=(Record(**{**start, **fields}),))


@given(st.lists(DOUBLES, max_size=300))
@settings(max_examples=80, deadline=None)
def test_packed_samples_come_back_bit_by_bit(samples: list[float]) -> None:
    packed = pack(samples)
    expected = struct.pack(f"<{len(samples)}d", *samples)
    assert struct.pack(f"<{len(samples)}d", *unpack(packed)) == expected
    assert len(packed) <= 1 + len(expected)


@given(st.binary(max_size=60))
@settings(max_examples=80, deadline=None)
def test_bytes_that_are_no_samples_are_refused(data: bytes) -> None:
    try:
        samples = unpack(data)
    except ValueError:
        return
    assert len(samples) * 8 < len(data) * 1100  # deflate cannot do more


def test_damaged_samples_are_refused_with_what_is_wrong() -> None:
    packed = pack([0.026 + i * 1e-9 for i in range(100)])
    for damaged in (packed[:-9], b"", b"\x07" + packed[1:], b"\0" + bytes(7)):
        with pytest.raises(ValueError, match="packed samples"):
            unpack(damaged)


def test_a_latency_has_its_median_interval_tails_and_ratio() -> None:
    run = run_of(1, num_samples=299)
    latency = points(run)["latency"]
    samples = run.records[1].measurements[0].samples
    assert latency.value == median(samples)
    assert latency.low < latency.value < latency.high
    assert latency.p90 == percentile(samples, 0.9).value
    assert latency.p99 == percentile(samples, 0.99).value
    assert latency.ratio == latency.value / 40e-6
    assert latency.samples == samples


def test_a_tail_that_has_too_few_samples_is_left_empty() -> None:
    latency = points(run_of(1, num_samples=29))["latency"]
    assert latency.p90 is not None
    assert latency.p99 is None


def test_throughput_is_told_in_sentinels_too_and_rises_as_the_latency_falls() -> None:
    found = points(run_of(1))
    assert found["throughput"].ratio == pytest.approx(1 / found["latency"].ratio)
    assert found["throughput"].samples == ()


def test_bytes_and_times_without_a_sentinel_have_no_ratio() -> None:
    assert points(run_of(1))["peak_rss_delta"].ratio is None
    assert points(run_of(1, sentinel=None))["latency"].ratio is None
    for bad in (0.0, -1.0, math.nan, math.inf, "40", None):
        facts = {"sentinel": {"median": bad, "mad": 0.0, "num": 1}}
        data = {"metric": "latency", "unit": "s", "samples": [1.0], "facts": facts}
        measurement = measurement_from(data, [])
        assert points(with_record(measurements=(measurement,)))["latency"].ratio is None


def test_a_ratio_is_a_time_over_the_sentinel_or_a_rate_times_it() -> None:
    assert sentinel_ratio(0.03, "s", 1e-3) == pytest.approx(30)
    assert sentinel_ratio(200.0, "1/s", 1e-3) == pytest.approx(0.2)
    assert sentinel_ratio(200.0, "B", 1e-3) is None
    assert sentinel_ratio(0.0, "s", 1e-3) is None


def test_series_of_other_settings_are_other_series_but_exact_metrics_know_no_threads() -> None:
    found = points(run_of(1))
    assert found["latency"].series.settings == "data=digits threads=2 weights=random"
    assert found["parameters"].series.settings == "data=digits"


def test_a_folder_of_weights_is_one_setting_wherever_it_lies() -> None:
    run = run_of(1)
    record = replace(run.records[1], result=LatencyResult(weights="/home/anybody/weights"))
    latency = points(replace(run, records=(record,)))["latency"]
    assert "weights=folder" in latency.series.settings


def test_a_metric_that_this_version_does_not_know_is_kept_by_its_median() -> None:
    measurement = Measurement(metric="accuracy", unit="%", samples=(90.0, 92.0, 91.0))
    found = points(with_record(step="train", measurements=(measurement,)))
    assert (found["accuracy"].value, found["accuracy"].series.unit) == (91.0, "%")


def test_samples_that_are_no_numbers_give_no_point() -> None:
    measurement = Measurement(metric="latency", unit="s", samples=(1.0, math.nan))
    assert points(with_record(measurements=(measurement,))) == {}


def test_a_record_that_did_not_pass_is_kept_with_its_reason_and_without_values() -> None:
    failure = Failure(kind="SIGSEGV", message="died\0 of \ud800" + "x" * 900)
    (record,) = run_entry(with_record(outcome=Outcome.CRASHED, failure=failure), now=NOW).records
    assert record.outcome == "crashed"
    assert record.reason.startswith("SIGSEGV: died\N{REPLACEMENT CHARACTER} of ?")
    assert len(record.reason) == 500
    assert record.points == ()


def test_every_record_of_a_bad_day_has_an_entry(tmp_path: Path) -> None:
    records = write_run(tmp_path / "run", models=MODELS[:12])
    entry = run_entry(load_run(tmp_path / "run"), now=NOW)
    assert {(r.cell, r.step) for r in entry.records} == {(r.cell.id, r.step) for r in records}
    assert len({r.digest for r in entry.records}) == len(records)


def test_a_run_keeps_its_key_when_it_is_resumed_and_two_runs_of_one_name_have_two(
    tmp_path: Path,
) -> None:
    first, other = tmp_path / "a" / "20261124-000000-abcd", tmp_path / "b" / "20261124-000000-abcd"
    write_run(first, models=MODELS[:2], seed=1, finished=False)
    write_run(other, models=MODELS[2:4], seed=2)
    before = run_entry(load_run(first), now=NOW).key
    whole = tmp_path / "c" / "20261124-000000-abcd"
    records = write_run(whole, models=MODELS[:2], seed=1)
    with (first / "records.jsonl").open("a") as file:
        file.write(json.dumps(records[-1].as_dict()) + "\n")
    assert run_entry(load_run(first), now=NOW).key == before
    assert run_entry(load_run(other), now=NOW).key != before


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2026-11-23T18:04:11+00:00", datetime(2026, 11, 23, 18, 4, 11, tzinfo=UTC)),
        ("2026-11-23T20:04:11+02:00", datetime(2026, 11, 23, 18, 4, 11, tzinfo=UTC)),
        ("2026-11-23T18:04:11", datetime(2026, 11, 23, 18, 4, 11, tzinfo=UTC)),
        ("1970-01-01T00:00:07+00:00", None),
        ("2031-01-01T00:00:00+00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (17, None),
    ],
)
def test_a_moment_that_cannot_have_been_is_not_believed(
    text: object, expected: datetime | None
) -> None:
    assert parse_timestamp(text, NOW) == expected


def test_a_run_whose_clock_was_never_set_is_filed_under_now_and_says_so() -> None:
    run = run_of(1)
    run = replace(run, info={**run.info, "started_at": "1970-01-01T00:00:07+00:00"})
    run = replace(
        run, records=tuple(replace(r, started_at="1970-01-01T00:00:09") for r in run.records)
    )
    entry = run_entry(run, now=NOW)
    assert entry.started_at == NOW
    assert {record.at for record in entry.records} == {NOW}
    assert any("1970" in problem for problem in entry.problems)


def test_a_machine_that_is_not_described_has_a_fingerprint_of_its_own() -> None:
    run = run_of(1)
    run = replace(
        run, machine=None, records=tuple(replace(r, environment_id="") for r in run.records)
    )
    entry = run_entry(run, now=NOW)
    assert set(entry.environments) == {UNKNOWN}


def test_a_password_on_the_command_line_is_not_kept() -> None:
    text = "pytest bench --store postgresql+psycopg://ci:s3cr:et@db.example/vitals --size tiny"
    assert without_password(text) == (
        "pytest bench --store postgresql+psycopg://ci:***@db.example/vitals --size tiny"
    )
    run = run_of(1)
    entry = run_entry(replace(run, info={**run.info, "command": text}), now=NOW)
    assert "s3cr" not in str(entry)
