"""The deep tier: a crash, a hang, an error and a wrong number are told apart, and nothing spreads."""

from __future__ import annotations

import dataclasses
import sys
import time

import pytest
from sample_environments import healthy, python, system

from diagnostics import records as a
from diagnostics.deep import trials
from diagnostics.deep.trials import ATTEMPTS, IMPORTS, Attempt, attempt, execute
from diagnostics.doctor import examine, run
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.registry import checks

HERE = healthy(python=python(executable=sys.executable))


def tried(script: str, seconds: float = 20.0, name: str = "autograd") -> a.Trial:
    return execute(Attempt(name=name, script=script, needs=(), seconds=seconds), sys.executable)


def finding_of(trial: a.Trial, **changes: object) -> Finding:
    environment = healthy(trials=(trial,), **changes)
    (result,) = examine(environment, select=["deep-autograd"])
    (found,) = result.findings
    return found


def test_what_a_trial_measured_is_kept() -> None:
    trial = tried("done(threads=3)")
    assert (trial.outcome, trial.values) == ("passed", {"threads": "3"})


def test_an_error_is_known_by_its_last_line_and_not_by_the_notes_below_it() -> None:
    script = (
        "import atexit; atexit.register(lambda: sys.stderr.write('bye\\n'))\nraise ValueError('no')"
    )
    trial = tried(script)
    assert (trial.outcome, trial.detail) == ("failed", "ValueError: no")
    assert finding_of(trial).summary == "autograd failed: ValueError: no"


def test_a_segfault_is_a_finding_with_its_signal() -> None:
    trial = tried("os.kill(os.getpid(), 11)")
    assert (trial.outcome, trial.detail) == ("crashed", "ended by SIGSEGV")
    assert "crashed" in finding_of(trial).summary


def test_a_hang_ends_at_its_deadline_together_with_its_children() -> None:
    start = time.monotonic()
    script = (
        "import subprocess, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "sys.stderr.write('pid %d\\n' % child.pid); sys.stderr.flush(); time.sleep(60)"
    )
    trial = tried(script, seconds=2.0)
    assert trial.outcome == "timed_out"
    assert time.monotonic() - start < 20
    child = int(trial.log.split("pid ")[1].split()[0])
    for _ in range(100):
        if not _alive(child):
            return
        time.sleep(0.05)
    pytest.fail("the trial's child is still running")


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_wrong_number_is_an_error_of_its_own() -> None:
    trial = tried("wrong('2 + 2 is 5')")
    assert finding_of(trial).summary == "autograd gave a wrong result: 2 + 2 is 5"
    assert finding_of(trial).level is Level.ERROR


def test_silence_with_a_good_exit_status_is_no_success() -> None:
    assert tried("sys.exit(0)").outcome == "failed"


def test_an_interpreter_that_cannot_start_is_a_failed_trial() -> None:
    trial = execute(ATTEMPTS[0], "/does/not/exist")
    assert trial.outcome == "failed"
    assert "No such file" in trial.detail


def test_being_late_on_a_busy_machine_is_only_a_warning() -> None:
    late = a.Trial(name="autograd", outcome="timed_out", detail="no answer within 30 s")
    assert finding_of(late).level is Level.ERROR
    assert finding_of(late, system=system(load=20.0)).level is Level.WARN


def test_an_error_text_that_is_known_brings_its_cause() -> None:
    log = "ImportError: libcudnn.so.9: cannot open shared object file: No such file or directory"
    trial = a.Trial(name="autograd", outcome="failed", detail=log, log=log)
    assert finding_of(trial).cause


def test_what_the_static_tier_condemned_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def record(item: Attempt, _: str) -> a.Trial:
        ran.append(item.name)
        return a.Trial(name=item.name, outcome="passed")

    monkeypatch.setattr(trials, "execute", record)
    loss = a.Loss(distribution="torchvision", num_files=9, num_missing=1, num_changed=0)
    damage = a.Damage(distribution="torchvision", path="/s/torchvision/_C.so", kind="missing")
    environment = dataclasses.replace(HERE, files=a.Files(losses=(loss,), damages=(damage,)))
    static = [run(item, environment) for item in checks() if not item.deep]
    found = {trial.name: trial for trial in attempt(environment, static)}
    assert found["import:torchvision"].detail == "known to fail (see above)"
    assert "vision" not in ran
    assert "autograd" in ran
    assert "cuda" not in ran, "there is no GPU"
    assert found["import:torchaudio"].detail == "torchaudio not installed"


def test_an_import_gets_its_own_process_only_where_no_trial_has_shown_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []

    def record(item: Attempt, _: str) -> a.Trial:
        ran.append(item.name)
        outcome = "failed" if item.name in ("vision", "import:torchvision") else "passed"
        return a.Trial(name=item.name, outcome=outcome, detail="no nms")

    monkeypatch.setattr(trials, "execute", record)
    found = attempt(HERE, [])
    assert [name for name in ran if name.startswith("import:")] == ["import:torchvision"]
    (result,) = examine(dataclasses.replace(HERE, trials=found), select=["deep-import"])
    assert [item.subject for item in result.findings] == ["torchvision"]


def test_a_failed_import_of_torch_explains_the_other_trials() -> None:
    from diagnostics.doctor import reduce

    failed = tuple(
        a.Trial(name=name, outcome="failed", detail="ImportError: x")
        for name in ("import:torch", "autograd", "matmul")
    )
    roots = [d for d in reduce(examine(healthy(trials=failed))) if d.finding.level is Level.ERROR]
    assert [(d.finding.code, d.finding.subject) for d in roots] == [("deep-import", "torch")]
    assert {f.code for f in roots[0].consequences} == {"deep-autograd", "deep-matmul"}


def test_every_trial_has_a_check_and_every_deep_check_a_trial() -> None:
    codes = {item.code for item in checks() if item.deep}
    assert codes == {"deep-import", *(f"deep-{item.name}" for item in ATTEMPTS)}
    assert {by for _, by in IMPORTS.values() if by} <= {item.name for item in ATTEMPTS}


def test_without_the_deep_tier_its_checks_are_skipped() -> None:
    environment: Environment = healthy()
    results = [r for r in examine(environment) if r.area == "deep"]
    assert {(r.status, r.reason) for r in results} == {(Level.SKIP, "not tried")}
