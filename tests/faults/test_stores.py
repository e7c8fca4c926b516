"""Whatever is killed, full or shared: a run folder keeps every record that was told to be there, once and whole."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mutations import FACTOR
from writers import record

from suite.runs.load import load_run
from suite.runs.store import RunFolder

ROOT = Path(__file__).parents[2]
WRITERS = Path(__file__).with_name("writers.py")


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, str(WRITERS), *map(str, arguments)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )


def batches(folder):
    run = load_run(folder)
    return [one.cell.batch for one in run.records], run.problems


def lines(folder):
    text = (folder / "records.jsonl").read_text()
    return [json.loads(line)["cell"]["batch"] for line in text.splitlines() if line]


def fill(run, kept):
    while True:
        run.append(record(len(kept) + 1))
        kept.append(len(kept) + 1)


@pytest.mark.parametrize("seed", range(4 * FACTOR))
def test_a_writer_killed_at_any_moment_loses_no_record_that_it_had_told(tmp_path, seed):
    draw = random.Random(seed)
    writer = start("append", tmp_path, 1, 10**6)
    told = [int(writer.stdout.readline()) for _ in range(draw.randint(1, 40))]
    writer.send_signal(signal.SIGKILL)
    told += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    found, _ = batches(tmp_path)
    assert set(told) <= set(found)
    assert len(found) <= len(told) + 1  # at most one was there and not yet told
    json.loads((tmp_path / "run.json").read_text())
    RunFolder(tmp_path).clear_drafts()
    RunFolder(tmp_path).append(record(10**7))  # what `--resume` does next
    found, problems = batches(tmp_path)
    assert found[-1] == 10**7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records.jsonl", "run.json"]
    assert len(problems) <= 2  # environment.json was never written; a line may have been cut off


def test_a_full_disk_is_told_and_leaves_whole_lines_and_no_draft(tmp_path):
    for limit in (5_000, 12_345, 20_001):
        folder = tmp_path / str(limit)
        folder.mkdir()
        said = start("fill", folder, limit).communicate(timeout=60)[0].splitlines()
        number, code, name = said[0].split()
        assert int(code) in (errno.EFBIG, errno.ENOSPC)
        assert name == "None" or name.endswith("records.jsonl")
        assert lines(folder) == list(range(1, int(number) + 1))
        assert (folder / "records.jsonl").read_bytes().endswith(b"\n")
        assert said[1].startswith("run.json")
        assert [path.name for path in folder.iterdir()] == ["records.jsonl"]


@pytest.mark.skipif(os.getuid() != 0, reason="a file system of its own can only root mount")
def test_a_small_file_system_that_is_full_loses_nothing(tmp_path):
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True
    ).returncode:
        pytest.skip("this container may not mount")
    try:
        run, kept = RunFolder(tmp_path), []
        with pytest.raises(OSError, match="No space left"):
            fill(run, kept)
        assert lines(tmp_path) == kept
        with pytest.raises(OSError, match="No space left"):
            run.write_json("run.json", {"text": "x" * 100_000})
        assert [path.name for path in tmp_path.iterdir()] == ["records.jsonl"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_writer_without_file_descriptors_says_so_and_goes_on_when_there_is_one(tmp_path):
    said = start("starve", tmp_path).communicate(timeout=60)[0]
    assert said == f"refused {errno.EMFILE}\ndone\n"
    assert lines(tmp_path) == [1, 3]


def test_two_runs_in_one_folder_have_all_their_records(tmp_path):
    writers = [start("append", tmp_path, first, first + 60) for first in (1, 1001, 2001)]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    numbers = [*range(1, 61), *range(1001, 1061), *range(2001, 2061)]
    assert sorted(lines(tmp_path)) == numbers
    assert sorted(batches(tmp_path)[0]) == numbers


def test_a_read_only_folder_is_one_sentence(tmp_path):
    from suite.runs.store import StoreError

    file = tmp_path / "a file"
    file.write_text("")
    with pytest.raises(StoreError, match=r"--out .*cannot be written .*name another folder"):
        RunFolder.create(file / "runs")
