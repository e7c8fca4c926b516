"""A whole gate on workers that run nothing: what each kind of change does to the exit code, and what is left behind."""

import io
import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from gate_machine import (
    BUDGET,
    SPECS,
    Controls,
    Machine,
    failed,
    passed,
    run_on,
    self_tested,
)
from rich.console import Console

from bench.gate.errors import GateError
from bench.gate.options import GateOptions
from bench.gate.pairing import BlockFailed
from bench.gate.plugin import GatePlugin, failure_reason
from bench.gate.row import Row
from bench.gate.schedule import Schedule
from bench.gate.thresholds import Limits, parse_thresholds
from bench.gate.verdict import Exit, Verdict
from suite import spec_codec
from suite.cell import Cell
from suite.options import Asked, resolve
from suite.outcome import Outcome
from suite.record import Failure, Record
from suite.worker.version import PROTOCOL

ROOT = Path(__file__).parents[2]


@pytest.fixture
def gated(tmp_path):
    """`gated(machine, **request)`: the gate over `mlp`, eager."""
    return partial(run_on, out=tmp_path)


def test_equal_arms_pass_and_nothing_is_confirmed(gated):
    machine = Machine()
    gate = gated(machine, backend="eager,onnxruntime")
    assert gate.exit is Exit.PASS
    assert [row.verdict for row in gate.rows] == [Verdict.NO_REGRESSION] * 2
    assert not any(row.confirm for row in gate.rows)


def test_a_slower_head_regresses_with_its_cause(gated):
    gate = gated(Machine(slower=1.10))
    assert gate.exit is Exit.REGRESSED
    assert gate.rows[0].cause.operators[0]["operator"] == "aten::mm"


def test_more_parameters_fail_exactly_and_a_threshold_allows_them(gated):
    assert gated(Machine(parameters=1030.0)).exit is Exit.REGRESSED
    allowed = parse_thresholds({"mlp": {"parameters": "3%"}}, "[t]")
    assert gated(Machine(parameters=1030.0), thresholds=allowed).exit is Exit.PASS


def test_other_outputs_end_the_comparison_before_any_speed(gated):
    machine = Machine(parity="failed", slower=1.10)
    gate = gated(machine)
    assert gate.exit is Exit.BROKEN
    assert gate.rows[0].verdict is None
    assert not any(name == "turns:run" for _, name, _ in machine.jobs)


def test_other_outputs_of_another_number_of_weights_are_incomparable_not_wrong(gated):
    gate = gated(Machine(parity="failed", parameters=1030.0))
    assert gate.rows[0].parity == "incomparable"
    assert gate.exit is Exit.REGRESSED


def test_parity_that_is_switched_off_is_not_looked_at(gated):
    off = parse_thresholds({"mlp": {"parity": False}}, "[t]")
    assert gated(Machine(parity="failed"), thresholds=off).exit is Exit.PASS


def test_memory_that_moved_is_measured_again_in_both_arms(gated):
    machine = Machine(peak=2e8)
    gate = gated(machine)
    assert gate.exit is Exit.REGRESSED
    assert gate.rows[0].worst_exact[0].note.startswith("middle of 5, ")
    assert sum(name == "static_facts:run" for _, name, _ in machine.jobs) == 12


def test_memory_that_cannot_be_measured_again_is_no_regression_and_not_passed_by_a_strict_gate(
    gated,
):
    class Once(Machine):
        def answer(self, arm, job, rng):
            seen = sum(a == "head" and name == "static_facts:run" for a, name, _ in self.jobs)
            found = super().answer(arm, job, rng)
            is_again = arm == "head" and job.runner.endswith("static_facts:run") and seen
            return failed("killed") if is_again else found

    gate = gated(Once(peak=2e8))
    (moved,) = [e for e in gate.rows[0].exact if e.metric == "peak_rss_delta"]
    assert (moved.verdict, moved.note) == (Verdict.INCONCLUSIVE, "could not be measured again")
    assert gate.exit is Exit.PASS
    assert replace(gate, is_strict=True).exit is Exit.INCONCLUSIVE


def test_a_head_that_does_not_run_is_broken(gated):
    gate = gated(Machine(head_fails="boom"))
    assert gate.exit is Exit.BROKEN
    assert "boom" in gate.rows[0].broken


