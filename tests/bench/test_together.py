"""One process per cell for its size, memory and latency: what it answers, and when every step has its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_session import EAGER, LATENCY, ORT, answer_by_runner, failed, passed, runners

from bench.instruments import together
from bench.plan import PLANS
from bench.steps import STEPS
from suite.axes import EAGER as EAGER_BACKEND
from suite.backends.runnable import Runnable
from suite.engine.run_config import RunConfig
from suite.engine.session import Session
from suite.outcome import Outcome
from suite.results.measuring import RunResult
from suite.runs.store import RunFolder
from suite.spec import ANY, Gap, ModelSpec, Size
from suite.worker.fake import FakeWorker
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob

PARTS = {
    "latency": {"result": {}, "measurements": [LATENCY]},
    "memory": {"result": {}, "measurements": []},
    "size": {"result": {"num_parameters": 7}, "measurements": []},
}
PHASES = {"build": 1.0, "first_forward": 0.5, "memory/leak": 2.0, "latency/rounds": 3.0}


@pytest.fixture
def session_of(tmp_path):
    def make(*planned, parts=PARTS, gaps=(), **answers):
        spec = ModelSpec(
            name="net",
            family="x",
            task="image_classification",
            build=dict,
            sizes={"tiny": Size()},
            outputs=("y",),
            gaps=gaps,
        )
        answers = {"together": passed({}, **PHASES), **answers}

        def parts_of(job):
            done = parts if job.runner.endswith("together:run") else {}
            return {name: passed(output, **PHASES) for name, output in done.items()}

        worker = FakeWorker(answer=answer_by_runner(**answers), parts=parts_of)
        session = Session(
            request=RunConfig(
                specs={"net": spec}, options=JobOptions(), deadline=9.0, cold_replicates=1, cache=""
            ),
            folder=RunFolder.create(tmp_path),
            worker=worker,
            steps=STEPS,
            planned=frozenset(f"{EAGER.id}/{step}" for step in planned),
        )
        return session, worker

    return make


def test_the_planned_steps_of_a_cell_come_from_one_process(session_of):
    session, worker = session_of("size", "latency", "memory")
    for step in ("size", "latency", "memory"):
        assert session.measure(EAGER, step).outcome is Outcome.PASSED
    assert runners(worker) == [["instruments", "together"]]
    assert session.measure(EAGER, "size").result.num_parameters == 7
    assert session.measure(EAGER, "latency").measurement("latency").samples == (0.1, 0.2)


def test_a_step_that_was_not_asked_for_is_not_taken_along(session_of):
    session, worker = session_of("latency")
    session.measure(EAGER, "latency")
    assert runners(worker) == [["instruments", "latency"]]
    assert list(session.records) == [f"{EAGER.id}/latency"]


def test_phases_of_a_part_that_was_not_asked_for_belong_to_the_first(session_of):
    two = {name: PARTS[name] for name in ("latency", "size")}  # as with -k "size or latency"
    session, _ = session_of("size", "latency", parts=two)
    assert session.measure(EAGER, "size").outcome is Outcome.PASSED
    expected = {"build": 1.0, "first_forward": 0.5, "leak": 2.0, "rounds": 3.0}
    assert session.measure(EAGER, "latency").phases == expected


def test_steps_of_another_cell_stay_in_another_process(session_of):
    session, worker = session_of("latency", "memory")
    session.measure(ORT, "latency")
    assert runners(worker)[-1] == ["instruments", "latency"]


def test_one_process_is_one_observation_of_the_cold_start(session_of):
    session, _ = session_of("size", "latency", "memory", "coldstart")
    record = session.measure(EAGER, "latency")
    assert record.phases == {"build": 1.0, "first_forward": 0.5, "rounds": 3.0}
    assert session.measure(EAGER, "memory").phases == {"leak": 2.0}
    cold = session.measure(EAGER, "coldstart")
    assert cold.measurement("first_forward").samples == (0.5,)
    assert cold.result.workers == 1


def test_where_the_shared_process_fails_every_step_is_tried_alone(session_of):
    session, worker = session_of(
        "size", "latency", "memory", parts={}, together=failed(), memory=failed(message="it leaks")
    )
    assert session.measure(EAGER, "latency").outcome is Outcome.PASSED
    assert session.measure(EAGER, "memory").failure.message == "it leaks"
    assert session.measure(EAGER, "size").outcome is Outcome.PASSED
    alone = [name for _, name in runners(worker) if name != "together"]
    assert alone == ["latency", "memory", "size"]


def test_a_gap_of_a_backend_covers_what_it_runs_and_not_the_size(session_of):
    gap = Gap(backend=EAGER_BACKEND, reason="no module", url="https://example.org")
    size = passed({"result": {"num_parameters": 7}})
    session, worker = session_of("size", "latency", "memory", gaps=(gap,), size=size)
    assert session.measure(EAGER, "size").result.num_parameters == 7
    assert session.measure(EAGER, "latency").outcome is Outcome.UNSUPPORTED
    assert runners(worker) == [["instruments", "size"]]
    everywhere, _ = session_of("size", gaps=(replace(gap, backend=ANY),), size=size)
    assert everywhere.refusal(EAGER, "size").outcome is Outcome.UNSUPPORTED


def test_a_part_that_was_done_is_kept_though_the_process_fails_after_it(session_of):
    done = {"latency": PARTS["latency"]}
    session, worker = session_of(
        "latency", "memory", parts=done, together=failed(), memory=failed(message="leak")
    )
    assert session.measure(EAGER, "memory").failure.message == "leak"
    assert session.measure(EAGER, "latency").measurement("latency").samples == (0.1, 0.2)
    assert [name for _, name in runners(worker)] == ["together", "memory"]


def test_the_peak_is_taken_at_the_first_pass_and_the_profiler_comes_after_the_rounds(monkeypatch):
    seen = []
    subject = Runnable(
        call=lambda: None,
        outputs=list,
        synchronize=lambda: None,
        setup=RunResult(num_samples=1),
    )
    monkeypatch.setattr(together, "runnable_for", lambda job, emit: subject)
    job = CellJob(
        runner="",
        cell=replace(EAGER, backend="onnxruntime"),
        options=JobOptions.from_dict(
            {
                "plan": replace(PLANS["quick"], cap_seconds=0.02, warmup_seconds=0.02).as_dict(),
                "parts": ["latency", "memory"],
            }
        ),
    )
    parts = {}

    def emit(kind, *, name, output=None):
        if kind == "part":
            parts[name] = output
        seen.append(name)

    together.run(job, emit)
    assert seen == [
        "memory/settle",
        "first_forward",
        "memory/peak_rss",
        "latency/prepare",
        "latency/warmup",
        "latency/rounds",
        "latency",
        "memory/peak_tensors",
        "memory/leak",
        "memory",
    ]
    metrics = {name: [m["metric"] for m in part["measurements"]] for name, part in parts.items()}
    assert metrics["latency"] == ["latency", "first_forward"]
    assert "peak_rss_delta" in metrics["memory"]
