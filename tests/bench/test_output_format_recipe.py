"""The recipe of docs/contributing.md for an output format, followed for one that does not exist."""

import pytest
from report_runs import MODELS, write_run

from bench.__main__ import main
from bench.report import command
from bench.summary.model import Report


def to_lines(report: Report) -> str:
    """Step 1: the report as text, here the median of every cell."""
    return "".join(
        f"{lane.cell} {lane.timing.p50:.3e}\n"
        for row in report.rows
        for lane in row.lanes
        if lane.timing
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run, and step 2: the row."""
    row = command.text_format("lines", "one line per cell", to_lines)
    monkeypatch.setitem(command.FORMATS, row.name, row)
    write_run(tmp_path / "run", models=MODELS[:2])
    return tmp_path / "run"


def test_the_format_is_offered_and_explained(folder, capsys):
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "terminal,lines}" in text
    assert "lines: one line per cell" in text


def test_the_format_is_printed(folder, capsys):
    assert main(["report", str(folder), "--format", "lines"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0].split("-")[0] for line in lines] == ["mlp", "mlp", "cnn", "cnn"]


def test_the_format_goes_to_a_file(folder, tmp_path):
    out = tmp_path / "cells.txt"
    assert main(["report", str(folder), "--format", "lines", "--out", str(out)]) == 0
    assert out.read_text().startswith("mlp-base-eager-cpu-float32-b1 ")


def test_an_unknown_format_lists_those_that_there_are(folder, capsys):
    with pytest.raises(SystemExit):
        main(["report", str(folder), "--format", "xml"])
    assert "lines" in capsys.readouterr().err