def test_a_base_that_does_not_run_leaves_nothing_to_compare(gated):
    gate = gated(Machine(base_fails="boom"))
    assert gate.rows[0].skipped.startswith("base failed: boom")
    assert gate.exit is Exit.BROKEN


def test_a_model_that_base_does_not_have_is_new_and_no_failure_of_its_own(gated):
    machine = Machine()
    machine.records["base"] = passed(specs={"mlp": None}, versions={})
    assert gated(machine).rows[0].skipped == "new: base does not have it"


def test_a_gap_that_is_new_in_head_fails(gated):
    data = spec_codec.to_dict(SPECS["mlp"])
    gap = {"backend": "eager", "stage": "bench", "reason": "given up", "url": "https://x"}
    machine = Machine()
    machine.records["head"] = passed(specs={"mlp": {**data, "gaps": [gap]}}, versions={})
    gate = gated(machine)
    assert "given up" in gate.rows[0].lost
    assert gate.exit is Exit.REGRESSED


def test_a_gap_in_both_is_skipped(gated):
    data = spec_codec.to_dict(SPECS["mlp"])
    gap = {"backend": "onnxruntime", "stage": "bench", "reason": "never", "url": "https://x"}
    machine = Machine()
    for arm in ("base", "head"):
        machine.records[arm] = passed(specs={"mlp": {**data, "gaps": [gap]}}, versions={})
    gate = gated(machine, backend="eager,onnxruntime")
    assert {row.cell.backend: bool(row.skipped) for row in gate.rows} == {
        "eager": False,
        "onnxruntime": True,
    }
    assert gate.exit is Exit.PASS


@pytest.mark.parametrize("arm", ["base", "head"])
def test_a_models_file_that_fails_to_import_in_one_arm_names_the_arm(gated, arm):
    machine = Machine()
    machine.records[arm] = failed("--models-from m.py: does not import: NameError", "CatalogError")
    with pytest.raises(GateError, match=rf"the {arm} arm, .*does not import: NameError"):
        gated(machine)
    assert all(worker.is_closed for _, _, worker in machine.workers)


def test_a_version_too_old_for_the_instruments_is_told_so(gated):
    machine = Machine()
    machine.records["base"] = failed("No module named 'suite.provenance'", "ModuleNotFoundError")
    with pytest.raises(GateError, match=r"suite.provenance.*name a newer one"):
        gated(machine)


@pytest.fixture
def older_tree(tmp_path):
    """A source tree from before the worker protocol had a version, with its own instruments."""
    tree = tmp_path / "older"
    for file in (
        "suite/spec.py",
        "suite/worker/protocol.py",
        *(f"bench/instruments/{n}.py" for n in ("facts", "records", "turns", "profile")),
        "diagnostics/__init__.py",
    ):
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).touch()
    return tree


def test_an_older_tree_is_measured_by_its_own_instruments_under_their_own_names(gated, older_tree):
    machine = Machine(slower=1.10)
    gate = gated(machine, against=str(older_tree))
    assert gate.exit is Exit.REGRESSED  # its results are mappings, and are read all the same
    ran = {arm: {name for a, name, _ in machine.jobs if a == arm} for arm in ("base", "head")}
    assert ran["base"] >= {"records:run", "facts:run", "turns:run"}
    assert ran["head"] >= {"model_specs:run", "static_facts:run", "turns:run"}
    preloads = {arm: launch["preload"] for arm, launch, _ in machine.workers}
    assert "bench.instruments.facts" in preloads["base"]
    assert "bench.instruments.static_facts" in preloads["head"]
    assert any("is measured by its own" in note for note in gate.notes)


def test_an_older_tree_is_imported_with_its_own_packages(gated, older_tree):
    seen = {}

    class Looking(Machine):
        def start(self, **launch):
            arm = Path(launch["log"]).parents[1].name
            seen[arm] = {p.name: p.resolve() for p in Path(launch["tree"]).iterdir()}
            return super().start(**launch)

    gated(Looking(), against=str(older_tree))
    assert seen["base"] == {n: older_tree / n for n in ("suite", "bench", "diagnostics")}
    assert seen["head"] == {n: ROOT / n for n in ("suite", "bench", "diagnostics", "vitals")}


