"""The report as a person sees it: terminal, HTML and Markdown, with friendly and with hostile text."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from recorded import altered_record, facts_of
from report_runs import BAD, MODELS, write_run
from rich.console import Console

from bench.charts.axis import decade_axis, ratio_axis
from bench.charts.bars import diverging, share
from bench.report.anchor import anchor
from bench.report.html import to_html, write_html
from bench.report.markdown import to_markdown
from bench.report.terminal import render_terminal
from bench.report.view import between
from bench.summary.build import build_report
from bench.summary.headline import headline
from bench.summary.model import Report
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.records import Build, Gpu, Interpreter, Repository, System
from suite import units
from suite.record import Record
from suite.runs.load import Run, load_run
from suite.runs.machine import Machine

EVIL = (
    "<script>alert(1)</script>",
    '"onmouseover="alert(2)',
    "'); alert(3); ('",
    "</style><img src=x onerror=alert(4)>",
    "{{ 7 * 7 }}{% raw %}",
    "🦆 مرحبا \u202e rtl",
    "[bold red]markup[/bold red] | `code` | @someone",
    "x" * 10_000,
)
VOID = {"meta", "link", "br", "input", "use", "path", "rect", "circle", "img"}


class Page(HTMLParser):
    """Every element of a page with its attributes, and whether the tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def values(self, name: str) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.elements if name in attrs]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("runs") / "20261123-180411-a3f9"
    write_run(folder)
    return build_report(load_run(folder))


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(to_html(report))


def hostile(records: tuple[Record, ...]) -> Report:
    """A report in which every text that a user or a library can choose is hostile."""
    found = []
    for number, record in enumerate(records):
        text = EVIL[number % len(EVIL)]
        failure = record.failure and replace(
            record.failure,
            kind=text,
            message=text,
            phase=text,
            log_tail=text,
            log=f"../{text}",
            url=f"javascript:alert('{text}')",
        )
        facts = {
            **facts_of(record),
            "parity": {
                "verdict": text,
                "reason": text,
                "shapes": [{"axis": text, "verdict": text, "reason": text}],
            },
        }
        facts["onnx"] = {"opset": 20, "exporter": text, "operators": {text: 3}}
        facts["diagnosis"] = [
            {
                "code": text,
                "area": text,
                "level": "error",
                "summary": text,
                "cause": text,
                "fixes": [{"argv": [], "why": text, "shell": text}],
            }
        ]
        artifacts = tuple(replace(a, path=text) for a in record.artifacts)
        cell = replace(record.cell, model=f"{text}{number // 8}")
        found.append(
            altered_record(
                replace(
                    record,
                    cell=cell,
                    failure=failure,
                    artifacts=artifacts,
                    phases=dict.fromkeys((text,), 1.0),
                ),
                facts,
            )
        )
    text = " ".join(EVIL)
    info = {
        "run_id": text,
        "command": text,
        "options": {text: text},
        "started_at": text,
        "excluded": [{"what": text, "reason": text}],
        "planned": [{"cell": text, "step": text}],
    }
    machine = Machine(
        environment=Environment(
            python=Interpreter(executable=text, version=text),
            system=System(cpu_model=text),
            gpus=(Gpu(index=0, name=text, memory_total=1),),
            builds={"torch": Build(package="torch", version=text)},
            git=Repository(commit=text),
        ),
        fingerprint=text,
        findings=(Finding(code=text, area=text, level=Level.WARN, summary=text),),
    )
    return build_report(Run(folder=Path("x"), records=tuple(found), info=info, machine=machine))


def printed(report: Report, width: int, *, terminal: bool = False, html: Path | None = None) -> str:
    file = io.StringIO()
    render_terminal(report, Console(file=file, width=width, force_terminal=terminal), html=html)
    return file.getvalue()


def test_the_page_is_balanced_and_its_ids_are_unique(page: Page) -> None:
    assert (page.open, page.unbalanced) == ([], [])
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_every_anchor_that_is_linked_exists(page: Page) -> None:
    ids = set(page.values("id"))
    linked = {href[1:] for href in page.values("href") if href.startswith("#")}
    assert linked <= ids


def test_every_cell_is_an_anchor_by_its_id(report: Report, page: Page) -> None:
    ids = set(page.values("id"))
    assert {lane.cell for row in report.rows for lane in row.lanes} <= ids


