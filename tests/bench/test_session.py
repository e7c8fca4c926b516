"""A run of the benchmark on a fake worker: what becomes of answers, and what is never run."""

import json
from dataclasses import replace

import pytest

from bench.steps import STEPS, steps_of
from diagnostics.finding import Finding, Level
from suite.cell import Cell
from suite.engine.outcome_rules import settled
from suite.engine.run_config import RunConfig
from suite.engine.session import Session
from suite.engine.steps import graph_cell
from suite.outcome import Outcome
from suite.record import Failure
from suite.runs.load import load_run
from suite.runs.store import RunFolder, StoreError
from suite.spec import Gap, ModelSpec, Size
from suite.worker.client import Answer
from suite.worker.fake import FakeWorker
from suite.worker.job_options import JobOptions

EAGER = Cell(model="net", size="tiny")
ORT = replace(EAGER, backend="onnxruntime")
LATENCY = {"metric": "latency", "unit": "s", "samples": [0.1, 0.2]}
EXPORTED = {"facts": {"parity": {"verdict": "passed"}}}


def answer_by_runner(**answers):
    def answer(job):
        step = job.runner.split(":")[0].split(".")[-1]
        step = "export" if "export" in job.runner else step
        found = answers.get(step, {"measurements": [LATENCY]} if step == "latency" else EXPORTED)
        return found if isinstance(found, Answer) else passed(found)

    return answer


def passed(result, **phases):
    return Answer(outcome=Outcome.PASSED, result=result, phases=phases or {"build": 1.0})


def failed(kind="ValueError", message="it broke", outcome=Outcome.FAILED):
    return Answer(
        outcome=outcome, failure=Failure(kind=kind, message=message, log="/somewhere/logs/x.log")
    )


@pytest.fixture
def session_of(tmp_path):
    def make(*gaps, records=None, replicates=1, **answers):
        spec = ModelSpec(
            name="net",
            family="x",
            task="image_classification",
            build=dict,
            sizes={"tiny": Size()},
            outputs=("y",),
            gaps=gaps,
            requires=("torchvision",),
        )
        worker = FakeWorker(answer=answer_by_runner(**answers))
        folder = RunFolder.create(tmp_path)
        session = Session(
            request=RunConfig(
                specs={"net": spec},
                options=JobOptions(),
                deadline=9.0,
                cold_replicates=replicates,
                cache="",
            ),
            folder=folder,
            worker=worker,
            steps=STEPS,
            records=records or {},
            diagnose=lambda text: [Finding(code="seen", area="x", level=Level.ERROR, summary=text)],
        )
        return session, worker

    return make


def runners(worker):
    return [job.runner.split(":")[0].split(".")[-2:] for job in worker.jobs]


def test_a_record_is_on_disk_before_measure_returns(session_of):
    session, _ = session_of()
    record = session.measure(EAGER, "latency")
    assert load_run(session.folder.path).records == (record,)
    assert record.measurement("latency").samples == (0.1, 0.2)


def test_a_graph_is_exported_once_and_before_what_runs_it(session_of):
    session, worker = session_of()
    session.measure(ORT, "latency")
    session.measure(ORT, "memory")
    session.measure(ORT, "export")
    assert runners(worker) == [
        ["export", "run"],
        ["instruments", "latency"],
        ["instruments", "memory"],
    ]


def test_without_a_graph_onnxruntime_is_not_run_with_the_exports_reason(session_of):
    session, worker = session_of(export=failed(message="no rule for aten::strange\ndetails"))
    record = session.measure(ORT, "latency")
    assert record.outcome is Outcome.NOT_RUN
    assert "no rule for aten::strange" in record.failure.message
    assert len(worker.jobs) == 1


def test_a_failed_parity_fails_the_export_and_gives_no_latency(session_of):
    facts = {"facts": {"parity": {"verdict": "failed", "reason": "max_abs 0.3 at batch 3"}}}
    session, worker = session_of(export=passed(facts))
    assert session.measure(ORT, "export").failure.message == "max_abs 0.3 at batch 3"
    assert session.measure(ORT, "latency").outcome is Outcome.NOT_RUN
    assert len(worker.jobs) == 1


