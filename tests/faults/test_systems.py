"""A system that fails under a run: no memory, no room in /dev/shm, no right to write, a clock that jumps."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from machines import cgroup_of, clock_library, mounted, read_only
from writers import record

from diagnostics.atomic_write import write_whole
from suite.outcome import Outcome
from suite.runs.store import RunFolder, StoreError
from suite.scratch_folder import Scratch
from suite.stages.export import cache
from suite.states import entries
from suite.worker.client import Launcher
from suite.worker.job_options import JobOptions
from suite.worker.protocol import Job

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cgroups, mounts and /proc")


@pytest.fixture
def launcher(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    started = Launcher(preload=["failing_jobs"])
    yield started
    started.close()


def run(launcher, name, *, deadline=60.0, **options):
    return launcher.run(
        Job(runner=f"failing_jobs:{name}", options=JobOptions.from_dict(options), deadline=deadline)
    )


# Memory


def test_a_worker_that_the_kernel_kills_for_memory_is_told_and_the_next_one_runs(launcher):
    with cgroup_of(64 << 20) as group:
        answer = run(launcher, "grows", procs=str(group), num_bytes=512 << 20)
        killed = group.kills()
    if killed:  # by the kernel, in a control group of its own
        assert answer.outcome is Outcome.OUT_OF_MEMORY, answer.failure
        assert "killed by the kernel for memory" in answer.failure.message
    else:  # no control group can be made here: a limit on the address space stands in for it
        assert group.stands_in
        assert answer.outcome is Outcome.OUT_OF_MEMORY, answer.failure
    assert answer.failure.phase == "grow"
    assert run(launcher, "adds").outcome is Outcome.PASSED


def test_a_full_dev_shm_is_one_failed_cell_with_its_cause(launcher):
    with mounted("256k") as folder:
        answer = run(launcher, "shares", folder=str(folder), num_bytes=4 << 20)
    assert answer.outcome is Outcome.FAILED
    assert "No space left on device" in answer.failure.message
    assert run(launcher, "adds").outcome is Outcome.PASSED


# Disks


def _cache_write(folder):
    graph = folder.parent / "graph.onnx"
    graph.write_bytes(b"x" * 200_000)
    cache.store(cache.entry_of(folder, "mlp", "k" * 64), "k" * 64, graph, {"a": 1})


def _state_write(folder):
    def write(place):
        (place / "weights").write_bytes(b"x" * 200_000)
        return {}

    entries.keep(folder, "mlp", "k" * 64, write)


def _page_write(folder):
    write_whole(folder / "report.html", (f"part {n} " * 1000 for n in range(100)))


def _json_write(folder):
    RunFolder(folder).write_json("run.json", {"text": "x" * 200_000})


def _records_write(folder):
    for number in range(1000):
        RunFolder(folder).append(record(number + 1))


WRITES = {
    "export cache": _cache_write,
    "state": _state_write,
    "page": _page_write,
    "run.json": _json_write,
    "records": _records_write,
}


@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk_leaves_nothing_half_written(name):
    with mounted("64k") as folder:
        with pytest.raises(OSError, match=r"No space left|File too large"):
            WRITES[name](folder)
        left = [path for path in folder.rglob("*") if path.is_file()]
        if name == "records":
            lines = left[0].read_bytes().splitlines(keepends=True)
            assert all(json.loads(line) for line in lines)
            assert lines[-1].endswith(b"\n")
            left = left[1:]
        assert left == [], "half of something"


@pytest.mark.parametrize("name", WRITES)
def test_a_read_only_folder_is_an_error_that_names_the_file(name):
    with read_only() as folder:
        with pytest.raises(OSError) as caught:
            WRITES[name](folder)
        assert caught.value.strerror in ("Read-only file system", "Permission denied")
        assert str(folder) in str(caught.value.filename)
        assert list(folder.iterdir()) == []


def test_a_run_into_a_read_only_folder_is_one_sentence():
    with read_only() as folder, pytest.raises(StoreError, match=r"--out .*name another folder"):
        RunFolder.create(folder / "runs")


# The clock


def test_a_clock_that_jumps_both_ways_disturbs_no_deadline_and_loses_no_record(tmp_path):
    library = clock_library(tmp_path)
    if library is None:
        pytest.skip("no C compiler, so no library that sets this process another clock")
    jumps = tmp_path / "jumps"
    code = (
        "import sys, time, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "from suite.runs.store import RunFolder; from writers import record\n"
        "from suite.runs.load import load_run; from suite.scratch_folder import scratch_folder\n"
        "from suite.states import entries; from suite.stages.export import cache\n"
        "top = pathlib.Path(sys.argv[1]); jumps = top / 'jumps'\n"
        "seen = []\n"
        "for number, offset in enumerate((0, 86400 * 400, -86400 * 900, 3600, 0)):\n"
        "    jumps.write_text(str(offset)); seen.append(time.time())\n"
        "    run = RunFolder.create(top / 'runs'); run.append(record(number + 1))\n"
        "    run.write_json('run.json', {'run_id': run.run_id})\n"
        "    assert len(load_run(run.path).records) == 1\n"
        "    entries.keep(top / 'states', f'm{number}', 'k' * 64, lambda place: {'a': 1})\n"
        "    entries.prune(top / 'states'); cache.prune(top / 'states')\n"
        "    for known in range(number + 1):\n"
        "        assert entries.find(top / 'states', f'm{known}', 'k' * 64), known\n"
        "    with scratch_folder(parent=top) as mine:\n"
        "        assert mine.is_dir()\n"
        "print(max(seen) - min(seen))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(HERE)],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LD_PRELOAD": str(library),
            "JUMPS": str(jumps),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 86400 * 1000  # it did jump
    assert len(list((tmp_path / "runs").iterdir())) == 5


def test_a_jump_of_the_clock_in_a_job_is_neither_a_timeout_nor_a_negative_time(tmp_path):
    library = clock_library(tmp_path)
    if library is None:
        pytest.skip("no C compiler, so no library that sets this process another clock")
    jumps = tmp_path / "jumps"
    jumps.write_text("0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        patch.setenv("LD_PRELOAD", str(library))
        patch.setenv("JUMPS", str(jumps))
        launcher = Launcher(preload=["failing_jobs"])
    try:
        for offset in (0, 10**8, -(10**8)):
            answer = run(launcher, "jumps", deadline=30.0, place=str(jumps), offset=offset)
            assert answer.outcome is Outcome.PASSED, answer.failure
            assert 0 <= answer.phases["wait"] < 25
        assert abs(answer.result["facts"]["by"] + 10**8) < 100
    finally:
        launcher.close()


# Descriptors


def test_without_descriptors_a_scratch_folder_and_a_page_are_refused_and_nothing_stays(tmp_path):
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(OSError, match="Too many open files"):
            write_whole(tmp_path / "page", "x")
        scratch = Scratch(parent=tmp_path)  # without its lock, which takes one
        scratch.close()
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert list(tmp_path.iterdir()) == []


# Eight processes, one export cache


def test_eight_processes_share_an_export_cache(tmp_path):
    """Each stores and takes the same entries again and again, while one of them is killed and others prune."""
    workers = [
        subprocess.Popen(
            [sys.executable, str(HERE / "cache_users.py"), str(tmp_path), str(number)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    workers[0].stdout.readline()  # it is in the middle of its work
    time.sleep(0.05)
    workers[0].kill()
    taken = 0
    for worker in workers:
        out, errors = worker.communicate(timeout=300)
        assert worker is workers[0] or worker.returncode == 0, errors
        taken += sum(map(int, out.split()[1:])) if worker is not workers[0] else 0
    assert taken > 0, "nobody has found what another one has made"
    store = tmp_path / "cache"
    cache.prune(store)  # what a next run does
    for entry in store.glob("*.json"):
        key = json.loads(entry.read_text())["key"]
        assert cache.load(entry, key, tmp_path / "taken.onnx") is not None
    entries.prune(tmp_path / "states")
    places = (*store.iterdir(), *(tmp_path / "states").iterdir())
    assert [path.name for path in places if path.name.startswith(".")] == []
