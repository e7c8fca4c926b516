"""Rows of a gate beside latency: training steps, loading and generation, by wall time."""

from dataclasses import replace
from functools import partial

import pytest
from gate_machine import Machine, failed, run_on

from bench.gate.errors import GateError
from bench.gate.markdown import to_markdown
from bench.gate.options import _steps
from bench.gate.verdict import Exit, Verdict
from bench.instruments.options import DATALOADER, GENERATE, LATENCY, TRAINING
from suite.cell import Cell
from suite.outcome import Outcome

CELL = Cell(model="mlp", size="tiny")


@pytest.fixture
def gated(tmp_path):
    """The gate over `mlp`, eager."""
    return partial(run_on, out=tmp_path)


class Slower(Machine):
    """A machine on which the head arm's steps of one kind are slower by a tenth."""

    slow = TRAINING

    def answer(self, arm, job, rng):
        self.slower = 1.1 if job.options.extra.get("step") == self.slow else 1.0
        return super().answer(arm, job, rng)


def test_a_training_step_that_got_slower_fails_the_gate_although_latency_did_not(gated):
    machine = Slower()
    gate = gated(machine, chosen=((CELL, LATENCY), (CELL, TRAINING)))
    assert gate.exit is Exit.REGRESSED
    assert {row.name: row.verdict for row in gate.rows} == {
        CELL.id: Verdict.NO_REGRESSION,
        f"{CELL.id}/training": Verdict.REGRESSED,
    }
    assert "mlp, tiny: Eager on cpu, batch 1, training step" in to_markdown(gate)


def test_a_step_has_no_facts_of_its_own_and_its_cause_is_no_profile_of_a_pass(gated):
    machine = Slower()
    gate = gated(machine, chosen=((CELL, TRAINING),))
    kinds = {name for _, name, _ in machine.jobs}
    assert not kinds & {"static_facts:run", "profile:run", "agreement:run"}
    assert gate.rows[0].cause is not None
    assert gate.rows[0].cause.operators == ()


def test_a_step_that_a_model_does_not_have_is_skipped_in_words(gated):
    class Without(Machine):
        def answer(self, arm, job, rng):
            if job.options.extra.get("step") == GENERATE:
                return failed("keeps no cache", "Unsupported", Outcome.UNSUPPORTED)
            return super().answer(arm, job, rng)

    gate = gated(Without(), chosen=((CELL, LATENCY), (CELL, GENERATE)))
    assert gate.exit is Exit.PASS
    assert gate.rows[1].skipped == "unsupported: keeps no cache"


def test_steps_are_asked_for_by_name_and_a_slip_is_one_sentence():
    assert _steps("all") == (LATENCY, TRAINING, DATALOADER, GENERATE)
    assert _steps("generate, latency") == (LATENCY, GENERATE)
    with pytest.raises(GateError, match=r"--gated trainig: expected .*did you mean training"):
        _steps("trainig")


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("model", "step"),
    [("mlp", TRAINING), ("mlp", DATALOADER), ("gpt2", GENERATE), ("mlp", LATENCY)],
)
def test_the_subject_of_each_step_can_be_called_again_and_again(model, step, tmp_path):
    pytest.importorskip("torch")
    from bench.instruments.turn_subjects import SUBJECTS
    from suite.options import Asked, resolve
    from suite.worker.protocol import CellJob

    asked = resolve(Asked(models=[model], size="tiny", backend="eager"), num_gpus=0, num_cores=1)
    options = replace(asked.job_options, plan={}, run_dir=str(tmp_path))
    job = CellJob(runner="", cell=Cell(model=model, size="tiny"), options=options)
    subject = SUBJECTS[step](job, lambda kind, **data: None)
    with subject.inference():
        found = [subject.call() for _ in range(3)]
        subject.synchronize()
    assert len(found) == 3
