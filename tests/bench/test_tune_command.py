"""`python -m bench tune`: from a name to an answer and a bundle, and what it says to bad input."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tune_arms import candidate, searched

from bench.__main__ import main
from bench.instruments.results import SearchResult
from bench.summary.advice import Limits
from bench.tune import bundle, measure
from bench.tune.bundle import prediction
from bench.tune.command import configure, opened
from bench.tune.lanes import Candidate, default_threads, default_variants, lanes_of, title_of
from bench.tune.measure import Measured
from suite.catalog import builtin_specs
from suite.data.sources import sources_in
from suite.engine.run_config import RunConfig
from suite.engine.session import Session
from suite.outcome import Outcome
from suite.results.step_output import StepOutput, encode_output
from suite.runs.store import RunFolder
from suite.worker.client import Answer
from suite.worker.fake import FakeWorker
from suite.worker.job_options import JobOptions

SPECS = {spec.name: spec for spec in builtin_specs()}
BLOCKED = """
import runpy, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("bench", "suite", "diagnostics", "vitals"):
            raise ImportError(f"{name} is not here")
sys.meta_path.insert(0, Blocked())
sys.argv = [sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_elsewhere(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a bundle's script in an interpreter that cannot import this project."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, str(folder / "run.py")],
        cwd="/", env={n: v for n, v in os.environ.items() if n != "PYTHONPATH"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


REQUEST = (
    "mlp", "--size", "tiny", "--plan", "quick", "--variant", "original", "--dtype", "float32", "--threads", "1",
    "--backend", "eager,onnxruntime,openvino",
)  # fmt: skip


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """`bundled(backend)`: the folder of the bundle of that lane, replayed twice when it was made."""
    out = tmp_path_factory.mktemp("tune")
    parser = argparse.ArgumentParser()
    configure(parser)
    asked = opened(parser.parse_args([*REQUEST, "--out", str(out)]), [])

    def write(backend):
        cell = next(cell for cell in asked.lanes if cell.backend == backend)
        assert asked.run.session.refusal(cell, "latency") is None
        one = Candidate(cell=cell, threads=1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bundle, "REPLAYS", 2)
            made = bundle.write_bundle(asked.run.session, one, out / backend, title_of(one), {})
        assert made.latency[0] < made.latency[1]
        return made.folder

    yield write
    asked.run.close()


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_graphs_bundle_runs_without_this_project(bundled, backend):
    folder = bundled(backend)
    assert {file.name for file in folder.iterdir()} == {
        "run.py", "requirements.txt", "bundle.json", "inputs.npz", "outputs.npz", "model.onnx",
    }  # fmt: skip
    assert f"{backend}==" in (folder / "requirements.txt").read_text()
    done = run_elsewhere(folder)
    assert "outputs agree" in done.stdout
    assert done.returncode in (0, 2)  # a machine with other work may be slower
    assert ("OUTSIDE OF" in done.stdout) == (done.returncode == 2)


def test_a_modules_bundle_is_a_program_and_notices_other_answers_and_another_latency(bundled):
    folder = bundled("eager")
    assert (folder / "model.pt2").is_file()
    facts = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**facts, "latency": [0.0, 1e9]}))
    assert run_elsewhere(folder).returncode == 0
    (folder / "bundle.json").write_text(json.dumps({**facts, "latency": [1e8, 1e9]}))
    late = run_elsewhere(folder)
    assert late.returncode == 2
    assert "OUTSIDE OF" in late.stdout
    with np.load(folder / "outputs.npz") as held:
        np.savez(folder / "outputs.npz", **{name: array + 1 for name, array in held.items()})
    other = run_elsewhere(folder)
    assert other.returncode == 1
    assert "outputs DIFFER" in other.stdout


def test_a_model_is_tuned_from_its_name_to_the_answer(tmp_path, capsys):
    code = main(["tune", *REQUEST, "--no-bundle", "--format", "json", "--out", str(tmp_path)])
    document = json.loads(capsys.readouterr().out)
    assert {lane["label"]: lane["cost"]["drop"] < 0.01 for lane in document["lanes"]} == {
        "mlp-tiny-eager-cpu-float32-b1-t1": True,
        "mlp-tiny-onnxruntime-cpu-float32-b1-t1": True,
        "mlp-tiny-openvino-cpu-float32-b1-t1": True,
    }
    assert min(lane["num_turns"] for lane in document["lanes"]) >= 4
    # On a machine with other work nothing may be known, and then it has to say so.
    assert (code, document["ship"] is None) in ((0, False), (1, True))
    assert ("Ship " in document["verdict"]) == (code == 0)
    assert json.loads(Path(document["folder"], "tune.json").read_text())["ship"] == document["ship"]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["mlpp"], "did you mean mlp"),
        (["mlp,cnn", "--size", "tiny"], "names 2 models (mlp, cnn); expected one"),
        (["mlp", "--threads", "99999"], "--threads '99999': expected one or more numbers from 1 to"),
        (["mlp", "--threads", "0"], "--threads '0'"),
        (["mlp", "--backend", "egaer"], "did you mean eager"),
        (["mlp", "--device", "cuda:7"], "--device cuda:7"),
        (["mlp", "--batch", "none"], "--batch 'none'"),
        (["mlp", "--size", "tiny,base"], "one of each can be tuned for at a time"),
        (["nowhere.onnx"], "nowhere.onnx"),
    ],
)  # fmt: skip
def test_a_bad_request_is_one_sentence_that_names_the_option(options, said, capsys, tmp_path):
    assert main(["tune", *options, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m bench tune: ")
    assert said in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--max-drop", "nan"], "'nan' is no number"),
        (["--max-latency", "-3ms"], "expected one argument"),
        (["--max-latency", "3 parsecs"], "is no time such as 10ms"),
        (["--max-size", "much"], "is no size such as 50MB"),
    ],
)
def test_a_limit_that_is_none_is_refused(options, said, capsys):
    with pytest.raises(SystemExit) as refused:
        main(["tune", "mlp", *options])
    assert refused.value.code == 2
    assert said in capsys.readouterr().err


