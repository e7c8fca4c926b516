"""A run folder of others whose links lead out: nothing of what they lead to is shown, served or copied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graph_files import net
from life_runs import write_suite_run

from bench.__main__ import main
from bench.graph_analysis.folder import load_anatomies
from bench.graph_analysis.make import graphs_of
from bench.report.html import to_html
from bench.summary.build import build_report
from suite.runs.load import load_run

pytestmark = pytest.mark.heavy
SECRET = "what lies outside of the run"


@pytest.fixture
def run(tmp_path):
    """A run with one graph of its own and links to a secret wherever a file of a run may lie."""
    folder = tmp_path / "runs" / "20261124-000000-look"
    write_suite_run(folder)
    (folder / "onnx").mkdir(exist_ok=True)
    (folder / "anatomy").mkdir()
    secret = tmp_path / "secret.onnx"
    secret.write_bytes(net(tmp_path / "net.onnx").read_bytes() + SECRET.encode())
    text = tmp_path / "secret.txt"
    text.write_text(SECRET)
    lines = []
    for number, line in enumerate((folder / "records.jsonl").read_text().splitlines()):
        record = json.loads(line)
        if record["step"] == "export":
            name = f"onnx/{number}.onnx"
            record["artifacts"] = [{"kind": "onnx", "path": name, "num_bytes": 1}]
            place = folder / name
            if not lines or number % 2:
                place.symlink_to(secret)
            else:
                place.write_bytes((tmp_path / "net.onnx").read_bytes())
        lines.append(json.dumps(record))
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
    for place in [*(folder / "onnx").glob("*.onnx")]:
        for ending in (".metrics.json", ".svg", ".whole.svg"):
            (folder / "anatomy" / f"{place.stem}{ending}").symlink_to(text)
        drawn = {
            "width": 9,
            "height": 9,
            "num_nodes": 3,
            "is_summary": True,
            "coloured_by": "MACs",
            "stamp": "1",
        }
        (folder / "anatomy" / f"{place.stem}.picture.json").write_text(json.dumps(drawn))
    (folder / "anatomy" / "stolen.json").symlink_to(text)
    (folder / "anatomy" / "no-pictures.txt").symlink_to(text)
    (folder / "anatomy" / "loop.json").symlink_to(folder / "anatomy" / "loop.json")
    return folder


def test_a_graph_outside_is_no_graph_of_the_run(run):
    found = graphs_of(load_run(run))
    assert found
    assert not any(kept.path.is_symlink() for kept in found)


def test_a_report_shows_nothing_of_it(run):
    anatomies = load_anatomies(run)
    assert not anatomies.pictures
    assert SECRET not in anatomies.no_pictures
    assert any("leads out of the run" in problem for problem in anatomies.problems)
    assert SECRET not in to_html(build_report(load_run(run)), anatomies=anatomies)


def test_a_review_serves_and_copies_nothing_of_it(run, tmp_path, capsys):
    bundle = tmp_path / "bundle"
    assert main(["review", str(run), "--quick", "--bundle", str(bundle)]) == 0, capsys.readouterr()
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert any(path.suffix == ".onnx" for path in files)
    assert not any(SECRET.encode() in path.read_bytes() for path in files)


def test_a_link_in_the_place_of_a_bundle_is_not_emptied(run, tmp_path):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / ".vitals-review").write_text("")
    (thesis / "text").write_text("mine")
    (tmp_path / "link").symlink_to(thesis, target_is_directory=True)
    main(["review", str(run), "--quick", "--bundle", str(tmp_path / "link")])
    assert (thesis / "text").read_text() == "mine"
    assert Path(thesis / "text").is_file()
