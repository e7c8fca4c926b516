"""Names, messages and metadata that look like markup, or that steer a terminal, in every place that is rendered."""

from __future__ import annotations

import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from graph_files import net
from report_runs import write_failing_run
from rich.console import Console

from bench.gate.block import Block
from bench.gate.cause import Cause
from bench.gate.html import to_html as gate_page
from bench.gate.markdown import to_markdown as gate_markdown
from bench.gate.outcome import Gate, Side
from bench.gate.row import Row
from bench.gate.terminal import render as gate_terminal
from bench.gate.thresholds import Limits
from bench.gate.verdict import Verdict, summarize_effects
from bench.graph_analysis.folder import folder_of, load_anatomies
from bench.graph_analysis.static import anatomy_of
from bench.history.html import to_html as history_page
from bench.history.query import query_trends
from bench.history.recording import record_run
from bench.history.terminal import render_terminal as history_terminal
from bench.output.console import console_on
from bench.report.html import to_html
from bench.report.markdown import to_markdown
from bench.report.terminal import render_terminal
from bench.run_outputs import write_outputs
from bench.summary.build import build_report
from diagnostics.explain.output import lines as finding_lines
from diagnostics.explain.output import show
from diagnostics.finding import Evidence, Finding, Fix, Level
from suite.cell import Cell
from suite.engine.live_display import live_display
from suite.runs.load import load_run

pytestmark = pytest.mark.heavy

STEERING = "\x1b[2J\x1b]0;owned\x07\x9b31m\x08\r\x00\x7f\u202e"
"""Clears the screen, names the window, goes red, goes back: a terminal must see none of it."""
EVIL = (
    f"{STEERING}steers",
    "<script>window.pwned=1</script>",
    '"onmouseover="window.pwned=2',
    "</style></title></script><img src=x onerror=window.pwned=3>",
    "`</code>` ```\n```\n<svg onload=window.pwned=4>",
    "[click](javascript:alert(1)) ![x](http://evil.example/x) <http://evil.example>",
    "| cell | @someone #1 |\n| --- |",
    "{{ 7 * 7 }}{% raw %}[bold red]red[/bold red]",
)
CODES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ALLOWED = {"details", "summary", "br", "sub", "sup", "b", "i"}
"""Elements of our own in Markdown."""


class Elements(HTMLParser):
    """What a browser would make of a page: elements, their handlers and links."""

    def __init__(self, page):
        super().__init__()
        self.bad = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in ("img", "iframe", "object", "embed", "base"):
            self.bad.append((tag, values))
        self.bad += [(tag, name) for name in values if name.startswith("on")]
        for name in ("href", "src", "action", "xlink:href"):
            if re.match(r"\s*(javascript|data:text|http://evil)", values.get(name) or "", re.I):
                self.bad.append((tag, values[name]))


def check_page(page):
    assert Elements(page).bad == []
    assert "<script>window.pwned" not in page
    assert "7 * 7" not in page or "{{ 7 * 7 }}" in page  # shown as it is, not calculated


def check_terminal(text):
    assert CODES.findall(text.replace("\r\n", "\n")) == []


def check_markdown(text):
    check_terminal(text)
    outside = re.sub(r"(?ms)^(`{3,})sh$.*?^\1$", "", text)  # blocks and words of code are inert
    outside = re.sub(r"(?<!\\)`[^`\n]*`", "", outside)
    tags = re.findall(r"(?<!\\)<(/?\w[\w:./-]*)", outside)
    assert {tag.strip("/") for tag in tags} <= ALLOWED, tags
    assert not re.search(r"(?<!\\)\]\((?!#|https://(?!evil))", outside)
    assert "@someone" not in outside


