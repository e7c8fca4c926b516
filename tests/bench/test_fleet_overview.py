"""The fleet's page, its file, and its options."""

from types import SimpleNamespace

import pytest
from fleet_twin import MAKER, TwinCluster, facts, kind_of_nodes, open_twin_run, planned_of

from bench.fleet.cluster import connect
from bench.fleet.driver import Fleet, KindRun
from bench.fleet.errors import FleetError
from bench.fleet.node import Place, take_priority
from bench.fleet.options import check_options
from bench.fleet.overview import RULE, write_overview
from bench.fleet.state import FleetFile, load_fleet
from bench.summary.build import build_report
from suite.runs.load import load_run


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """Reports of two kinds, of which one has lost its only node before the second unit."""
    monkeypatch.setattr(Place, "of", classmethod(lambda cls, name: cls(folder=tmp_path / name)))
    runs = {name: open_twin_run(tmp_path) for name in ("amx", "a|b<i>")}
    parts = []
    for name, run in runs.items():
        node = name[0] + str(len(parts))
        planned = planned_of(run, "latency")
        run.begin([{"cell": cell.as_dict(), "step": step} for cell, step in planned])
        parts.append(KindRun.of(kind_of_nodes(name, [node]), run, planned))
    cluster = TwinCluster(
        ids=["a0", "a1"], dies=lambda node, task, _: node == "a1" and task.unit.startswith("mlp")
    )
    Fleet(cluster=cluster, kinds=parts, worker=MAKER).serve()
    for run in runs.values():
        run.close()
    return {name: build_report(load_run(run.folder.path)) for name, run in runs.items()}


def test_a_row_per_cell_and_a_column_per_kind_with_what_did_not_pass(reports, tmp_path):
    file = FleetFile.new("pytest bench --fleet auto")
    page = write_overview(file, reports, tmp_path / "fleets")
    html, text = page.read_text(), page.with_suffix(".md").read_text()
    assert html.count('<th class="num">p50</th>') == 2
    row = next(line for line in text.splitlines() if line.startswith("| mlp"))
    assert "1.01 ms" in row
    assert row.count("*crashed*") == 1
    assert html.count("report.html") == 4  # each kind's page, from the table and from the machines
    assert RULE in text


def test_a_kinds_name_is_text_on_the_page_and_no_markup(reports, tmp_path):
    page = write_overview(FleetFile.new(""), reports, tmp_path / "fleets")
    assert "a|b<i>" not in page.read_text()
    assert "a\\|b" in page.with_suffix(".md").read_text()


def test_no_column_is_divided_by_another(reports, tmp_path):
    alone = write_overview(FleetFile.new(""), {"amx": reports["amx"]}, tmp_path / "one")
    both = write_overview(FleetFile.new(""), reports, tmp_path / "two")
    row = [
        next(x for x in page.with_suffix(".md").read_text().splitlines() if x.startswith("| cnn"))
        for page in (alone, both)
    ]
    assert row[1].startswith(row[0].rstrip("| "))


def test_a_fleet_is_found_by_its_name_and_the_newest_without_one(tmp_path):
    first = FleetFile(name="20260101-000000-aaaa", runs={"amx": "run-1"})
    second = FleetFile(name="20260102-000000-bbbb")
    for file in (first, second):
        (tmp_path / "fleets" / file.name).mkdir(parents=True)
        file.write(tmp_path)
    assert load_fleet(tmp_path, "aaaa") == first
    assert load_fleet(tmp_path, "") == second


@pytest.mark.parametrize(
    "text, said", [("", "cannot be read"), ("[]", "cannot be read"), (None, "has none")]
)
def test_a_fleet_that_is_missing_or_damaged_is_one_sentence(tmp_path, text, said):
    if text is not None:
        (tmp_path / "fleets" / "one").mkdir(parents=True)
        (tmp_path / "fleets" / "one" / "fleet.json").write_text(text)
    with pytest.raises(FleetError, match=said):
        load_fleet(tmp_path, "")


def options(**given):
    names = ("fleet", "against", "against_python", "selftest", "models_from", "models")
    return SimpleNamespace(**{**dict.fromkeys(names, ""), "fleet_kinds": "all", **given})


def test_kinds_without_a_fleet_and_what_is_about_one_machine_are_refused():
    with pytest.raises(FleetError, match="goes with --fleet"):
        check_options(options(fleet_kinds="amx"))
    for given in ({"selftest": "5"}, {"against_python": "python3"}):
        with pytest.raises(FleetError, match="run it on a node itself"):
            check_options(options(fleet="auto", **given))
    for given in ({"models_from": "mine.py"}, {"models": ["mine.py:Net"]}):
        with pytest.raises(FleetError, match="run the gate on a node itself"):
            check_options(options(fleet="auto", against="main", **given))
    check_options(options(fleet="auto", fleet_kinds="amx"))
    check_options(options(fleet="auto", against="main"))


@pytest.mark.parametrize("address", ["ray://127.0.0.1:1", "ray://nowhere", "ray://:x"])
def test_a_cluster_that_is_not_there_is_one_sentence_with_the_next_step(address):
    with pytest.raises(FleetError, match=r"no Ray cluster answers there .* Next: `ray status`"):
        connect(address)


def test_a_worker_that_ray_has_made_nice_goes_back_or_says_so(monkeypatch):
    priority = {"own": 15}
    monkeypatch.setattr("os.getpriority", lambda which, who: priority["own"] if who == 0 else 0)
    monkeypatch.setattr("os.setpriority", lambda which, who, value: priority.update(own=value))
    assert take_priority() == ""
    assert priority["own"] == 0

    def refused(which, who, value):
        raise PermissionError

    priority["own"] = 15
    monkeypatch.setattr("os.setpriority", refused)
    assert "nice 15" in take_priority()
    assert "RAY_worker_niceness=0" in take_priority()


def test_a_node_with_a_caution_is_used_all_the_same():
    from dataclasses import replace

    from bench.fleet.kinds import kinds_of

    kinds, left_out = kinds_of([replace(facts("a"), caution="cells are measured at nice 15")])
    assert len(kinds) == 1
    assert left_out == ()
