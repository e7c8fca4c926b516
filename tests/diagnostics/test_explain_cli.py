"""Facts about the commands `explain` and `run`."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diagnostics.explain import docs_page
from diagnostics.explain.cli import HEAD, TAIL, Tape, main, main_run

ROOT = Path(__file__).parents[2]
ERROR = "IndexError: index out of range in self"


def test_a_file_is_explained_and_the_exit_code_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "train.log"
    log.write_text(f"epoch 1\n{ERROR}\n")
    assert main([str(log)]) == 1
    out = capsys.readouterr().out
    assert "emb-range" in out
    assert f"{log}:2: {ERROR}" in out
    assert "fix:" in out


def test_an_innocent_file_gives_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "train.log"
    log.write_text("all is well\n")
    assert main([str(log)]) == 0
    assert "No known error" in capsys.readouterr().out


def test_usage_errors_give_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main([str(tmp_path / "none.log")]) == 2
    assert main([str(tmp_path)]) == 2
    assert main_run([]) == 2
    assert main_run(["--nonsense", "--", "true"]) == 2
    assert main(["--help"]) == 0
    assert main_run(["--help"]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_json_is_the_finding_as_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"\xff\xfe broken bytes\n" + ERROR.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["-", "--json", "--python", "/opt/py"]) == 1
    data = json.loads(capsys.readouterr().out)
    first = data["findings"][0]
    assert (data["schema"], first["code"], first["level"]) == (1, "emb-range", "error")
    assert first["evidence"][0]["source"] == "stdin:2"
    assert set(first["fixes"][0]) == {"argv", "why", "safety", "shell", "steps", "line"}


def test_warnings_count_only_when_asked(tmp_path: Path) -> None:
    log = tmp_path / "w.log"
    log.write_text("libgomp: Invalid value for environment variable OMP_NUM_THREADS\n")
    assert main([str(log)]) == 0
    assert main([str(log), "--strict"]) == 1


def _run(*command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "diagnostics", "run", *options, "--", *command],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )


def test_a_command_that_succeeds_passes_through_unchanged() -> None:
    done = _run(sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_a_command_that_fails_keeps_its_code_and_is_explained() -> None:
    done = _run(sys.executable, "-c", f"import sys; print('{ERROR}', file=sys.stderr); sys.exit(7)")
    assert done.returncode == 7
    assert done.stdout == ""
    assert "emb-range" in done.stderr


def test_a_failure_that_nothing_explains_says_so() -> None:
    done = _run("sh", "-c", "exit 5")
    assert done.returncode == 5
    assert "holds no known error" in done.stderr


def test_a_killed_command_is_explained_without_a_word_of_its_own() -> None:
    done = _run("sh", "-c", "kill -9 $$")
    assert done.returncode == 128 + signal.SIGKILL
    assert "host-oom-kill" in done.stderr


def test_a_command_that_cannot_be_started_gives_127() -> None:
    done = _run("/no/such/program")
    assert done.returncode == 127
    assert "cannot start" in done.stderr
    assert "Traceback" not in done.stderr


def test_findings_of_a_run_come_as_json() -> None:
    done = _run("sh", "-c", f"echo '{ERROR}' >&2; exit 1", options=("--json",))
    assert json.loads(done.stdout)["findings"][0]["code"] == "emb-range"


def test_a_grandchild_that_holds_the_pipe_does_not_hang_the_run() -> None:
    start = time.perf_counter()
    done = _run("sh", "-c", "sleep 30 & exit 3")
    assert done.returncode == 3
    assert time.perf_counter() - start < 15


def test_a_tape_keeps_the_beginning_and_the_end() -> None:
    tape = Tape()
    tape.add(b"first\n")
    for _ in range(3 * (HEAD + TAIL) // 2**20):
        tape.add(b"x" * 2**20)
    tape.add(b"\nlast")
    text = tape.text()
    assert text.startswith("first\n")
    assert text.endswith("\nlast")
    assert len(text) <= HEAD + 2 * TAIL


def test_the_tools_import_no_heavy_library() -> None:
    code = (
        "import sys; import diagnostics.explain.cli, diagnostics.lint.cli, diagnostics.model.cli;"
        "heavy = {'torch', 'numpy', 'onnx', 'onnxruntime', 'rich', 'packaging', 'transformers'};"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0


def test_the_page_of_known_messages_is_up_to_date() -> None:
    page = (ROOT / "docs" / "explain.md").read_text("utf-8")
    assert page == docs_page.page(), "python -m diagnostics.explain.docs_page > docs/explain.md"