def spoiled(value, texts):
    """The JSON value with evil texts at the ends of its free texts."""
    if isinstance(value, dict):
        return {
            key: item
            if key in ("outcome", "step", "level", "metric", "unit", "started_at", "schema", "size")
            else spoiled(item, texts)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [spoiled(item, texts) for item in value]
    return f"{value}{next(texts)}" if isinstance(value, str) else value


@pytest.fixture(scope="module")
def evil_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil") / "runs" / "20261124-000000-evil"
    write_failing_run(folder, EVIL)
    for name in ("environment.json", "run.json"):
        data = json.loads((folder / name).read_text())
        texts = iter(EVIL * 1000)
        kept = {key: data[key] for key in ("planned", "fingerprint") if key in data}
        (folder / name).write_text(json.dumps(spoiled(data, texts) | kept))
    folder_of(folder).mkdir()
    graph, _ = anatomy_of(net(folder.parent / "net.onnx"), model=EVIL[1], size="base")
    text = json.dumps(graph.as_dict()).replace("conv.weight", json.dumps(EVIL[3])[1:-1])
    (folder_of(folder) / "evil.json").write_text(text)
    return folder


def printed(render, subject, **options):
    out = io.StringIO()
    console = console_on(out)
    console.width = 140
    render(subject, console, **options)
    return out.getvalue()


def test_in_a_report(evil_run, tmp_path, monkeypatch):
    report = build_report(load_run(evil_run))
    check_page(to_html(report, anatomies=load_anatomies(evil_run)))
    check_markdown(to_markdown(report))
    check_terminal(printed(render_terminal, report))
    check_terminal(printed(render_terminal, report, is_brief=True))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    write_outputs(evil_run, "")
    check_markdown((tmp_path / "summary.md").read_text(encoding="utf-8"))
    check_page((evil_run / "report.html").read_text(encoding="utf-8"))


def test_in_a_history(evil_run, tmp_path):
    store = str(tmp_path / "history.db")
    check_terminal(record_run(evil_run, store).sentence)
    found = query_trends(store)
    assert found.trends
    check_page(history_page(found))
    check_terminal(printed(history_terminal, found))


def evil_gate():
    effects = [0.10 + number / 1000 for number in range(10)]
    blocks = [
        Block(
            effect=effect,
            base=1e-3,
            head=1e-3 * math.exp(effect),
            num_pairs=12,
            num_void=1,
            are_voids_kept=False,
            begins="base",
            drift=0.0,
        )
        for effect in effects
    ]
    rows = []
    for evil in EVIL:
        row = Row(
            cell=Cell(model=evil, size="tiny"),
            limits=Limits(),
            parity="passed",
            screen=blocks,
            finding=summarize_effects(effects, least=Limits().least),
            verdict=Verdict.REGRESSED,
            detectable=0.04,
        )
        row.confirm = blocks
        row.cause = Cause(
            operators=(
                {
                    "operator": evil,
                    "base_seconds": 0.0,
                    "head_seconds": 9e-5,
                    "base_calls": 0.0,
                    "head_calls": 1.0,
                },
            ),
            files=(evil,),
            bisect=" ".join(evil.split()),
            again=" ".join(evil.split()),
        )
        rows.append(row)
        lost = Row(cell=Cell(model=evil, size="tiny", batch=2), limits=Limits(), parity="failed")
        lost.parity_note = lost.lost = evil
        rows.append(lost)
    return Gate(
        gate_id="g1",
        base=Side(label=EVIL[1], sha="1a2b3c4"),
        head=Side(label=EVIL[0]),
        rows=rows,
        control=blocks,
        plan="standard",
        command="pytest bench",
        started_at="2026-01-01T00:00:00+00:00",
        seconds=61.0,
        fingerprint="f",
        notes=EVIL,
    )


def test_in_the_comment_and_the_page_of_a_gate():
    gate = evil_gate()
    check_page(gate_page(gate))
    check_markdown(gate_markdown(gate))
    check_terminal(printed(gate_terminal, gate))


def test_in_what_the_doctor_says_of_a_file(capsys):
    findings = [
        Finding(
            code="model-x",
            area="model",
            level=Level.ERROR,
            summary=evil,
            cause=evil,
            evidence=(Evidence(source=evil, value=evil),),
            fixes=(Fix(argv=("echo", evil), why=evil),),
        )
        for evil in EVIL
    ]
    show(findings, in_json=False, nothing="")
    check_terminal(capsys.readouterr().out)
    show(findings, in_json=True, nothing="")
    check_terminal(capsys.readouterr().out)
    assert STEERING[0] in "".join(finding_lines(findings))  # the codes were there to be removed


def test_in_the_progress_of_a_run(tmp_path):
    out = io.StringIO()
    console = console_on(out)
    with live_display(len(EVIL), console, work=(), name_of=str, lanes={}) as live:
        for evil in EVIL:
            live.begin(evil, "latency")
            live.task("report", evil, 1.0)
            live.say(evil)
    check_terminal(out.getvalue())


def test_in_an_error_about_a_file_of_others(tmp_path, capsys):
    from bench.__main__ import main

    path = tmp_path / f"{EVIL[0]}.onnx".replace("\0", "")
    path.write_bytes(b"no graph")
    assert main(["graphs", str(path), str(path)]) == 2
    said = capsys.readouterr()
    assert "steers.onnx" in said.err
    check_terminal(said.err)
    check_terminal(said.out)


def test_a_terminal_is_still_coloured_by_us():
    out = io.StringIO()
    console = console_on(out)
    assert isinstance(console, Console)
    console = type(console)(file=out, force_terminal=True)
    console.print("plain", style="bold red")
    assert "\x1b[1;31mplain" in out.getvalue()


def test_a_name_with_codes_is_the_same_name_without_them():
    from diagnostics.control_codes import calmed, without_codes

    assert without_codes(f"a{STEERING}b\tc\nd") == "a[2J]0;owned31mb\tc\nd"
    finding = Finding(code="x", area="y", level=Level.OK, summary=f"{STEERING}s")
    assert calmed((finding,))[0].summary.endswith("s")
    assert calmed((finding,))[0].level is Level.OK
    assert isinstance(calmed({"a": [Path("x")]})["a"][0], Path)