def test_a_tree_of_this_protocol_shares_the_instruments(gated, older_tree):
    version = older_tree / "suite/worker/version.py"
    version.write_text(f"PROTOCOL: Final = {PROTOCOL}\n")
    machine = Machine()
    gate = gated(machine, against=str(older_tree))
    assert {name for _, name, _ in machine.jobs} >= {"static_facts:run"}
    assert "facts:run" not in {name for _, name, _ in machine.jobs}
    assert not any("its own" in note for note in gate.notes)


def test_an_older_tree_without_instruments_is_refused_with_the_next_step(gated, older_tree):
    (older_tree / "bench").rename(older_tree / "elsewhere")
    with pytest.raises(GateError, match=r"too old.*folder bench"):
        gated(Machine(), against=str(older_tree))


def test_a_control_that_moves_makes_the_run_contaminated(gated):
    assert gated(Machine(slower=1.10, control=1.08)).exit is Exit.CONTAMINATED


def test_with_another_interpreter_the_control_runs_head_against_head(gated):
    machine = Machine()
    gated(machine, python="/other/python")
    pythons = {arm: launch["python"] for arm, launch, _ in machine.workers}
    assert pythons["base"] == "/other/python"
    assert pythons["control"] == pythons["head"] != "/other/python"
    controls = {arm for arm, name, _ in machine.jobs if name == "turns:run_control"}
    assert controls == {"control", "head"}


def test_libraries_that_differ_are_named(gated):
    machine = Machine()
    data = {"mlp": spec_codec.to_dict(SPECS["mlp"])}
    machine.records["base"] = passed(specs=data, versions={"torch": "1"})
    assert "the arms' libraries differ: torch 1 → 2" in gated(machine, python="/other/python").notes


def test_both_arms_of_a_block_have_one_seed_and_every_block_another(gated):
    machine = Machine()
    gated(machine)
    seeds = {"base": [], "head": []}
    for arm, name, job in machine.jobs:
        if name == "turns:run":
            seeds[arm].append(job.options.seed)
    assert seeds["base"] == seeds["head"]
    assert len(set(seeds["base"])) == BUDGET.screen


def test_both_arms_have_environments_of_one_length(gated):
    machine = Machine()
    gated(machine)
    sizes = {
        len("".join(map(str, (launch["tree"], *launch["paths"]))))
        + len(launch["variables"]["VITALS_PAD"])
        for _, launch, _ in machine.workers
    }
    assert len(sizes) == 1


def test_a_folder_that_cannot_be_written_is_one_error(gated, tmp_path):
    (tmp_path / "gates").write_text("a file")
    with pytest.raises(GateError, match="--out .*: cannot be written"):
        gated(Machine())


def test_our_own_files_are_no_change_of_the_head_arm(gated, tmp_path):
    gated(Machine(), out=tmp_path / ".vitals")
    assert (tmp_path / ".vitals" / ".gitignore").read_text() == "*\n"
    gated(Machine(), out=tmp_path / "named")
    assert not (tmp_path / "named" / ".gitignore").exists()


def test_a_quiet_machine_supports_the_plan_and_finds_every_control(tmp_path):
    found = self_tested(Controls(), tmp_path)
    assert found.supports_plan, found.sentence
    assert {more: t.regressed for more, t in found.this.tallies.items()} == {0: 0, 5: 3, 10: 3}
    assert all(check.holds for check in found.memory)
    assert len(found.memory) == 4


def test_self_tests_of_one_environment_add_up(tmp_path):
    self_tested(Controls(), tmp_path)
    found = self_tested(Controls(), tmp_path)
    assert found.total.runs == 2
    assert found.total.tallies[0].rows == 6
    assert found.total.false_alarm_bound < 0.5


def test_a_ledger_that_is_cut_off_begins_anew_and_says_so(tmp_path):
    self_tested(Controls(), tmp_path)
    file = next((tmp_path / "selftest").glob("*.json"))
    file.write_text(file.read_text()[:40])
    found = self_tested(Controls(), tmp_path)
    assert found.total.runs == 1
    assert "could not be read" in found.note


def test_a_machine_that_cannot_tell_says_which_threshold_it_can(tmp_path):
    class Noisy(Controls):
        def slower_of(self, job):
            return super().slower_of(job) * (1 + random.Random(len(self.jobs)).gauss(0, 0.08))

    found = self_tested(Noisy(), tmp_path)
    assert not found.supports_plan
    assert found.supported > found.threshold
    assert "latency_clear" in found.sentence


