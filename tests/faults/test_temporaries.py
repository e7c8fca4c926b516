"""What killed processes leave in the temporary folder is removed by the next one; what others use stays."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from machines import read_only

from diagnostics.atomic_write import write_whole
from suite.runs.store import RunFolder
from suite.scratch_folder import PREFIX, Scratch, remove_abandoned, scratch_folder
from suite.worker.client import Launcher, temporary_in
from suite.worker.protocol import Job

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks are the kernel's")


def holder(parent):
    """A process with a scratch folder below `parent`, and that folder."""
    code = (
        "import sys, pathlib; from suite.scratch_folder import Scratch\n"
        "print(Scratch(parent=pathlib.Path(sys.argv[1])).path, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(parent)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, Path(process.stdout.readline().strip())


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(tmp_path):
    killed, first = holder(tmp_path)
    living, second = holder(tmp_path)
    (first / "deep").mkdir()
    (first / "deep" / "file").write_text("x")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert first.is_dir()
    with scratch_folder(parent=tmp_path) as own:
        assert sorted(tmp_path.iterdir()) == sorted([own, second])
    living.communicate()
    assert remove_abandoned(tmp_path, PREFIX) == [second]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_removed_under_its_lock_so_that_a_new_maker_does_not_lose_it(
    tmp_path, monkeypatch
):
    killed, first = holder(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    held = []
    remove = shutil.rmtree

    def removed(folder, **options):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.append(Path(folder))
        finally:
            os.close(descriptor)
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", removed)
    assert remove_abandoned(tmp_path, PREFIX) == [first]
    assert held == [first]


def test_a_link_that_is_called_like_a_scratch_folder_is_not_followed(tmp_path):
    place, thesis = tmp_path / "tmp", tmp_path / "thesis"
    place.mkdir()
    thesis.mkdir()
    (thesis / "text").write_text("mine")
    (place / f"{PREFIX}link").symlink_to(thesis, target_is_directory=True)
    Scratch(parent=place).close()
    assert (thesis / "text").read_text() == "mine"
    assert (place / f"{PREFIX}link").is_symlink()


def test_a_scratch_folder_may_be_closed_twice(tmp_path):
    scratch = Scratch(parent=tmp_path)
    scratch.close()
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_dead_processes_are_cleared_and_those_of_living_ones_stay(tmp_path):
    run = RunFolder(tmp_path)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "anatomy").mkdir()
    write_whole(tmp_path / "run.json", "{}")
    dead = [f".report.html.{ended.pid}", f"anatomy/.mlp-tiny.json.{ended.pid}"]
    alive = [f".run.json.{os.getppid()}", ".hidden", ".a.txt"]
    for name in (*dead, *alive):
        (tmp_path / name).write_text("draft")
    run.clear_drafts()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {"run.json", "anatomy", *alive}


def test_without_room_for_temporary_files_workers_run_all_the_same(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with read_only() as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        launcher = Launcher(preload=["failing_jobs"])
        try:
            assert launcher.run(Job(runner="failing_jobs:adds", deadline=60)).result
        finally:
            launcher.close()


def test_workers_have_a_temporary_folder_of_their_own_unless_its_path_is_too_long_for_sockets():
    variables = temporary_in(Path("/tmp/vitals.abcdefgh"))
    assert variables["TMPDIR"] == "/tmp/vitals.abcdefgh"
    assert "vitals." not in variables.get("TORCHINDUCTOR_CACHE_DIR", "")
    assert temporary_in(Path("/tmp") / ("x" * 80)) == {}