def test_a_vacuous_parity_is_not_passed_but_the_graph_is_measured(session_of):
    facts = {"facts": {"parity": {"verdict": "vacuous", "reason": "outputs are constant"}}}
    session, _ = session_of(export=passed(facts))
    assert session.measure(ORT, "export").outcome is Outcome.FAILED
    assert session.measure(ORT, "latency").outcome is Outcome.PASSED


def test_a_declared_gap_is_not_run_and_says_why(session_of):
    session, worker = session_of(Gap(backend="onnxruntime", reason="no RNN", url="https://x"))
    record = session.measure(ORT, "latency")
    assert record.outcome is Outcome.UNSUPPORTED
    assert (record.failure.message, record.failure.url) == ("no RNN", "https://x")
    assert worker.jobs == []


def test_a_gap_in_the_export_reaches_what_would_run_the_graph(session_of):
    session, worker = session_of(Gap(stage="export", reason="static", url="https://x"))
    assert session.measure(ORT, "memory").outcome is Outcome.UNSUPPORTED
    assert session.measure(EAGER, "memory").outcome is Outcome.PASSED
    assert len(worker.jobs) == 1


def test_a_backend_that_lacks_the_dtype_is_unsupported(session_of):
    session, _ = session_of()
    record = session.measure(replace(ORT, dtype="bfloat16"), "latency")
    assert record.outcome is Outcome.UNSUPPORTED
    assert "float32" in record.failure.message


def test_a_known_bug_that_fails_is_known_and_one_that_passes_is_a_failure(session_of):
    gap = Gap(kind="known_bug", backend="eager", reason="broken upstream", url="https://x")
    session, _ = session_of(gap, latency=failed())
    assert session.measure(EAGER, "latency").outcome is Outcome.KNOWN_BUG
    session, _ = session_of(gap)
    record = session.measure(EAGER, "latency")
    assert record.outcome is Outcome.FAILED
    assert "remove the gap" in record.failure.message


def test_a_failure_carries_the_doctors_diagnosis_and_a_log_inside_the_run_folder(session_of):
    session, _ = session_of(latency=failed(message="operator torchvision::nms does not exist"))
    record = session.measure(EAGER, "latency")
    assert record.failure.log == "logs/x.log"
    assert "torchvision::nms" in record.diagnosis[0].summary


def test_cold_observations_come_from_the_workers_that_ran_anyway(session_of):
    session, worker = session_of(
        latency=passed({"measurements": [LATENCY]}, build=1.0, first_forward=0.5, warm=9.0),
        memory=passed({}, build=2.0, first_forward=0.7),
        replicates=2,
    )
    session.measure(EAGER, "latency")
    session.measure(EAGER, "memory")
    jobs = len(worker.jobs)
    record = session.measure(EAGER, "coldstart")
    assert record.measurement("build").samples == (1.0, 2.0)
    assert record.measurement("first_forward").samples == (0.5, 0.7)
    assert record.measurement("warm") is None
    assert len(worker.jobs) == jobs + 1, "only the imports cost another process"


def test_cold_start_alone_starts_as_many_workers_as_the_plan_wants(session_of):
    session, worker = session_of(coldstart=passed({}, build=1.0, first_forward=0.5), replicates=3)
    record = session.measure(EAGER, "coldstart")
    assert record.measurement("build").samples == (1.0, 1.0, 1.0)
    assert record.result.workers == 3
    assert len(worker.jobs) == 4


def test_imports_are_measured_once_for_equal_libraries(session_of):
    session, worker = session_of()
    for batch in (1, 2, 3):
        session.measure(replace(EAGER, batch=batch), "coldstart")
    imports = [job for job in worker.jobs if job.runner.endswith("import_seconds")]
    assert [tuple(job.options.extra["modules"]) for job in imports] == [("torch", "torchvision")]