# What is tried.


def test_threads_are_one_the_powers_of_two_and_every_core():
    assert [default_threads(n) for n in (1, 2, 3, 8, 12)] == [
        (1,), (1, 2), (1, 2, 3), (1, 2, 4, 8), (1, 2, 4, 8, 12),
    ]  # fmt: skip


def test_lanes_begin_with_eager_and_leave_out_what_a_backend_cannot_do():
    spec = SPECS["cnn"]
    lanes = lanes_of(
        spec, size="tiny", device="cpu", backends=("onnxruntime", "eager"),
        dtypes=("float32", "bfloat16"), variants=default_variants(spec), batches=(1,),
    )  # fmt: skip
    first, *rest = lanes
    assert (first.backend, first.dtype, first.variant) == ("eager", "float32", "trained")
    found = {(cell.backend, cell.dtype, cell.variant) for cell in rest}
    assert ("onnxruntime", "float32", "int8") in found
    assert ("eager", "bfloat16", "trained") in found
    assert not any(b == "onnxruntime" and d != "float32" for b, d, _ in found)
    assert not any(b == "eager" and v == "int8" for b, _, v in found)
    assert "original" not in {cell.variant for cell in lanes}


# Ctrl-C.


def session(tmp_path, worker):
    return Session(
        request=RunConfig(
            specs=SPECS, options=JobOptions(sources=sources_in(None)), deadline=9, cold_replicates=1, cache=""
        ),
        folder=RunFolder.create(tmp_path),
        worker=worker,
    )  # fmt: skip


def test_what_was_measured_when_the_user_broke_it_off_is_kept(tmp_path):
    eager, fast = candidate(model="mlp"), candidate("onnxruntime", model="mlp")
    so_far = searched([(eager, 1.0), (fast, 0.5)])

    def interrupted(job):
        raise KeyboardInterrupt

    def parts(job):
        output = encode_output(StepOutput(result=so_far))
        return {"round": Answer(outcome=Outcome.PASSED, result=output)}

    found = Measured(candidates=[eager, fast])
    held = session(tmp_path, FakeWorker(answer=interrupted, parts=parts))
    with pytest.raises(KeyboardInterrupt):
        measure.time_in_turns(held, Limits(), found, lambda text: None)
    assert [arm.label for arm in found.found.arms] == [eager.label, fast.label]


def test_a_search_whose_process_dies_keeps_the_rounds_before_and_names_the_cause(tmp_path):
    from suite.record import Failure

    eager, fast = candidate(model="mlp"), candidate("onnxruntime", model="mlp")
    failure = Failure(kind="SIGKILL", message="killed by the kernel for memory")
    dead = Answer(outcome=Outcome.OUT_OF_MEMORY, failure=failure)
    found = Measured(candidates=[eager, fast])
    measure.time_in_turns(
        session(tmp_path, FakeWorker(answer=lambda job: dead)), Limits(), found, lambda text: None
    )
    assert found.found == SearchResult(
        lost={eager.label: failure.message, fast.label: failure.message}
    )


def test_nothing_is_timed_if_no_lane_is_within_the_limits(tmp_path):
    worker = FakeWorker(answer=lambda job: Answer(outcome=Outcome.PASSED))
    found = Measured(candidates=[candidate(model="mlp", size=1000)])
    measure.time_in_turns(
        session(tmp_path, worker), Limits(max_bytes=1.0), found, lambda text: None
    )
    assert worker.jobs == []


# The bundle's interval.


def test_one_more_process_lies_in_the_interval_nineteen_times_of_twenty():
    dice = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        times = np.exp(dice.normal(0.0, 0.05, 6))
        low, high = prediction(list(times[:5]))
        inside += low <= times[5] <= high
    assert 0.92 <= inside / 400 <= 0.99
    low, high = prediction([1.0, 1.0, 1.0])
    assert (low, high) == pytest.approx((1 / 1.02, 1.02))
    with pytest.raises(ValueError, match="an interval of 1 values"):
        prediction([1.0])
