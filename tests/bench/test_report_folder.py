"""Run folders as they are found on a disk: whole, half-written, damaged, or not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from report_runs import MODELS, write_run

from bench.__main__ import main
from bench.summary.build import build_report
from suite.runs.folder import NoSuchRun, find_run, runs_in
from suite.runs.load import load_run

FEW = MODELS[:3]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("20260101-000000-aaaa", "20260301-000000-bbbb", "20260201-000000-cccc"):
        write_run(tmp_path / "runs" / name, models=FEW)
    (tmp_path / "runs" / "no-run").mkdir()
    return tmp_path / "runs"


def test_the_newest_run_comes_first_and_other_folders_are_no_runs(runs: Path) -> None:
    assert [run.name[-4:] for run in runs_in(runs)] == ["bbbb", "cccc", "aaaa"]
    assert find_run("", runs).name.endswith("bbbb")
    assert find_run("latest", runs).name.endswith("bbbb")


def test_a_run_is_found_by_path_by_name_and_by_a_part_of_it(runs: Path) -> None:
    folder = runs / "20260201-000000-cccc"
    assert find_run(str(folder), runs) == folder
    assert find_run("20260201-000000-cccc", runs) == folder
    assert find_run("cccc", runs) == folder


def test_a_folder_of_runs_means_its_newest(runs: Path) -> None:
    assert find_run(str(runs), Path("elsewhere")).name.endswith("bbbb")


@pytest.mark.parametrize("asked", ["nope", "x" * 5000, "a\0b", "../..", "\ud800"])
def test_a_run_that_is_not_there_lists_the_newest(runs: Path, asked: str) -> None:
    if asked == "../..":
        asked = str(runs / "no-run")
    with pytest.raises(NoSuchRun, match="20260301-000000-bbbb"):
        find_run(asked, runs)


def test_an_ambiguous_part_lists_what_it_matches(runs: Path) -> None:
    with pytest.raises(NoSuchRun, match="matches 3 runs"):
        find_run("2026", runs)


def test_no_runs_at_all_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NoSuchRun, match="pytest bench"):
        find_run("", tmp_path / "nowhere")


def test_a_line_that_was_cut_off_is_dropped_and_said(runs: Path) -> None:
    file = runs / "20260101-000000-aaaa" / "records.jsonl"
    whole = load_run(file.parent)
    text = file.read_bytes()
    file.write_bytes(text[: text.rstrip().rfind(b"\n") + 40])
    run = load_run(file.parent)
    assert run.records == whole.records[:-1]
    assert any("cut off" in problem for problem in run.problems)


def test_foreign_lines_are_counted_and_named_and_the_rest_is_read(runs: Path) -> None:
    file = runs / "20260101-000000-aaaa" / "records.jsonl"
    lines = file.read_text("utf-8").splitlines()
    foreign = ["[1]", '{"schema": 99}', "\xff\x00", '{"schema": 1}', '"x"', "[" * 100_000]
    file.write_text("\n".join(foreign + lines) + "\n", "utf-8")
    run = load_run(file.parent)
    assert len(run.records) == len(lines)
    (problem,) = run.problems
    assert "6 line(s)" in problem
    assert "line 1" in problem


def test_a_later_record_of_the_same_step_replaces_the_earlier(runs: Path) -> None:
    folder = runs / "20260101-000000-aaaa"
    first = load_run(folder).records
    line = json.dumps({**first[0].as_dict(), "seconds": 77.0})
    with (folder / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    again = load_run(folder).records
    assert len(again) == len(first)
    assert next(r for r in again if r.key == first[0].key).seconds == 77.0


@pytest.mark.parametrize("content", [None, "", "{", "[]", "null", "\x00", "[" * 100_000])
@pytest.mark.parametrize("name", ["run.json", "environment.json", "records.jsonl"])
def test_a_missing_or_damaged_file_costs_only_itself(
    runs: Path, name: str, content: str | None
) -> None:
    folder = runs / "20260101-000000-aaaa"
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content, encoding="utf-8")
    report = build_report(load_run(folder))
    assert any(name in problem for problem in report.problems)
    assert (len(report.rows) == len(FEW)) == (name != "records.jsonl")


@pytest.mark.parametrize(
    "info",
    [
        {"options": [], "planned": 3, "excluded": "x", "started_at": 5, "command": None},
        {"options": {"plan": {"name": "of another version"}, "threads": "many"}},
        {"planned": [None, [], {}, {"cell": None}], "finished_at": "soon", "excluded": [1, {}]},
        {"options": {"plan": "no such plan"}},
    ],
)
def test_a_run_description_of_another_shape_still_renders(
    runs: Path, info: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runs / "20260101-000000-aaaa"
    (folder / "run.json").write_text(json.dumps(info), "utf-8")
    for name in ("html", "md", "json", "terminal"):
        assert main(["report", str(folder), "--format", name]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    "environment",
    [
        {"system": 1, "gpus": 5, "distributions": "x", "findings": {}, "python": []},
        {"system": {"memory_total": "much", "num_cores": "2"}, "gpus": [None, {"name": "H200"}]},
        {"packages": {"torch": "2.15.0"}, "python": "3.12.1", "torch": {"version": "2.15.0+cpu"}},
        {"findings": [{"level": "error"}, None, {"fixes": [None, {"why": "think"}]}]},
    ],
)
def test_a_machine_of_another_shape_still_renders(
    runs: Path, environment: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runs / "20260101-000000-aaaa"
    (folder / "environment.json").write_text(json.dumps(environment), "utf-8")
    for name in ("html", "md", "json", "terminal"):
        assert main(["report", str(folder), "--format", name]) == 0
    assert capsys.readouterr().out


def test_an_empty_run_renders_in_every_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "records.jsonl").touch()
    for name in ("html", "md", "json", "terminal"):
        assert main(["report", str(tmp_path / "empty"), "--format", name]) == 0
    assert "Nothing was recorded" in capsys.readouterr().out
    page = (tmp_path / "empty" / "report.html").read_text("utf-8")
    assert "records.jsonl is empty" in page
    assert "environment.json is missing" in page


def test_a_half_written_run_names_what_was_not_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "half", models=FEW, finished=False)
    assert main(["report", str(tmp_path / "half")]) == 0
    text = capsys.readouterr().out
    assert "not reached" in text
    assert "--resume half" in text


def test_a_wrong_run_is_one_clear_line_and_exit_2(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "nope", "--runs-dir", str(runs)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0].startswith("python -m bench report: no run 'nope' in ")
    assert "20260301-000000-bbbb" in err


def test_an_output_that_cannot_be_written_is_one_clear_line_and_exit_2(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("html", "md", "terminal"):
        out = str(runs / "missing" / "x")
        assert main(["report", "--runs-dir", str(runs), "--format", name, "--out", out]) == 2
        assert "cannot be written" in capsys.readouterr().err


def test_every_format_can_go_to_a_file(runs: Path, tmp_path: Path) -> None:
    for name, start in (("html", "<!doctype html>"), ("md", "## 3 models"), ("json", "{")):
        out = tmp_path / f"report.{name}"
        assert main(["report", "--runs-dir", str(runs), "--format", name, "--out", str(out)]) == 0
        assert out.read_text("utf-8").lstrip().startswith(start)


def test_links_of_a_page_written_elsewhere_still_lead_to_the_run(
    runs: Path, tmp_path: Path
) -> None:
    folder, out = runs / "20260101-000000-aaaa", tmp_path / "elsewhere" / "page.html"
    out.parent.mkdir()
    assert main(["report", str(folder), "--format", "html", "--out", str(out)]) == 0
    assert 'href="../runs/20260101-000000-aaaa/onnx/mlp-base.onnx"' in out.read_text("utf-8")


def test_a_reader_that_stops_early_is_no_error(runs: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "bench", "report", "--format", "json", "--runs-dir", str(runs)],
        cwd=Path(__file__).parents[2],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
