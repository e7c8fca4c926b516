"""A gate with instructions as second witness, on workers that run nothing."""

import tomllib
from functools import partial

import pytest
from gate_machine import Controls, Machine, failed, passed, run_on, self_tested

from bench.gate.errors import GateError
from bench.gate.instruction_counter import Hardware
from bench.gate.markdown import to_markdown
from bench.gate.row import Row
from bench.gate.thresholds import Limits, parse_thresholds
from bench.gate.valgrind import Valgrind
from bench.gate.verdict import Exit, Verdict
from bench.gate.wording import growth_lines, witness_text
from bench.gate.work import Count, judge_work
from suite.cell import Cell
from suite.worker.client import LauncherError

WHOLE = 1e6


class Counted(Machine):
    """A machine whose arms also count: `more` is head's share of work over base's; `noise` is that of wall time."""

    is_named = True
    """Whether functions and operators are known."""

    def __init__(self, more=0.0, fails="", **fields):
        super().__init__(**fields)
        self.more, self.fails = more, fails

    def answer(self, arm, job, rng):
        if not job.runner.endswith("instructions:run"):
            return super().answer(arm, job, rng)
        self.jobs.append((arm, "instructions:run", job))
        if self.fails:
            return failed(self.fails)
        whole = WHOLE * (1 + (self.more if arm == "head" else 0.0))
        counts = [whole * (1 + 0.0002 * rng.random()) for _ in range(5)]
        if not self.is_named:
            return passed(counts=counts)
        return passed(
            counts=counts, operators={"relu": whole - 0.9 * WHOLE}, functions={"max(float)": whole}
        )


@pytest.fixture
def gated(tmp_path):
    """The gate over `mlp`, eager."""
    return partial(run_on, out=tmp_path)


@pytest.fixture(autouse=True)
def valgrind(monkeypatch):
    found = Valgrind(path="valgrind", version="3.19.0")
    monkeypatch.setattr("bench.gate.witness.find_counter", lambda: found)


def test_work_that_grew_by_two_percent_fails_the_gate_where_time_sees_nothing(gated):
    gate = gated(Counted(more=0.02), witness="instructions")
    (row,) = gate.rows
    assert (row.verdict, row.work.verdict) == (Verdict.NO_REGRESSION, Verdict.REGRESSED)
    assert gate.exit is Exit.REGRESSED
    assert "1 more work" in gate.sentence
    assert witness_text(row).startswith("work grew by +2.0%")
    assert any(line.startswith("operator relu: ") for line in growth_lines(row))
    assert any(line.startswith("function max(float): ") for line in growth_lines(row))
    assert "more work by" in to_markdown(gate)


def test_a_growth_is_confirmed_by_fresh_processes_and_equal_work_is_not(gated):
    def num_counts(more):
        machine = Counted(more=more)
        gated(machine, witness="instructions")
        return sum(name == "instructions:run" for _, name, _ in machine.jobs)

    assert (num_counts(0.0), num_counts(0.02)) == (4, 8)


def test_both_arms_count_on_one_thread_under_callgrind_with_the_same_kernels(gated):
    machine = Counted()
    gated(machine, witness="instructions")
    again = [launch for _, launch, _ in machine.workers if "--tool=callgrind" in launch["prefix"]]
    assert len(again) == 2
    assert all(launch["variables"]["ONEDNN_MAX_CPU_ISA"] == "AVX2" for launch in again)
    assert {job.options.threads for _, name, job in machine.jobs if name.startswith("instr")} == {1}


def test_auto_counts_nothing_where_time_can_tell(gated):
    machine = Counted(more=0.02)
    assert gated(machine, witness="auto").exit is Exit.PASS
    assert len(machine.workers) == 2


def test_the_bisect_line_asks_the_witness_that_saw_it(gated):
    from bench.gate.cause import Repeat, bisect_command
    from bench.gate.source_tree import SourceTree
    from suite.import_root import TREE

    row = Row(cell=Cell(model="mlp", size="tiny"), limits=Limits())
    base = SourceTree(label="main", tree=TREE, sha="a" * 40)
    assert "--witness auto" in bisect_command(row, base, base, Repeat(plan="quick", witness="auto"))
    assert "--witness" not in bisect_command(row, base, base, Repeat(plan="quick"))


def test_a_row_that_cannot_be_counted_says_why_and_keeps_its_verdict_on_time(gated):
    gate = gated(Counted(fails="no memory"), witness="instructions")
    (row,) = gate.rows
    assert row.verdict is Verdict.NO_REGRESSION
    assert witness_text(row) == "its instructions could not be counted in base: no memory" or (
        witness_text(row) == "its instructions could not be counted in head: no memory"
    )


def test_without_valgrind_counts_that_were_asked_for_are_an_error_before_anything_runs(
    gated,
    monkeypatch,
):
    def missing():
        raise GateError("not installed; next: apt-get install valgrind")

    monkeypatch.setattr("bench.gate.witness.find_counter", missing)
    machine = Counted()
    with pytest.raises(GateError, match="--witness instructions: not installed"):
        gated(machine, witness="instructions")
    assert machine.jobs == []
    gate = gated(Counted(), witness="auto")
    assert any("not installed" in note for note in gate.notes)


class CountedControls(Controls):
    """The control models, counted: each takes the instructions that its name says; `blind` counts see no difference."""

    blind = False

    def answer(self, arm, job, rng):
        if not job.runner.endswith("instructions:run"):
            return super().answer(arm, job, rng)
        more = 0 if self.blind else int(job.cell.model.partition("-plus-")[2] or 0)
        return passed(counts=[WHOLE * (100 + more) / 100 * (1 + 0.0004 * rng.random())] * 3)


