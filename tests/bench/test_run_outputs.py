"""The outputs of a finished run are written by a process of their own, and by this one where that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from report_runs import MODELS, write_run

from bench.run_outputs import write_outputs, write_outputs_apart

ROOT = Path(__file__).parents[2]
PROBE = """
import sys
from pathlib import Path
from bench.run_outputs import write_outputs_apart
write_outputs_apart(Path(sys.argv[1]), sys.argv[2])
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "20261124-000000-made"
    write_run(folder, models=MODELS[:1])
    return folder


def test_page_summary_and_history_are_written_apart(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    sentence = write_outputs_apart(folder, str(tmp_path / "history.db"))
    assert sentence.startswith(f"run {folder.name} recorded in {tmp_path / 'history.db'}: ")
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    assert "mlp" in (tmp_path / "summary.md").read_text()


def test_the_process_that_measured_imports_no_templates_and_no_database(folder, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(folder), str(tmp_path / "history.db")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"jinja2", "sqlalchemy", "alembic"} & set(done.stdout.split())
    assert (folder / "report.html").is_file()


def test_without_a_store_nothing_is_recorded(folder, tmp_path):
    assert write_outputs(folder, "") == ""
    assert not list(tmp_path.glob("*.db"))


def test_a_history_that_cannot_be_written_is_reported_and_costs_no_report(folder, tmp_path):
    (tmp_path / "history.db").write_text("this is no database, however long it may be")
    sentence = write_outputs_apart(folder, str(tmp_path / "history.db"))
    assert "history.db" in sentence
    assert "SQLite" in sentence
    assert (folder / "report.html").is_file()


def test_where_no_process_can_be_started_this_one_writes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    assert "recorded" in write_outputs_apart(folder, str(tmp_path / "history.db"))
    assert (folder / "report.html").is_file()


def test_a_page_that_cannot_be_written_raises_here(folder, tmp_path):
    (folder / "report.html").mkdir()
    with pytest.raises(OSError):
        write_outputs_apart(folder, str(tmp_path / "history.db"))
