"""`python -m bench history`, and pytest-benchmark's files in and out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from history_stores import entry, num_rows, run_of
from report_runs import MODELS, write_run

from bench.__main__ import main
from bench.history.benchmark_export import export_run
from bench.history.benchmark_file import fingerprint_of, read_file
from bench.history.errors import HistoryError
from bench.history.query import query_trends
from bench.history.recording import record_entry, record_run
from bench.history.rows import run_entry

pytest_plugins = ["history_fixtures"]

ROOT = Path(__file__).parents[2]
BENCHMARKS = """
import pytest

@pytest.mark.parametrize("count", [10, 200])
def test_sort(benchmark, count):
    benchmark.extra_info["note"] = "ünïcode"
    benchmark(sorted, list(range(count, 0, -1)))

@pytest.mark.benchmark(group="sum")
def test_sum(benchmark):
    benchmark.pedantic(sum, args=(range(50),), rounds=1, iterations=3)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files that pytest-benchmark wrote: with samples, and saved without."""
    folder = tmp_path_factory.mktemp("benchmarks")
    (folder / "test_sorting.py").write_text(BENCHMARKS, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_sorting.py"),
            *("--benchmark-json=with.json", "--benchmark-save=lean", "--benchmark-storage=saved"),
            *("--benchmark-max-time=0.01", "--benchmark-min-rounds=5"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    next(folder.glob("saved/**/*_lean.json")).rename(folder / "lean.json")
    return folder


def run(*words: str) -> int:
    return main(["history", *words])


@pytest.mark.parametrize("name", ["with.json", "lean.json"])
def test_a_file_of_pytest_benchmark_comes_out_as_it_went_in(
    files: Path, name: str, store: str, tmp_path: Path
) -> None:
    record_entry(read_file(files / name), store)
    export_run(store, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads((files / name).read_text())


def test_a_file_imported_twice_is_one_run(files: Path, store: str) -> None:
    first = record_entry(read_file(files / "with.json"), store)
    again = record_entry(read_file(files / "with.json"), store)
    assert (first.num_records, again.num_records) == (3, 0)
    assert num_rows(store)["runs"] == 1


def test_a_benchmark_of_anybody_is_a_series_under_its_full_name(
    files: Path, tmp_path: Path
) -> None:
    store = str(tmp_path / "history.db")
    record_entry(read_file(files / "with.json"), store)
    data = json.loads((files / "with.json").read_text())["benchmarks"][0]
    (trend,) = query_trends(store, ["test_sorting.py::test_sort[[]10]"]).trends
    assert trend.points[0].value == pytest.approx(data["stats"]["median"], rel=1e-12)
    assert trend.basis == "value"
    assert query_trends(store, ["test_sorting.py::test_sort[200]"]).trends[0].points


def test_a_run_of_ours_is_a_file_that_pytest_benchmark_compares(
    files: Path, tmp_path: Path
) -> None:
    store, out = str(tmp_path / "history.db"), tmp_path / "ours.json"
    record_entry(entry(3, models=("mlp", "cnn")), store)
    assert export_run(store, out) == entry(3).name
    benchmark = json.loads(out.read_text())["benchmarks"][0]
    assert (
        benchmark["fullname"]
        == "bench/test_latency.py::test_latency[mlp-base-eager-cpu-float32-b1]"
    )
    assert benchmark["stats"]["data"] == list(run_of(3).records[1].measurements[0].samples)
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(out), str(files / "with.json")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "test_latency[cnn-base-eager-cpu-float32-b1] (" in done.stdout
    assert "ours)" in done.stdout


def test_a_run_of_ours_goes_by_file_into_another_history_as_what_it_is(
    store: str, tmp_path: Path
) -> None:
    here, out = str(tmp_path / "here.db"), tmp_path / "ours.json"
    whole = entry(3, models=("mlp", "cnn"))
    record_entry(whole, here)
    export_run(here, out)
    record_entry(read_file(out), store)
    theirs, ours = (
        query_trends(store, ["mlp"], ["latency"]),
        query_trends(here, ["mlp"], ["latency"]),
    )
    assert theirs.trends[0].points == ours.trends[0].points
    assert theirs.environments == ours.environments
    # The run itself, recorded later, brings what the file had no room for.
    assert record_entry(whole, store).num_records == 6
    assert num_rows(store) == num_rows(here)
    # And the file takes nothing of it away.
    assert record_entry(read_file(out), store).num_records == 0
    assert num_rows(store) == num_rows(here)


def test_the_machine_of_a_file_has_a_key_without_its_name(files: Path) -> None:
    machine = json.loads((files / "with.json").read_text())["machine_info"]
    other = {**machine, "node": "elsewhere", "cpu": {**machine["cpu"], "hz_actual": [1, 0]}}
    assert fingerprint_of(machine) == fingerprint_of(other)
    assert fingerprint_of(machine) != fingerprint_of({**machine, "python_version": "3.99.0"})


@pytest.mark.parametrize(
    "text, words",
    [
        (None, "cannot be read"),
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "no benchmarks"),
        ('{"benchmarks": []}', "no benchmarks"),
        ('{"benchmarks": [3]}', "benchmark 1 has no stats"),
        ('{"benchmarks": [{"name": "a", "stats": {"min": 1}}]}', "benchmark 1 has no median"),
        (
            '{"benchmarks": [{"name": "a", "stats": {"median": 1}}, {"name": "a", "stats": {"median": 1}}]}',
            "two benchmarks a",
        ),
        (
            '{"benchmarks": [{"name": "a", "stats": {"median": 1}, "extra_info": {"vitals": {"cell": 1}}}]}',
            "another version",
        ),
    ],
)
def test_a_file_that_is_something_else_is_told_with_what_is_expected(
    text: str | None, words: str, tmp_path: Path
) -> None:
    place = tmp_path / "file.json"
    if text is not None:
        place.write_text(text)
    with pytest.raises(HistoryError, match=words):
        read_file(place)


def test_an_earlier_run_is_recorded_by_part_of_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "runs" / "20261123-180411-abcd", models=MODELS[:2])
    place = ("--runs-dir", str(tmp_path / "runs"), "--store", str(tmp_path / "history.db"))
    assert run("record", "abcd", *place) == 0
    assert "run 20261123-180411-abcd recorded in" in capsys.readouterr().out
    assert run("record", *place) == 0
    assert "already; nothing was written" in capsys.readouterr().out
    assert run("record", "nowhere", *place) == 2
    assert "no run 'nowhere'" in capsys.readouterr().err


def test_a_whole_life_on_the_command_line(
    store: str, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(9):
        record_entry(entry(number), store)
    place = ("--store", store)
    assert run("mlp", *place) == 0
    assert "latency" in capsys.readouterr().out
    assert run("mlp", "--metric", "all", "--format", "json", *place) == 0
    assert len(json.loads(capsys.readouterr().out)["series"]) == 4
    assert run("--out", str(tmp_path / "page.html"), *place) == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert run("--out", str(tmp_path / "trends.txt"), *place) == 0
    assert "9 runs" in (tmp_path / "trends.txt").read_text()
    assert run("import", str(files / "with.json"), *place) == 0
    assert run("export", str(tmp_path / "out.json"), *place) == 0
    assert json.loads((tmp_path / "out.json").read_text())["benchmarks"]
    assert run("export", str(tmp_path / "out.json"), "--run", "20261003", *place) == 0
    assert "20261003-030000-0002" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, said",
    [
        (["mlq"], "no model 'mlq'; it has mlp"),
        (["mlp", "--metric", "speed"], "no metric 'speed'"),
        (["--last", "0"], "--last 0: expected 1 or more"),
        (["import"], "import what?"),
        (["export"], "export where to?"),
        (["export", "x.json", "--run", "nope"], "no run 'nope'"),
        (["export", "x.json", "--run", "2026100"], "is in the name of 2 runs"),
        (["export", "nowhere/x.json"], "nowhere"),
        (["--out", "nowhere/x.html"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        record_entry(entry(number), "history.db")
    (tmp_path / "nowhere").write_text("a file")
    assert run(*words, "--store", "history.db") == 2
    out, err = capsys.readouterr()
    assert said in err
    assert err.startswith("python -m bench history: ")
    assert "Traceback" not in err
    assert out == ""


def test_a_run_is_recorded_from_its_folder_on_a_server_too(store: str, tmp_path: Path) -> None:
    write_run(tmp_path / "20261123-180411-abcd", models=MODELS)
    done = record_run(tmp_path / "20261123-180411-abcd", store)
    assert done.num_records == num_rows(store)["records"]
    assert done.problems == ()


def test_nothing_of_the_history_is_imported_before_it_is_used() -> None:
    script = (
        "import sys, bench.__main__\n"
        "try: bench.__main__.main(['history', '--help'])\n"
        "except SystemExit: pass\n"
        "print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = set(done.stdout.splitlines()[-1].split())
    assert not names & {"sqlalchemy", "alembic", "numpy", "scipy", "psycopg", "torch"}


def test_drawing_imports_neither_torch_nor_a_migration_tool(tmp_path: Path) -> None:
    store = str(tmp_path / "history.db")
    record_entry(run_entry(run_of(0)), store)
    script = (
        "import sys\nfrom bench.__main__ import main\n"
        f"assert main(['history', '--store', {store!r}]) == 0\n"
        "print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = set(done.stdout.splitlines()[-1].split())
    assert "sqlalchemy" in names
    assert not names & {"alembic", "scipy", "torch", "psycopg", "pytest_benchmark"}