def test_a_resumed_run_repeats_only_what_did_not_pass(session_of):
    session, _ = session_of(memory=failed())
    for step in ("latency", "memory"):
        session.measure(EAGER, step)
    again, worker = session_of(records=settled(session.records.values()))
    for step in ("latency", "memory"):
        again.measure(EAGER, step)
    assert runners(worker) == [["instruments", "memory"]]


def test_size_is_of_the_module_and_a_graph_is_made_once_for_all_devices():
    assert steps_of(EAGER) == (
        *("build", "size", "latency", "memory", "coldstart"),
        *("generate", "training", "dataloader"),  # generate: of language models alone, `Step.suits`
    )
    assert steps_of(ORT) == ("export", "latency", "pairs", "memory", "coldstart", "generate")
    on_gpu = steps_of(replace(ORT, device="cuda"))
    assert on_gpu == ("latency", "pairs", "memory", "fidelity", "coldstart", "generate")
    assert graph_cell(replace(ORT, device="cuda", dtype="float16")) == ORT


def test_a_run_that_was_cut_off_in_the_middle_of_a_line_goes_on_below_it(session_of):
    session, _ = session_of()
    session.measure(EAGER, "latency")
    with session.folder.records_file.open("a") as file:
        file.write('{"run_id": "cut')
    session.measure(EAGER, "memory")
    run = load_run(session.folder.path)
    assert [r.step for r in run.records] == ["latency", "memory"]
    assert len(run.problems) >= 1


def test_an_interrupted_document_leaves_the_old_one(session_of):
    session, _ = session_of()
    session.folder.write_json("run.json", {"a": 1})
    loop = {}
    loop["self"] = loop
    with pytest.raises(ValueError, match="Circular"):
        session.folder.write_json("run.json", loop)
    assert json.loads((session.folder.path / "run.json").read_text()) == {"a": 1}
    assert [p.name for p in session.folder.path.iterdir() if p.name.startswith(".")] == []


