"""Trends: what is compared with what, what is told as a change, and how it is drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from history_stores import entry
from rich.console import Console

from bench.history.database import write
from bench.history.document import to_document, to_json
from bench.history.drawing import DOT, draw_chart, resample, sparkline
from bench.history.errors import HistoryError
from bench.history.html import to_html, write_html
from bench.history.query import QueryResult, query_trends
from bench.history.recording import record_entry
from bench.history.terminal import render_terminal
from bench.history.wording import change_of, titles_of
from bench.history.writing import write_entry
from suite.sparkline import BLOCKS

pytest_plugins = ["history_fixtures"]


@pytest.fixture
def fill(tmp_path: Path) -> Callable[..., str]:
    """Records runs 0, 1, 2 ... with the options that a function gives for each number; the store."""

    def filled(count: int, options: Callable[[int], dict]) -> str:
        store = str(tmp_path / "history.db")
        entries = [entry(number, **options(number)) for number in range(count)]
        write(store, lambda connection: [write_entry(connection, each) for each in entries])
        return store

    return filled


def one(found: QueryResult, metric: str = "latency"):
    (trend,) = [trend for trend in found.trends if trend.series.metric == metric]
    return trend


def told(found: QueryResult, width: int = 120) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    render_terminal(found, console)
    return console.export_text()


def slower_from(at: int, factor: float = 1.1, **options: object) -> Callable[[int], dict]:
    return lambda n: {"seconds": 0.030 * (factor if n >= at else 1.0), **options}


def test_a_step_of_ten_percent_is_told_with_the_commits_around_it(fill: Callable) -> None:
    trend = one(query_trends(fill(24, slower_from(16)), ["mlp"], ["latency"]))
    (change,) = trend.changes
    assert change.at == 16
    assert change.verdict == "worse"
    assert change.factor == pytest.approx(1.1, abs=0.02)
    sentence = change_of(trend, change)
    assert sentence.startswith("▲ +1")
    assert "worse; since 2026-10-17 03:01" in sentence
    assert "commits c000000000..c000000000" in sentence


def test_a_machine_twice_as_fast_is_no_change_in_sentinels(fill: Callable) -> None:
    def options(n: int) -> dict:
        factor = 0.5 if n >= 12 else 1.0
        machine = "fast" if n >= 12 else "slow"
        return {"seconds": 0.03 * factor, "sentinel": 40e-6 * factor, "fingerprint": machine}

    trend = one(query_trends(fill(24, options), ["mlp"], ["latency"]))
    assert trend.basis == "ratio"
    assert trend.is_searched
    assert trend.changes == ()


def test_absolute_times_are_never_compared_across_machines(fill: Callable) -> None:
    def options(n: int) -> dict:
        machine = "fast" if n >= 12 else "slow"
        return {"seconds": 0.015 if n >= 12 else 0.03, "sentinel": None, "fingerprint": machine}

    trend = one(query_trends(fill(24, options), ["mlp"], ["latency"]))
    assert trend.basis == "value"
    assert trend.is_searched
    assert trend.changes == ()


def test_absolute_times_of_one_machine_are_compared(fill: Callable) -> None:
    def options(n: int) -> dict:
        machine = "ab"[n % 2]
        return {
            "seconds": (0.03 if n % 2 else 0.06) * (1.1 if n >= 24 else 1.0),
            "sentinel": None,
            "fingerprint": machine,
        }

    trend = one(query_trends(fill(40, options), ["mlp"], ["latency"]))
    assert {change.at for change in trend.changes} == {24, 25}


def test_a_step_in_sentinels_across_machines_is_told_with_what_else_changed(fill: Callable) -> None:
    def options(n: int) -> dict:
        return {**slower_from(12)(n), "fingerprint": "new" if n >= 12 else "old"}

    (change,) = one(query_trends(fill(24, options), ["mlp"], ["latency"])).changes
    assert change.at == 12
    assert change.surroundings == ("environment old -> new",)


def test_parameters_are_exact_and_one_more_is_a_change_at_once(fill: Callable) -> None:
    trend = one(
        query_trends(fill(5, lambda n: {"parameters": 101_770.0 + (n == 4)}), ["mlp"], ["all"][:0]),
        "parameters",
    )
    (change,) = trend.changes
    assert (change.at, change.verdict, change.p_value, change.size) == (4, "changed", None, 1.0)


def test_a_machine_that_has_shown_the_old_value_is_not_told_as_the_cause(fill: Callable) -> None:
    def options(n: int) -> dict:
        return {"parameters": 9.0 if n >= 4 else 7.0, "fingerprint": "ab"[n % 2]}

    (change,) = one(query_trends(fill(6, options), ["mlp"], ["parameters"]), "parameters").changes
    assert change.surroundings == ()


def test_a_smaller_throughput_is_worse(fill: Callable) -> None:
    (change,) = one(
        query_trends(fill(24, slower_from(16)), ["mlp"], ["throughput"]), "throughput"
    ).changes
    assert change.verdict == "worse"
    assert change.factor == pytest.approx(1 / 1.1, abs=0.02)


def test_steady_runs_have_no_change(fill: Callable) -> None:
    assert all(not trend.changes for trend in query_trends(fill(30, lambda n: {})).trends)


def test_fewer_than_eight_runs_are_not_searched_and_it_is_said(fill: Callable) -> None:
    found = query_trends(fill(7, slower_from(4, 2.0)), ["mlp"], ["latency"])
    assert not one(found).is_searched
    assert "from 8 runs on" in told(found)


def test_only_the_newest_runs_are_looked_at_and_the_oldest_comes_first(fill: Callable) -> None:
    points = one(query_trends(fill(9, lambda n: {}), ["mlp"], ["latency"], last=4)).points
    assert [point.run[-4:] for point in points] == ["0005", "0006", "0007", "0008"]


def test_models_are_names_or_globs_and_an_unknown_one_is_told_with_what_is_near(
    fill: Callable,
) -> None:
    store = fill(2, lambda n: {"models": ("resnet18", "resnet50", "mlp")})
    found = query_trends(store, ["resnet*"], ["latency"])
    assert titles_of(found.trends) == ["resnet18", "resnet50"]
    with pytest.raises(HistoryError, match="no model 'resnet19'; it has resnet18"):
        query_trends(store, ["resnet19"])
    with pytest.raises(HistoryError, match="no metric 'latncy'; it has latency"):
        query_trends(store, ["mlp"], ["latncy"])


def test_a_look_into_a_server_is_the_same_as_into_a_file(store: str) -> None:
    for number in range(24):
        record_entry(entry(number, **slower_from(16)(number)), store)
    document = to_document(query_trends(store))
    assert [s["metric"] for s in document["series"]] == [
        "latency",
        "parameters",
        "peak_rss_delta",
        "throughput",
    ]
    assert [change["at"] for change in document["series"][0]["changes"]] == [16]
    assert document["series"][0]["points"][0]["at"] == "2026-10-01T03:01:00+00:00"
    assert document["series"][0]["points"][23]["commit"] == "c00000000017"


def test_the_terminal_shows_a_chart_with_the_newest_value_and_the_change(fill: Callable) -> None:
    text = told(query_trends(fill(24, slower_from(16)), ["mlp"], ["latency"]))
    assert "1 series, 1 with a change of level: 1 worse" in text
    assert text.count(DOT) == 24
    assert "24 runs, 2026-10-01 to 2026-10-24" in text
    assert "sentinels)" in text
    assert re.search(r"▲ \+\d", text)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_many_series_have_a_line_each_that_fits(fill: Callable, width: int) -> None:
    models = tuple(f"model{i}" for i in range(10))
    text = told(query_trends(fill(12, slower_from(8, models=models)), [], ["latency"]), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert sum(any(block in line for block in BLOCKS) for line in text.splitlines()) == 10


def test_names_from_elsewhere_cannot_become_markup(fill: Callable) -> None:
    store = fill(9, lambda n: {"models": ("[red]x[/red]<script>alert(1)</script>",)})
    found = query_trends(store)
    assert "[red]x[/red]" in told(found)
    assert "<script" not in to_html(found)


class Page(HTMLParser):
    """What a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "action")
        ]