def test_a_self_test_says_the_smallest_threshold_of_each_witness_and_writes_the_table(tmp_path):
    found = self_tested(CountedControls(), tmp_path, witness="instructions")
    assert found.supports_plan, found.sentence
    assert found.supported_work < 0.002
    text = (tmp_path / "selftest" / "thresholds.toml").read_text()
    table = tomllib.loads(text)["tool"]["vitals"]["thresholds"]
    assert table["work"] == "0.2%"
    assert parse_thresholds(table, "[t]").for_cell(Cell(model="mlp", size="tiny")).shares["work"]


def test_counts_that_do_not_see_more_work_fail_the_self_test(tmp_path):
    machine = CountedControls()
    machine.blind = True
    found = self_tested(machine, tmp_path, witness="instructions")
    assert not found.supports_plan
    assert "did not show the work of dispatch-plus-5" in found.sentence


def test_a_self_test_without_valgrind_has_no_threshold_of_work(tmp_path, monkeypatch):
    def missing():
        raise GateError("not installed; next: apt-get install valgrind")

    monkeypatch.setattr("bench.gate.witness.find_counter", missing)
    found = self_tested(CountedControls(), tmp_path, witness="auto")
    assert found.supported_work is None
    assert "not installed" in found.without
    assert "work" not in found.thresholds


class CountedByTheProcessor(Counted):
    """A machine whose processor counts without knowing functions; under callgrind they are known."""

    @property
    def is_named(self):
        return len(self.workers) > 4  # two arms, and the same two started again to be counted


def test_what_the_processor_counted_more_is_named_by_valgrind(gated, monkeypatch):
    monkeypatch.setattr("bench.gate.witness.find_counter", Hardware)
    monkeypatch.setattr(
        "bench.gate.witness.find_valgrind", lambda: Valgrind(path="valgrind", version="3.19.0")
    )
    machine = CountedByTheProcessor(more=0.02)
    (row,) = gated(machine, witness="instructions").rows
    assert (row.work.verdict, row.work.counted_by) == (Verdict.REGRESSED, "the processor")
    assert any(line.startswith("operator relu: ") for line in growth_lines(row))
    assert ["--tool=callgrind" in w["prefix"] for _, w, _ in machine.workers][2:] == [0, 0, 1, 1]


def test_without_valgrind_the_processors_verdict_stands_and_a_note_tells_what_is_missing(
    gated, monkeypatch
):
    def missing():
        raise GateError("Valgrind is not installed; next: apt-get install valgrind")

    monkeypatch.setattr("bench.gate.witness.find_counter", Hardware)
    monkeypatch.setattr("bench.gate.witness.find_valgrind", missing)
    gate = gated(CountedByTheProcessor(more=0.02), witness="instructions")
    assert gate.exit is Exit.REGRESSED
    assert any("where the instructions went is not known: Valgrind is" in n for n in gate.notes)


def test_rows_that_were_to_be_counted_and_were_not_are_told_and_strict_does_not_let_them_pass(
    gated,
):
    gate = gated(Counted(fails="no memory"), witness="instructions")
    assert any("1 of 1 rows were not counted" in note for note in gate.notes)
    assert "1 unsure in work" in gate.sentence
    assert "could not be counted" in to_markdown(gate)
    assert gated(Counted(fails="no memory"), witness="instructions", is_strict=True).exit == 4


def test_counts_that_fail_where_they_were_only_a_help_leave_the_exit_code_to_time(gated):
    narrow = parse_thresholds({"latency": "2%", "latency_clear": "2.1%"}, "[t]")
    gate = gated(Counted(fails="no memory", slower=1.0205), witness="auto", thresholds=narrow)
    assert gate.rows[0].verdict is Verdict.INCONCLUSIVE
    assert "could not be counted" in gate.rows[0].work_note
    assert gate.exit is Exit.PASS


def test_counts_of_which_there_is_not_one_do_not_pass_though_times_stay(gated):
    gate = gated(Counted(fails="no memory"), witness="instructions")
    assert gate.exit is Exit.INCONCLUSIVE
    assert gate.sentence.startswith("no row's instructions could be counted")
    assert gate.rows[0].finding is not None


def test_a_launcher_that_does_not_start_to_be_counted_loses_no_times(gated, monkeypatch):
    def broken(arm):
        raise LauncherError("valgrind: Illegal instruction")

    monkeypatch.setattr("bench.gate.witness._wait", broken)
    gate = gated(Counted(), witness="instructions")
    assert gate.exit is Exit.INCONCLUSIVE
    (row,) = gate.rows
    assert row.verdict is Verdict.NO_REGRESSION
    assert "does not know an instruction" in row.work_note


def test_steps_that_are_no_passes_are_named_as_not_counted(gated):
    cell = Cell(model="mlp", size="tiny")
    gate = gated(Counted(), witness="instructions", chosen=[(cell, "training")])
    assert any("of forward passes, not of training" in note for note in gate.notes)
    assert gate.exit is Exit.PASS


def test_work_that_cannot_be_told_says_either_only_where_time_cannot_tell_too():
    work = judge_work(
        [Count(counts=(1.0e6,)), Count(counts=(1.03e6,))],
        [Count(counts=(1.0e6,)), Count(counts=(1.06e6,))],
        limit=0.01,
        operator_limit=0.05,
    )
    assert work.verdict is Verdict.INCONCLUSIVE
    row = Row(cell=Cell(model="mlp", size="tiny"), limits=Limits(), work=work)
    for verdict, words in (
        (Verdict.NO_REGRESSION, "cannot tell:"),
        (Verdict.INCONCLUSIVE, "cannot tell either:"),
    ):
        row.verdict = verdict
        assert words in witness_text(row)
