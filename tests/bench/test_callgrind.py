"""Counting instructions under the real Valgrind, without torch; and what a file of callgrind says."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from bench.gate.errors import GateError
from bench.gate.valgrind import Valgrind, find_valgrind
from bench.gate.witness import why_none
from bench.instruments.callgrind import CallgrindCounter, is_running
from bench.instruments.callgrind_profile import parse_profile, parse_total
from suite.worker.client import Launcher, LauncherError
from suite.worker.errors import Unavailable
from suite.worker.job_options import JobOptions
from suite.worker.protocol import Job

COUNTS = """
    import json, os, sys
    from bench.instruments.callgrind import CallgrindCounter

    def count(number):
        counter.start()
        for _ in range(20):
            sum(range(number))
        return counter.stop().total

    def going_on(number):
        sum(range(100_000))
        counter.again()
        for _ in range(20):
            sum(range(number))
        return counter.total()

    if os.fork() == 0:
        counter = CallgrindCounter()
        nothing = [count(0) for _ in range(3)][-1]
        print(json.dumps([count(number) - nothing for number in (100, 100, 200)]))
        counter.start()
        print(json.dumps([going_on(number) for number in (0, 100, 100, 100, 200)]))
        print([name for name in os.listdir(os.environ["VITALS_CALLGRIND"]) if "." in name])
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


def test_a_forked_child_counts_its_own_work_and_nothing_else(tmp_path):
    valgrind = find_valgrind()
    done = subprocess.run(
        [*valgrind.prefix(tmp_path), sys.executable, "-c", textwrap.dedent(COUNTS)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, **valgrind.variables(tmp_path), "PYTHONHASHSEED": "0"},
    )
    stopped, going_on, left = done.stdout.splitlines()
    first, again, double = json.loads(stopped)
    assert first == pytest.approx(again, rel=0.02)
    assert double == pytest.approx(2 * again, rel=0.2)
    *_, once, same, twice = json.loads(going_on)
    assert once == pytest.approx(same, rel=0.02)
    assert twice - same == pytest.approx(double - again, rel=0.1)
    assert left == "[]"


def test_outside_of_valgrind_nothing_is_counted_and_the_question_does_no_harm():
    assert not is_running()
    with pytest.raises(Unavailable, match="does not run under it"):
        CallgrindCounter()


FILE = """
version: 1
events: Ir
ob=(2) /lib/libtorch_cpu.so
fl=(1) a.cpp
fn=(10) at::_ops::linear::call(at::Tensor const&)
10 5
cob=(3) /lib/libmkl.so
cfn=(11) at::_ops::addmm::call(at::Tensor const&)'2
calls=2 20
* 70
+2 7
fn=(11)
20 30
cob=(3)
cfn=(12) 0x00000000004a
calls=1 0
+1 40
ob=(3)
fn=(12)
0 40
totals: 82
""".strip().splitlines(keepends=True)


def test_a_file_of_callgrind_is_instructions_of_functions_and_of_operators_with_what_they_call():
    found = parse_profile(FILE)
    assert found.total == 82
    assert dict(found.functions) == {
        "at::_ops::linear::call(at::Tensor const&)": 12,
        "at::_ops::addmm::call(at::Tensor const&)": 30,
        "libmkl.so (no symbols)": 40,
    }
    assert dict(found.operators) == {"addmm": 70}


def test_a_file_that_is_cut_off_is_no_count():
    for parse in (parse_profile, parse_total):
        with pytest.raises(ValueError, match="cut off"):
            parse(FILE[:-1])


def test_the_number_alone_is_that_of_the_whole_file():
    assert parse_total(FILE) == parse_profile(FILE).total


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("valgrind-3.13.0", 0, "is version 3.13.0; expected Valgrind 3.15 or newer"),
        ("", 0, "is version unknown"),
        ("valgrind-3.19.0", 1, "cannot run even `true` under callgrind here \\(no memory\\)"),
    ],
)
def test_a_valgrind_that_does_not_help_is_one_sentence(said, code, words):
    def run(command, **how):
        is_version = command[-1] == "--version"
        return subprocess.CompletedProcess(
            command, 0 if is_version else code, said if is_version else "", "no memory\n"
        )

    with pytest.raises(GateError, match=words):
        find_valgrind(run)


def test_a_missing_valgrind_is_one_sentence_with_the_command(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(GateError, match="not installed; next: apt-get install valgrind"):
        find_valgrind()


UNKNOWN = """
    import ctypes, mmap, os

    def run(job=None, emit=None):
        how = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=how)
        page.write(bytes.fromhex("62f1fd4828c0c3"))  # vmovapd zmm0, zmm0 of AVX-512; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        ctypes.CFUNCTYPE(None)(address)()

    if os.environ["AT"] == "import":
        run()
"""


@pytest.mark.parametrize("at", ["import", "pass"])
def test_a_library_with_code_that_valgrind_does_not_know_is_one_sentence(tmp_path, at):
    """At its import the launcher does not come up; in a pass the row has no count."""
    valgrind = find_valgrind()
    (tmp_path / "unknown_code.py").write_text(textwrap.dedent(UNKNOWN))
    launcher = Launcher(
        paths=(tmp_path,),
        preload=("unknown_code",),
        log=tmp_path / "launcher.log",
        prefix=valgrind.prefix(tmp_path),
        variables={**valgrind.variables(tmp_path), "AT": at},
    )
    job = Job(runner="unknown_code:run", options=JobOptions(), log=str(tmp_path / "job.log"))
    try:
        launcher.wait_until_ready()
        said = why_none(launcher.run(job))
    except LauncherError as error:
        said = valgrind.why_not_started(str(error))
    finally:
        launcher.close(at_once=True)
    assert "an instruction that" in said
    assert "SIGILL" in said
    assert said.endswith("next: a newer Valgrind, or leave --witness out")
    assert "\n" not in said


def test_an_instruction_that_valgrind_does_not_know_is_told_as_such():
    text = "the launcher did not start\nvex amd64->IR: unhandled instruction bytes: 0x62 0xF1\nmore"
    said = Valgrind(path="valgrind", version="3.19.0").why_not_started(text)
    assert said.startswith("Valgrind 3.19.0 does not know an instruction")
    assert "0x62 0xF1" in said