def test_the_page_needs_no_network_and_no_script(fill: Callable) -> None:
    text = to_html(query_trends(fill(24, slower_from(16))))
    page = Page(text)
    assert all(a.startswith("#") or a == "data:," for a in page.addresses)
    assert "script" not in page.tags
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme:dark" in text


def test_lines_of_levels_stay_in_the_frame(fill: Callable) -> None:
    text = to_html(query_trends(fill(24, slower_from(16)), ["mlp"], ["latency"]))
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', text.split('class="plot"')[1])[1])
    paths = re.findall(r'class="level" d="([^"]+)"', text)
    ends = [float(x) for path in paths for x in re.findall(r"[MH](-?[\d.]+)", path)]
    assert len(ends) >= 4
    assert min(ends) >= 0
    assert max(ends) <= width


def test_the_page_has_a_dot_for_every_run_and_a_line_for_every_change(fill: Callable) -> None:
    text = to_html(query_trends(fill(24, slower_from(16)), ["mlp"], ["latency"]))
    assert len(re.findall(r'<path class="dot', text)) == 24
    assert len(re.findall(r'<line class="change v-worse"', text)) == 1
    assert re.search(r"▲ \+1\d% worse; since 2026-10-17", text)


def test_a_page_is_written_whole_or_not_at_all(fill: Callable, tmp_path: Path) -> None:
    found = query_trends(fill(2, lambda n: {}))
    with pytest.raises(FileNotFoundError):
        write_html(found, tmp_path / "nowhere" / "history.html")
    write_html(found, tmp_path / "history.html")
    assert {p.name for p in tmp_path.iterdir()} == {"history.db", "history.html"}


def test_the_document_is_json_of_schema_1(fill: Callable) -> None:
    document = json.loads(to_json(query_trends(fill(24, slower_from(16)))))
    assert document["schema"] == 1
    series = document["series"][0]
    assert "id" not in series
    assert series["basis"] == "ratio"
    (change,) = series["changes"]
    assert change["commits"] == ["c0000000000f", "c00000000010"]
    described = (Path(__file__).parents[2] / "docs" / "history.md").read_text(encoding="utf-8")
    names = {*document, *series, *series["points"][0], *change}
    assert {name for name in names if f"`{name}`" not in described} == set()


def test_a_sparkline_of_noise_below_the_least_range_is_flat() -> None:
    assert set(sparkline([100.0, 100.1, 99.9])) <= set(BLOCKS[3:5])
    assert sparkline([1.0, 2.0, 3.0])[0] == BLOCKS[0]
    assert sparkline([1.0, 2.0, 3.0])[-1] == BLOCKS[-1]
    assert sparkline([]) == ""
    assert len(sparkline([0.0, 0.0])) == 2


def test_a_long_trend_is_thinned_to_the_width_and_keeps_its_change(fill: Callable) -> None:
    trend = one(query_trends(fill(60, slower_from(45)), ["mlp"], ["latency"]))
    values, marks = resample(trend, 20)
    assert len(values) == 20
    assert list(marks) == [15]
    chart = draw_chart(trend, 20, 7)
    assert {len(line) for line in (*chart.rows, chart.marks)} == {20}
