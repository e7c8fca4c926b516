"""The machine of a report is the machine that the run wrote down."""

import json
from dataclasses import replace

import pytest
from report_runs import ENVIRONMENT, FINDINGS, MODELS, write_machine, write_run

from bench.summary.build import build_report
from bench.summary.machine import machine_of
from diagnostics.records import Build, Gpu
from suite.runs.load import load_run
from suite.runs.machine import FILE, Machine

H200 = "NVIDIA H200"


@pytest.fixture
def folder(tmp_path):
    write_run(tmp_path / "run", models=MODELS[:1])
    return tmp_path / "run"


def table(**changes):
    return dict(machine_of(Machine.of(replace(ENVIRONMENT, **changes))))


def test_a_machine_that_is_written_is_read_back_as_it_was(folder):
    assert load_run(folder).machine == Machine.of(ENVIRONMENT, FINDINGS)


def test_a_package_is_told_with_the_label_of_its_wheel():
    builds = {"torch": Build(package="torch", version="2.15.0+cu132")}
    assert table(builds=builds)["torch"] == "2.15.0+cu132"
    assert table(builds=builds)["onnx"] == "1.24.0"


def test_interpreter_repository_and_processors_are_told():
    found = table()
    assert found["Python"] == "3.11.7"
    assert found["Commit"] == "4be1c0ffee, with changes"
    assert found["Cores"] == "2 of 96"
    assert table(git=replace(ENVIRONMENT.git, dirty=False))["Commit"] == "4be1c0ffee"
    python = replace(ENVIRONMENT.python, implementation="pypy", free_threaded=True)
    assert table(python=python)["Python"] == "pypy 3.11.7 free-threaded"


def test_equal_gpus_are_counted():
    gpus = tuple(
        Gpu(index=i, name=name, memory_total=1) for i, name in enumerate((H200, H200, "L4"))
    )
    assert table(gpus=gpus)["GPU"] == f"2 × {H200}, L4"
    assert "GPU" not in table()


def test_the_gpu_build_of_onnx_runtime_is_told():
    assert table(packages={"onnxruntime-gpu": "1.32.0"})["onnxruntime"] == "1.32.0 (gpu)"


def test_the_report_has_the_machine_and_the_findings_of_the_run(folder):
    report = build_report(load_run(folder))
    assert report.machine == machine_of(Machine.of(ENVIRONMENT, FINDINGS))
    (finding,) = report.findings
    assert (finding.level, finding.fixes) == ("warn", ("export OMP_NUM_THREADS=2",))


def test_a_field_of_another_shape_is_named_and_nothing_is_guessed(folder):
    write_machine(folder)
    data = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps({**data, "gpus": ["H200"]}))
    run = load_run(folder)
    assert run.machine is None
    assert "Environment.gpus" in run.problems[0]
    assert build_report(run).machine == ()
