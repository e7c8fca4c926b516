"""`pytest bench` as a user runs it, with real workers on tiny models."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite.runs.load import load_run

ROOT = Path(__file__).parents[1]
FAULTY = Path(__file__).with_name("faulty_models.py")
pytestmark = pytest.mark.heavy


def command(*arguments, out):
    quick = ["--plan", "quick", "--size", "tiny", "--out", str(out), "-p", "no:cacheprovider"]
    return [sys.executable, "-m", "pytest", str(ROOT / "bench"), *quick, *map(str, arguments)]


def bench(*arguments, out, **environment):
    return subprocess.run(
        command(*arguments, out=out),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "160", **environment},
    )


def newest(out):
    return load_run(max((out / "runs").iterdir()))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """One run over all the models that go wrong, and the good one."""
    out = tmp_path_factory.mktemp("faulty")
    done = bench(
        "--models-from",
        FAULTY,
        "--models",
        "good,hangs,crashes,is-killed,eats-memory,raises,is-constant,has-a-gap",
        "-k",
        "latency or export",
        "--deadline",
        "12",
        "--benchmark-json",
        out / "benchmark.json",
        "--junitxml",
        out / "junit.xml",
        out=out,
        GITHUB_STEP_SUMMARY=str(out / "summary.md"),
    )
    return out, done


@pytest.mark.parametrize(
    ("model", "outcome"),
    [
        ("good", "passed"),
        ("hangs", "timed_out"),
        ("crashes", "crashed"),
        ("is-killed", "crashed"),
        ("eats-memory", "out_of_memory"),
        ("raises", "failed"),
    ],
)
def test_every_accident_is_its_cells_outcome_and_the_run_goes_on(faulty, model, outcome):
    out, _ = faulty
    records = {(r.cell.model, r.cell.backend, r.step): r for r in newest(out).records}
    assert records[model, "eager", "latency"].outcome.value == outcome


def test_a_run_with_accidents_is_red_and_names_them_without_a_traceback_of_ours(faulty):
    _, done = faulty
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SIGSEGV" in done.stdout
    assert "conftest.py" not in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr


def test_a_failing_cell_carries_the_doctors_diagnosis(faulty):
    out, done = faulty
    raised = next(
        r for r in newest(out).records if r.key == "raises-tiny-eager-cpu-float32-b1/latency"
    )
    assert "512" in raised.diagnosis[0].summary + raised.diagnosis[0].cause
    assert f"diagnosis {raised.diagnosis[0].code}" in done.stdout


def test_constant_outputs_make_parity_vacuous_and_that_is_not_passed(faulty):
    out, _ = faulty
    record = next(
        r for r in newest(out).records if (r.cell.model, r.step) == ("is-constant", "export")
    )
    assert record.result.parity.verdict == "vacuous"
    assert record.outcome.is_bad


def test_a_declared_gap_is_skipped_with_its_reason_and_link(faulty):
    out, done = faulty
    record = next(
        r
        for r in newest(out).records
        if (r.cell.model, r.cell.backend, r.step) == ("has-a-gap", "onnxruntime", "latency")
    )
    assert (record.outcome.value, record.failure.url) == ("unsupported", "https://example.org/1")
    assert "no rule for it" in done.stdout


def test_the_report_and_its_siblings_are_left(faulty):
    out, _ = faulty
    folder = newest(out).folder
    page = (folder / "report.html").read_text()
    for word in ("good", "eats-memory", "https://example.org/1"):
        assert word in page
    assert (folder / "onnx" / "good-tiny.onnx").stat().st_size > 1000
    assert "good" in (out / "summary.md").read_text()
    assert json.loads((folder / "environment.json").read_text())["fingerprint"]
    assert "testcase" in (out / "junit.xml").read_text()


def test_pytest_benchmark_holds_the_workers_samples(faulty):
    out, _ = faulty
    rows = json.loads((out / "benchmark.json").read_text())["benchmarks"]
    row = next(r for r in rows if r["name"] == "test_latency[good-tiny-eager-cpu-float32-b1]")
    record = next(
        r for r in newest(out).records if r.key == "good-tiny-eager-cpu-float32-b1/latency"
    )
    assert row["stats"]["data"] == pytest.approx(
        list(record.measurement("latency").samples), rel=1e-6
    )


def test_a_run_that_is_killed_keeps_every_finished_cell_and_resume_does_the_rest(tmp_path):
    arguments = ("--models", "mlp", "--backend", "eager")
    with (tmp_path / "stdout").open("w") as stdout:
        started = subprocess.Popen(command(*arguments, out=tmp_path), cwd=ROOT, stdout=stdout)
        until = time.monotonic() + 120
        while started.poll() is None and not any(tmp_path.glob("runs/*/records.jsonl")):
            assert time.monotonic() < until
            time.sleep(0.05)
        os.kill(started.pid, signal.SIGKILL)
        started.wait()
    before = {r.key: r for r in newest(tmp_path).records}
    assert before
    assert newest(tmp_path).info["finished_at"] is None
    done = bench(*arguments, "--resume", out=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    after = {r.key: r for r in newest(tmp_path).records}
    assert {key.rpartition("/")[2] for key in after} == {
        *("size", "latency", "memory", "coldstart", "training", "dataloader")
    }
    assert {key: after[key].started_at for key in before} == {
        key: record.started_at for key, record in before.items()
    }
    assert newest(tmp_path).info["finished_at"]
    refused = bench(*arguments, "--resume", "--seed", "7", out=tmp_path)
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "made with seed = 0" in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "resnet-18"], "did you mean resnet18"),
        (["--backend", "onnxruntim"], "did you mean onnxruntime"),
        (["--size", "large"], "known: tiny, base"),
        (["--device", "cuda:99"], "this machine has"),
        (["--batch", "0"], "--batch"),
        (["--threads", "-2"], "--threads"),
        (["--deadline", "0"], "--deadline"),
        (["--data", "no/such/folder"], "no such folder"),
        (["--weights", "no/such/folder"], "--weights no/such/folder"),
        (["--weights", "pretrained"], "--size base only"),
        (["--models-from", "no_such_file.py"], "no such file"),
        (["-n", "2"], "one cell at a time"),
        (["--resume", "--models", "mlp"], "--resume"),
    ],
)
def test_a_users_mistake_is_one_clear_error_before_anything_is_measured(
    tmp_path, arguments, message
):
    done = bench(*arguments, out=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, said
    assert message in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("runs/*/records.jsonl"))


def test_a_models_file_that_does_not_import_is_named_with_its_own_error(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("import torch\nfrom nowhere import nothing\n")
    done = bench("--models-from", file, out=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "No module named 'nowhere'" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_ctrl_c_leaves_a_report_of_what_is_there_and_no_process_behind(tmp_path):
    with (tmp_path / "stdout").open("w") as stdout:
        started = subprocess.Popen(
            command("--models", "mlp,cnn,rnn", "--backend", "eager", out=tmp_path),
            cwd=ROOT,
            stdout=stdout,
            stderr=stdout,
            env={**os.environ, "VITALS_TEST": str(tmp_path)},
        )
        until = time.monotonic() + 120
        while started.poll() is None and not any(tmp_path.glob("runs/*/records.jsonl")):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert len(processes_with(tmp_path)) >= 2, "pytest and its launcher"
        started.send_signal(signal.SIGINT)
        started.wait(timeout=60)
    assert started.returncode == pytest.ExitCode.INTERRUPTED
    run = newest(tmp_path)
    assert run.info["finished_at"]
    assert "not reached" in (run.folder / "report.html").read_text()
    assert processes_with(tmp_path) == []


def processes_with(marker):
    """Running processes that have the marker in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"VITALS_TEST={marker}".encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found