def test_the_page_asks_nothing_of_the_network(page: Page) -> None:
    assert not [tag for tag, _ in page.elements if tag in ("img", "iframe", "object", "embed")]
    assert [attrs for tag, attrs in page.elements if tag == "script"] == [{}]
    links = [attrs for tag, attrs in page.elements if tag == "link"]
    assert links == [{"rel": "icon", "href": "data:,"}]
    (policy,) = [a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a]
    assert "default-src 'none'" in str(policy)


def test_the_script_that_runs_is_the_one_whose_digest_the_policy_names(report: Report) -> None:
    import base64
    import hashlib

    text = to_html(report)
    script = re.search(r"<script>(.*)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text.replace("&#39;", "'")


def test_the_page_shows_both_backends_and_every_outcome(report: Report, page: Page) -> None:
    text = " ".join("".join(page.text).split())
    for words in ("Eager", "ONNX Runtime", "out of memory", "known bug", "timed out", "vacuous"):
        assert words in text
    for row in report.rows:
        assert row.model in text


def test_hostile_text_is_shown_and_never_becomes_markup(report: Report, tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    text = to_html(hostile(load_run(tmp_path / "run").records))
    page = Page(text)
    assert (page.open, page.unbalanced) == ([], [])
    assert len([1 for tag, _ in page.elements if tag == "script"]) == 1
    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    shown = "".join(page.text)
    for evil in EVIL:
        assert evil in shown
    hrefs = page.values("href")
    assert not [href for href in hrefs if href.lower().startswith(("javascript:", "http"))]
    assert not [href for href in hrefs if ".." in href]
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert not [name for name in ids if re.search(r"\s", name)]


def test_hostile_text_does_not_break_the_terminal_or_markdown(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    report = hostile(load_run(tmp_path / "run").records)
    assert "[bold red]markup[/bold red]" in printed(report, 200)
    text = to_markdown(report)
    assert not re.search(r"(?<!\\)<script", text)
    assert "@someone" not in text
    heads, *rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = len(re.findall(r"(?<!\\)\|", heads))
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {cells}


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_table_fits_the_terminal(report: Report, width: int) -> None:
    lines = printed(report, width).splitlines()
    free = (
        "logs/",
        "--models ",
        "bench tune",
        "--plan ",
    )  # a command that is broken in the middle cannot be copied
    assert max(len(line) for line in lines if not any(word in line for word in free)) <= width
    assert any("resnet18" in line and "▲" in line for line in lines)


def test_a_wider_terminal_shows_more_columns(report: Report) -> None:
    assert "peak tensor" in printed(report, 200)
    assert "peak tensor" not in printed(report, 80)
    assert "parity" in printed(report, 100)


def test_a_pipe_gets_no_colours_and_a_terminal_does(report: Report) -> None:
    assert "\x1b" not in printed(report, 100)
    assert "\x1b[" in printed(report, 100, terminal=True)


def test_the_terminal_says_why_cells_did_not_run_and_where_the_page_lies(
    report: Report, tmp_path: Path
) -> None:
    text = printed(report, 120, html=tmp_path / "report.html")
    for outcome, _, message, _ in BAD.values():
        assert outcome.value.replace("_", " ") in text
        assert message in text
    assert "device cuda: no NVIDIA driver" in text
    assert str(tmp_path / "report.html") in text


def test_one_cause_of_a_cell_is_told_once(report: Report) -> None:
    text = printed(report, 140)
    assert text.count("Could not guard on data-dependent expression") == 1
    assert text.count("faster_rcnn: latency, memory, cold start") == 1


def test_the_faster_backend_is_marked_in_every_format(report: Report) -> None:
    assert re.search(r"vit_b_16 .*… ", printed(report, 100))
    assert re.search(r"mvit_v2_s .*▼ 0\.7", printed(report, 100))
    row = next(line for line in to_markdown(report).splitlines() if line.startswith("| resnet18"))
    assert re.search(r"\*\*19\.\d ms\*\*", row)


def test_a_report_of_2000_cells_is_small_and_quick(tmp_path: Path) -> None:
    models = tuple((f"{row[0]}_{i}", *row[1:]) for i in range(34) for row in MODELS)[:1000]
    write_run(tmp_path / "big", models=models, bad={m[0]: BAD["r3d_18"] for m in models[::10]})
    began = time.process_time()
    report = build_report(load_run(tmp_path / "big"))
    write_html(report, tmp_path / "big" / "report.html")
    assert report.totals.num_cells == 2000
    assert (tmp_path / "big" / "report.html").stat().st_size <= 15e6
    # The aim is 5 s on the clock; processor time, doubled, does not fail on a busy machine.
    assert time.process_time() - began <= 10


def test_many_long_logs_share_the_page(tmp_path: Path) -> None:
    models = tuple((f"m{i}", *MODELS[6][1:]) for i in range(500))
    records = write_run(tmp_path / "r", models=models, bad={m[0]: BAD["r3d_18"] for m in models})
    long = tuple(
        replace(r, failure=replace(r.failure, log_tail=f"{'y' * 50_000}end-of-log"))
        if r.failure
        else r
        for r in records
    )
    text = to_html(build_report(Run(folder=tmp_path / "r", records=long)))
    assert len(text) <= 15e6
    assert text.count("end-of-log") == 500
    assert "characters left out" in text


def test_a_written_page_replaces_the_old_one_whole(report: Report, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old", "utf-8")
    write_html(report, target)
    assert target.read_text("utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_an_id_is_its_own_anchor_unless_html_forbids_it() -> None:
    plain = "bert-base-eager-cuda:1-float32-b1"
    assert anchor(plain) == plain
    assert anchor("a b") != anchor("a_b")
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,100}", anchor('"<>' * 5000))


def test_an_interval_says_its_unit_once() -> None:
    assert between(0.0191, 0.0195) == "19.1–19.5 ms"
    assert between(0.9e-3, 1.1e-3) == "900 µs – 1.10 ms"
    assert between(None, 1.0) == ""


def test_a_log_axis_ends_at_whole_decades_and_keeps_everything_inside() -> None:
    axis = decade_axis([2e-5, 3.0])
    assert (axis.low, axis.high) == (1e-5, 1e1)
    assert [units.decade(at) for at in axis.decades][:3] == ["10 µs", "100 µs", "1 ms"]
    assert axis.place(1e-5) == 0.0
    assert axis.place(10.0) == 100.0
    assert axis.place(0.0) == 0.0
    assert decade_axis([]).num_decades == 1
    assert decade_axis([1.0]).num_decades == 1


def test_bars_never_leave_their_track() -> None:
    assert share(5.0, 2.0) == 100.0
    assert share(None, 2.0) == 0.0
    assert share(1.0, 0.0) == 0.0
    axis = ratio_axis([0.5, 2.0])
    assert axis.place(1.0) == 50.0
    wide = diverging(64.0, 32.0, 128.0, axis)
    assert wide.left + wide.width == 100.0
    slower = diverging(0.5, None, None, axis)
    assert (slower.left, slower.width, slower.whisker_left) == (0.0, 50.0, None)


def test_the_ratio_axis_gives_room_to_the_side_that_needs_it() -> None:
    assert ratio_axis([4.0, 0.9]).place(1.0) < 25.0
    assert ratio_axis([0.25, 1.1]).place(1.0) > 75.0
    assert ratio_axis([]).place(1.0) == 50.0
    assert ratio_axis([1e9]).high == 2.0**3


def brief(report: Report, width: int = 100) -> list[str]:
    file = io.StringIO()
    page = Path("run/report.html")
    render_terminal(report, Console(file=file, width=width), html=page, is_brief=True)
    return file.getvalue().splitlines()


def test_a_run_ends_with_the_table_the_doubts_what_did_not_pass_what_to_ship_and_the_page(
    report: Report,
) -> None:
    lines = brief(report)
    begins = ("model", "? Doubts about", "Did not run", headline(report)[:40], "Report: run/")
    places = [
        next(n for n, line in enumerate(lines) if line.strip().startswith(begin))
        for begin in begins
    ]
    assert places == sorted(places)
    assert lines[-1] == "Report: run/report.html"


def test_the_doubts_of_a_run_take_one_sentence(report: Report) -> None:
    sentence = " ".join(brief(report, 400))
    found = re.search(r"Doubts about (\d+) of (\d+) cells?: ", sentence)
    assert found
    assert 0 < int(found[1]) <= int(found[2])
    full = printed(report, 400)
    assert full.count("  ? ") >= 1
    assert not [line for line in brief(report, 400) if line.startswith("  ? ")]


def test_a_run_has_one_row_per_model(report: Report) -> None:
    lines = brief(report, 120)
    for row in report.rows:
        assert sum(line.lstrip().startswith(f"{row.model} ") for line in lines) <= 1