def test_a_folder_that_cannot_be_written_names_the_option(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--out"):
        RunFolder.create(tmp_path / "file")


def test_graphs_are_made_ahead_once_each_and_spread_over_the_workers(session_of):
    session, first = session_of()
    second = FakeWorker(answer=first.answer)
    cells = [
        EAGER,
        *(replace(ORT, batch=batch) for batch in (1, 2, 3, 4)),
        replace(ORT, device="cuda"),
    ]
    session.export_ahead(cells, [first, second])
    done = [job.cell.batch for job in (*first.jobs, *second.jobs)]
    assert sorted(done) == [1, 2, 3, 4]
    assert len(load_run(session.folder.path).records) == 4
    session.measure(ORT, "latency")
    assert runners(first)[-1] == ["instruments", "latency"]
    assert len(first.jobs) + len(second.jobs) == 5


def test_the_longest_export_is_made_first(session_of, monkeypatch):
    session, worker = session_of()
    monkeypatch.setattr(
        "suite.engine.session.typical_seconds", lambda cell, step, steps: cell.batch
    )
    session.export_ahead([replace(ORT, batch=batch) for batch in (1, 3, 2)], [worker])
    assert [job.cell.batch for job in worker.jobs] == [3, 2, 1]


def test_of_two_sessions_with_one_cache_each_begins_at_its_own_end(session_of, monkeypatch):
    sizes = {1: 1, 2: 1, 3: 9}  # two of the same length, too
    monkeypatch.setattr(
        "suite.engine.session.typical_seconds", lambda cell, step, steps: sizes[cell.batch]
    )
    cells = [replace(ORT, batch=batch) for batch in sizes]
    orders = []
    for asked, longest_first in ((cells, True), (cells[::-1], False)):
        session, worker = session_of()
        session.export_ahead(asked, [worker], longest_first=longest_first)
        orders.append([job.cell.batch for job in worker.jobs])
    assert orders == [[3, 1, 2], [2, 1, 3]]


def test_a_graph_in_a_declared_gap_is_not_made_ahead(session_of):
    session, worker = session_of(Gap(stage="export", reason="static", url="https://x"))
    session.export_ahead([ORT], [worker])
    assert worker.jobs == []
    assert session.measure(ORT, "export").outcome is Outcome.UNSUPPORTED


TRAINED = replace(EAGER, variant="trained")
PRUNED = replace(EAGER, variant="pruned")
BROKEN = {"facts": {"claims": [{"name": "it learns", "holds": False, "evidence": "1 -> 1"}]}}


def test_what_a_stage_starts_from_is_made_first_and_once(session_of):
    session, worker = session_of()
    session.measure(PRUNED, "prune")
    session.measure(replace(EAGER, variant="full"), "finetune")
    assert [runner[-1] for runner in runners(worker)] == ["train", "prune", "finetune"]
    assert session.records[f"{TRAINED.id}/train"].outcome is Outcome.PASSED


def test_a_claim_that_does_not_hold_fails_the_stage_and_keeps_its_numbers(session_of):
    session, _ = session_of(train={**BROKEN, "measurements": [LATENCY]})
    record = session.measure(TRAINED, "train")
    assert record.outcome is Outcome.FAILED
    assert "it learns: 1 -> 1" in record.failure.message
    assert record.measurements


def test_without_its_state_a_stage_is_not_run_and_says_which_one_is_missing(session_of):
    session, worker = session_of(train=BROKEN)
    record = session.measure(PRUNED, "prune")
    assert record.outcome is Outcome.NOT_RUN
    assert "no trained state" in record.failure.message
    assert "it learns" in record.failure.message
    assert len(worker.jobs) == 1, "pruning must not have begun"


def test_a_gap_of_one_variant_leaves_the_others_alone(session_of):
    gap = Gap(stage="finetune", variant="partial", reason="no head", url="https://example.org/1")
    session, _ = session_of(gap)
    partial = session.measure(replace(EAGER, variant="partial"), "finetune")
    assert partial.outcome is Outcome.UNSUPPORTED
    assert partial.failure.url == "https://example.org/1"
    assert session.measure(replace(EAGER, variant="full"), "finetune").outcome is Outcome.PASSED


def test_what_starts_from_a_gap_is_a_gap_too(session_of):
    gap = Gap(stage="train", reason="no loss", url="https://example.org/2")
    session, worker = session_of(gap)
    record = session.measure(PRUNED, "prune")
    assert record.outcome is Outcome.UNSUPPORTED
    assert record.failure.url == "https://example.org/2"
    assert worker.jobs == []


def test_steps_done_ahead_are_waited_for_and_done_once(session_of):
    session, worker = session_of()
    groups = [[(TRAINED, "train"), (PRUNED, "prune")], [(EAGER, "build")]]
    session.ahead(groups, [worker, FakeWorker(answer=worker.answer)])
    for cell, step in (pair for group in groups for pair in group):
        assert session.measure(cell, step).outcome is Outcome.PASSED
    session.join()
    assert sum(runner[-1] in ("train", "prune", "build") for runner in runners(worker)) <= 3
    assert session.pending == set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_breaks_down_keeps_nobody_waiting(session_of):
    session, worker = session_of()

    def breaks(job):
        raise OSError("the disk is gone")

    session.ahead([[(TRAINED, "train")]], [FakeWorker(answer=breaks)])
    assert session.measure(TRAINED, "train").outcome is Outcome.PASSED
    assert len(worker.jobs) == 1


def test_what_is_broken_off_leaves_no_record(session_of):
    session, _ = session_of()
    session.stop()
    session.measure(TRAINED, "train")
    assert session.records == {}
    assert not session.folder.records_file.exists()


def test_a_known_answer_case_has_gaps_of_its_own(session_of):
    session, worker = session_of()
    cell = Cell(model="foundations", size="tiny", dtype="bfloat16")
    skipped = session.measure(cell, "foundations:finite_differences")
    assert skipped.outcome is Outcome.UNSUPPORTED
    assert session.measure(cell, "foundations:creation").outcome is Outcome.PASSED
    assert [job.options.case for job in worker.jobs] == ["creation"]
