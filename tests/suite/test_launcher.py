"""The launcher with real processes, without torch: every way in which a job can end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite.outcome import Outcome
from suite.worker.client import Launcher, LauncherError
from suite.worker.job_options import JobOptions
from suite.worker.protocol import Job


@pytest.fixture(scope="module")
def launcher():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        launcher = Launcher(preload=["json"])
    yield launcher
    launcher.close()


def run(launcher, name, *, deadline=20.0, log="", **options):
    return launcher.run(
        Job(
            runner=f"jobs:{name}",
            options=JobOptions.from_dict(options),
            deadline=deadline,
            log=str(log),
        )
    )


def test_a_result_comes_back_with_its_phases_by_the_workers_clock(launcher, tmp_path):
    answer = run(launcher, "add", a=2, b=3, log=tmp_path / "log")
    assert answer.outcome is Outcome.PASSED
    assert answer.result["facts"]["sum"] == 5
    assert list(answer.phases) == ["first", "second"]
    assert 0.02 <= answer.phases["first"] < 1
    assert (tmp_path / "log").read_text() == "a library's chatter\n"


def test_every_job_has_a_process_of_its_own(launcher):
    pids = {run(launcher, "add", a=0, b=0).result["facts"]["pid"] for _ in range(3)}
    assert len(pids) == 3


def test_the_launcher_has_one_thread_and_preloads_what_it_was_told(launcher):
    assert launcher.wait_until_ready()["num_threads"] == 1
    assert "json" in run(launcher, "environment").result["facts"]["modules"]


def test_a_launcher_imports_more_for_all_later_jobs_and_keeps_its_process(launcher):
    def modules():
        return run(launcher, "environment").result["facts"]["modules"]

    process = launcher._process.pid
    assert "mailbox" not in modules()
    launcher.preload(["mailbox", "json"])
    assert launcher.wait_until_ready()["failed"] == {}
    assert "mailbox" in modules()
    assert launcher._process.pid == process


def test_a_launcher_that_died_imports_all_that_it_was_ever_told(launcher):
    launcher.preload(["netrc"])
    launcher._kill_launcher()
    assert {"json", "netrc"} <= set(run(launcher, "environment").result["facts"]["modules"])


def test_an_exception_is_a_failure_with_its_phase_and_its_traceback(launcher, tmp_path):
    answer = run(launcher, "raises", log=tmp_path / "log")
    assert answer.outcome is Outcome.FAILED
    assert answer.failure.kind == "ValueError"
    assert answer.failure.message == "the layer expects 3 channels"
    assert answer.failure.phase == "build"
    assert "in raises" in answer.failure.log_tail


def test_what_the_machine_lacks_is_unavailable_not_failed(launcher):
    assert run(launcher, "lacks").outcome is Outcome.UNAVAILABLE


def test_a_segfault_costs_one_job_and_leaves_its_stack_in_the_log(launcher, tmp_path):
    answer = run(launcher, "segfaults", log=tmp_path / "log")
    assert answer.outcome is Outcome.CRASHED
    assert answer.failure.kind == "SIGSEGV"
    assert answer.failure.phase == "forward"
    assert "in segfaults" in answer.failure.log_tail
    assert run(launcher, "add", a=1, b=1).outcome is Outcome.PASSED


def test_an_exit_without_an_answer_is_a_crash(launcher):
    answer = run(launcher, "exits")
    assert (answer.outcome, answer.failure.kind) == (Outcome.CRASHED, "exit 7")


def test_a_hang_is_killed_at_its_deadline_with_its_children(launcher, tmp_path):
    log = tmp_path / "log"
    began = time.monotonic()
    answer = run(launcher, "hangs", deadline=3, log=log)
    assert answer.outcome is Outcome.TIMED_OUT
    assert answer.failure.phase == "wait"
    assert time.monotonic() - began < 8
    assert "in hangs" in answer.failure.log_tail, "the stacks are in the log"
    child = wait_for_pids(log)["child"]
    time.sleep(0.2)
    assert not is_running(child)
    assert run(launcher, "add", a=1, b=1).outcome is Outcome.PASSED


def test_half_a_line_does_not_spoil_the_next_job(launcher):
    assert run(launcher, "dies_in_the_middle_of_a_line").outcome is Outcome.CRASHED
    assert run(launcher, "add", a=1, b=1).result["facts"]["sum"] == 2


def test_a_launcher_that_dies_is_started_again(launcher):
    assert run(launcher, "kills_the_launcher").outcome is Outcome.CRASHED
    assert run(launcher, "add", a=1, b=1).outcome is Outcome.PASSED


def test_running_out_of_memory_has_an_outcome_of_its_own(launcher):
    answer = run(launcher, "allocates_without_end")
    assert answer.outcome is Outcome.OUT_OF_MEMORY
    assert answer.failure.phase == "grow"


def test_a_kill_is_a_crash_unless_the_kernel_counted_it_as_out_of_memory(launcher, monkeypatch):
    assert run(launcher, "is_killed").outcome is Outcome.CRASHED
    counts = iter([3, 4])  # before the job and after it
    monkeypatch.setattr("suite.worker.client.num_oom_kills", lambda: next(counts))
    answer = run(launcher, "is_killed")
    assert answer.outcome is Outcome.OUT_OF_MEMORY
    assert "phase forward" in answer.failure.message


def test_a_result_larger_than_a_pipe_arrives_whole(launcher):
    assert len(run(launcher, "says_much").result["facts"]["blob"]) == 3_000_000


def test_a_result_that_is_no_json_is_a_failure_not_a_hang(launcher):
    answer = run(launcher, "says_what_is_no_json", deadline=5)
    assert answer.outcome is Outcome.FAILED
    assert "JSON" in answer.failure.message


def test_a_runner_that_does_not_exist_is_a_failure(launcher):
    assert run(launcher, "nowhere").failure.kind == "AttributeError"


def test_an_interpreter_that_cannot_start_is_named_with_the_next_step(tmp_path):
    launcher = Launcher(python="/bin/false", log=tmp_path / "log")
    with pytest.raises(LauncherError, match="/bin/false.*(?s:.)*python -m diagnostics"):
        launcher.wait_until_ready()


def test_a_job_for_a_launcher_that_cannot_start_is_crashed_with_the_reason():
    answer = Launcher(python="/bin/false").run(Job(runner="jobs:add"))
    assert answer.outcome is Outcome.CRASHED
    assert "did not start" in answer.failure.message


def test_a_killed_parent_leaves_neither_launcher_nor_worker(tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from suite.worker.client import Launcher; from suite.worker.protocol import Job\n"
        "Launcher().run(Job(runner='jobs:hangs', log=sys.argv[2]))"
    )
    log, here = tmp_path / "log", Path(__file__)
    environment = {**os.environ, "PYTHONPATH": str(here.parent)}
    command = [sys.executable, "-c", script, str(here.parents[2]), str(log)]
    parent = subprocess.Popen(command, env=environment)
    pids = wait_for_pids(log)
    parent.kill()
    parent.wait()
    os.kill(pids.pop("child"), signal.SIGKILL)  # the job's own child: nobody's but the job's to end
    until = time.monotonic() + 5
    while any(is_running(pid) for pid in pids.values()) and time.monotonic() < until:
        time.sleep(0.05)
    assert {name: is_running(pid) for name, pid in pids.items()} == {
        "self": False,
        "launcher": False,
    }


def wait_for_pids(log):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        words = log.read_text().split()[:6] if log.exists() else []
        if len(words) >= 6:
            return dict(zip(words[0::2], map(int, words[1::2]), strict=True))
        time.sleep(0.05)
    raise AssertionError("the job did not start")


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_where_an_import_has_opened_the_gpu_every_job_gets_an_interpreter_of_its_own(
    tmp_path, monkeypatch
):
    (tmp_path / "torch.py").write_text(
        "class cuda:\n"
        "    opened = False\n"
        "    is_initialized = staticmethod(lambda: cuda.opened)\n"
        "    _is_in_bad_fork = staticmethod(lambda: cuda.opened)\n"
    )
    (tmp_path / "curious.py").write_text("import torch\ntorch.cuda.opened = True\n")
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}{os.pathsep}{tmp_path}")
    log = tmp_path / "launcher.log"
    launcher = Launcher(preload=["json", "curious", "csv"], log=log)
    try:
        assert launcher.wait_until_ready()["forks"] is False
        assert "curious opened the GPU when it was imported" in log.read_text()
        answer = run(launcher, "environment")
        assert answer.outcome is Outcome.PASSED
        assert "curious" not in answer.result["facts"]["modules"]
    finally:
        launcher.close()


@pytest.mark.heavy
def test_what_transformers_imports_for_all_workers_leaves_out_torchao_which_asks_the_gpu(
    monkeypatch,
):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    launcher = Launcher(preload=["transformers.models.bert.modeling_bert"])
    try:
        assert launcher.wait_until_ready()["failed"] == {}
        modules = run(launcher, "environment").result["facts"]["modules"]
        assert "transformers.models.bert.modeling_bert" in modules
        assert not [name for name in modules if name.startswith("torchao")]
    finally:
        launcher.close()