def test_a_memory_instrument_that_is_off_fails_the_self_test(tmp_path):
    found = self_tested(Machine(), tmp_path)
    assert not found.supports_plan
    assert "an allocation of 200 MB was not reported" in found.sentence


class Hanging(Machine):
    """A machine on which the passes of some arms take all of their time."""

    arms = ("base", "head")

    def answer(self, arm, job, rng):
        if arm in self.arms and job.runner.endswith("turns:run"):
            return failed("not done after 600 s", kind="deadline", outcome=Outcome.TIMED_OUT)
        return super().answer(arm, job, rng)


def test_a_pass_that_hangs_in_both_arms_fails_the_gate_and_blames_neither(gated):
    gate = gated(Hanging())
    (row,) = gate.rows
    assert row.broken.startswith("both timed_out while it was timed: neither arm finished")
    assert gate.exit is Exit.BROKEN


class Impatient(Machine):
    """A machine on which `waits` gives up waiting for the other arm's turn."""

    waits = "base"

    def answer(self, arm, job, rng):
        if job.runner.endswith("turns:run"):
            kind = "TimeoutError" if arm == self.waits else "ArmLost"
            return failed("timed out" if arm == self.waits else "the other arm ended", kind=kind)
        return super().answer(arm, job, rng)


@pytest.mark.parametrize(("waits", "late"), [("base", "head"), ("head", "base")])
def test_the_arm_that_keeps_the_other_one_waiting_is_the_one_that_failed(gated, waits, late):
    machine = Impatient()
    machine.waits = waits
    (row,) = gated(machine).rows
    said = row.broken if late == "head" else row.skipped
    assert said.startswith(f"{late} failed while it was timed: it kept the other arm waiting")


def test_a_row_that_was_given_up_while_it_was_timed_does_not_pass_under_strict():
    def taken(row, number):
        if row.cell.model == "lost":
            raise BlockFailed("base", blank)

    cell = Cell(model="lost", size="tiny")
    blank = Record(
        run_id="",
        cell=cell,
        step="latency",
        outcome=Outcome.CRASHED,
        failure=Failure(kind="SIGSEGV", message="died"),
    )
    row = Row(cell=cell, limits=Limits())
    Schedule(rows=[row], budget=BUDGET, take_block=taken, take_control=lambda number: None).run()
    assert row.skipped.startswith("base crashed")
    assert row.is_uncertain
    assert "base crashed" in failure_reason(row, is_strict=True)
    assert not failure_reason(row, is_strict=False)


def test_a_pass_that_hangs_in_head_alone_is(gated):
    machine = Hanging()
    machine.arms = ("head",)
    (row,) = gated(machine).rows
    assert row.broken.startswith("head timed_out")
    assert sum(name == "turns:run" for _, name, _ in machine.jobs) < 2


def test_a_self_test_whose_control_fails_is_one_sentence(tmp_path):
    class Failing(Controls):
        def answer(self, arm, job, rng):
            if job.runner.endswith("run_control"):
                return failed("no matrix")
            return super().answer(arm, job, rng)

    with pytest.raises(GateError, match="the negative control does not run in the head arm"):
        self_tested(Failing(), tmp_path)


def plugin_for(models, console=None, **asked):
    selection = resolve(Asked(models=models, size="tiny"), num_gpus=0, num_cores=1)
    options = GateOptions(**{"against": "HEAD", **asked})
    return GatePlugin(options, selection, None, console)


def test_a_step_that_none_of_the_models_has_is_an_error_and_no_green_build():
    with pytest.raises(GateError, match="--gated generate: none of the chosen models has it"):
        plugin_for(["mlp"], steps=("generate",))
    assert plugin_for(["gpt2"], steps=("generate",))


def test_an_error_of_our_own_is_not_taken_for_a_regression(monkeypatch):
    def broken(plugin, config, session):
        raise ZeroDivisionError("ours")

    console = Console(file=io.StringIO(), width=200)
    monkeypatch.setattr(GatePlugin, "_compare", broken)
    with pytest.raises(pytest.exit.Exception, match="an error of its own") as ended:
        plugin_for(["mlp"], console)._run(None, None)
    assert ended.value.returncode == 2
    assert "ZeroDivisionError: ours" in console.file.getvalue()
