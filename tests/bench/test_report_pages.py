"""The report in a real browser: tables sort and filter, charts draw, nothing is executed, nothing is fetched."""

import json
import re
from contextlib import contextmanager
from html import unescape

import pytest
from graph_files import EVIL, net
from life_runs import LIVES, benched_records, life_records, write_folder, write_suite_run
from pages import page
from report_runs import write_failing_run, write_run

from bench.graph_analysis.folder import folder_of
from bench.graph_analysis.static import anatomy_of
from bench.netron.devtools import INSTALL, find_browser
from bench.netron.errors import BrowserMissing
from bench.netron.server import Answer, Server
from bench.output.names import COMPARISONS
from bench.report.html import to_html, write_html
from bench.summary.build import build_report
from suite.runs.load import load_run

try:
    find_browser()
    HAS_CHROMIUM = True
except BrowserMissing:
    HAS_CHROMIUM = False

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_CHROMIUM, reason=f"no Chromium on PATH; {INSTALL}"),
]
COVERED = """(() => {
  const lines = (cell) => {
    const found = [], walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      if (walker.currentNode.parentElement.closest(".sr")) continue;
      const range = document.createRange();
      range.selectNodeContents(walker.currentNode);
      found.push(...range.getClientRects());
    }
    return found.filter((box) => box.width > 1 && box.height > 1);
  };
  const meet = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
  const found = [];
  for (const row of document.querySelectorAll(".cards tbody tr")) {
    const cells = [...row.cells].map((cell) => [cell, lines(cell)]);
    for (const [one, first] of cells) for (const [two, second] of cells)
      if (one !== two && first.some((a) => second.some((b) => meet(a, b))))
        found.push(one.textContent.trim().slice(0, 30) + " | " + two.textContent.trim().slice(0, 30));
    for (const [cell, own] of cells)
      if (own.some((box) => box.right > innerWidth)) found.push(cell.textContent.trim().slice(0, 60));
  }
  return found;
})()"""
"""Cells of a card whose text lies over that of another, or beyond the screen."""
BERTS = {"bert", "bert_classifier", "bert_qa", "albert_classifier", "roberta_classifier"}
PEAKS = [{"device": "cpu", "threads": 2, "bandwidth": 2e10, "matmul": {"float32": 9e10}}]


@contextmanager
def shown(folder, **size):
    """The report of that run in a browser, every box open; checks that it said and fetched nothing."""
    write_html(build_report(load_run(folder)), folder / "report.html")
    text = (folder / "report.html").read_text(encoding="utf-8")
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    answer = Answer(kind="text/html; charset=utf-8", body=text.encode(), policy=policy)
    with Server({"report.html": answer}) as server, page() as seen:
        seen.open(f"{server.address}report.html", **size)
        yield seen
        seen.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert seen.said == []
        assert set(seen.asked) == {f"{server.address}report.html"}
        assert seen.run("window.pwned === undefined")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A benchmark of thirty models with a bad day, peaks, and one model taken apart."""
    folder = tmp_path_factory.mktemp("runs") / "20261124-000000-page"
    write_run(folder)
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**info, "roofline": PEAKS}))
    folder_of(folder).mkdir()
    path = net(folder / "net.onnx")
    for variant in ("original", "int8"):
        found, _ = anatomy_of(path, model="cnn", size="base", variant=variant, sizes={"batch": 1})
        (folder_of(folder) / f"cnn-{variant}.json").write_text(json.dumps(found.as_dict()))
    (folder_of(folder) / "no-pictures.txt").write_text("no browser to draw pictures with")
    return folder


def names(seen, table):
    return seen.run(
        f"[...document.querySelectorAll('#{table} tbody tr')].filter(r => !r.hidden)"
        ".map(r => r.querySelector('bdi').textContent)"
    )


def click(seen, table, key):
    seen.run(f"document.querySelector('#{table} th[data-sort={key}] button').click()")


def test_tables_sort_by_number_and_back_with_what_is_missing_last(run):
    with shown(run) as seen:
        click(seen, "latency", "latency")
        first = names(seen, "latency")
        assert first[0] == "mlp"
        click(seen, "latency", "latency")
        assert names(seen, "latency")[0] == "faster_rcnn"
        assert seen.run(
            "document.querySelector('#latency th[data-sort=latency]').getAttribute('aria-sort')"
        ) == ("descending")
        click(seen, "latency", "name")
        assert names(seen, "latency")[:2] == ["albert_classifier", "bert"]
        click(seen, "roofline", "share")
        shares = seen.run(
            "[...document.querySelectorAll('#roofline tbody tr')].map(r => Number(r.dataset.share))"
        )
        assert shares == sorted(shares)


def test_tables_filter_by_name_and_by_outcome(run):
    with shown(run) as seen:
        fill = (
            "(() => {{ const box = document.getElementById('{0}'); box.value = '{1}';"
            " box.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        )
        seen.run(fill.format("f-text", "bert"))
        for table in ("latency", "memory", "roofline", "size"):
            assert set(names(seen, table)) == BERTS
        seen.run(fill.format("f-text", ""))
        seen.run(fill.format("f-outcome", "crashed"))
        assert names(seen, "latency") == ["mvit_v2_s"]
        assert seen.run("document.getElementById('f-count').textContent") == "1 of 30 shown"


def test_charts_have_a_size_and_something_in_them(run):
    with shown(run) as seen:
        seen.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        for chart, part in ((".roof svg", ".mark"), (".strip svg", "path"), (".hill", "path")):
            width, height, parts = seen.run(
                f"(() => {{ const c = document.querySelector('{chart}'); c.scrollIntoView();"
                " const b = c.getBoundingClientRect();"
                f" return [b.width, b.height, c.querySelectorAll('{part}').length]; }})()"
            )
            assert (width > 60, height > 15, parts > 0) == (True, True, True), chart
        assert seen.run("document.body.textContent").count("No picture: no browser to draw") == 1


def test_points_of_the_roofline_are_named_and_look_as_in_the_legend(run):
    with shown(run) as seen:
        seen.run("document.querySelector('.roof').scrollIntoView()")
        names = seen.run("[...document.querySelectorAll('.roof a text')].map(t => t.textContent)")
        assert len(names) == len(set(names)) >= 8
        marks, legend = seen.run(
            "[new Set([...document.querySelectorAll('.roof .mark')].map(m => m.getAttribute('d'))).size,"
            " new Set([...document.querySelectorAll('.roof .dot')].map(d => d.className)).size]"
        )
        assert marks == legend == 2


def test_every_state_of_a_layer_has_a_histogram_of_the_same_width(run):
    with shown(run) as seen:
        seen.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        widths = seen.run(
            "[...document.querySelectorAll('.layers tbody tr')].map(r =>"
            " [...r.querySelectorAll('.hill')].map(h => Math.round(h.getBoundingClientRect().width)))"
        )
        assert any(len(row) > 1 for row in widths)
        assert all(max(row) - min(row) <= 1 for row in widths if row)
        outside = seen.run("""[...document.querySelectorAll('.layers td .stat')].filter((stat) => {
            const figures = "-0.0061 ± 0.06|1.0% zero|43.4 dB".split('|');
            stat.innerHTML = figures.map(one => `<span class="word">${one}</span>`).join(' · ');
            stat.style.width = '8.5rem';  // the narrowest histogram
            return stat.scrollWidth > stat.clientWidth;
        }).length""")
        assert outside == 0


def test_a_drawing_wider_than_its_box_is_shown_from_its_middle(run):
    with shown(run, width=390, height=800) as seen:
        seen.run(
            "(() => { const box = document.querySelector('.details'), canvas = document.createElement('div');"
            " canvas.className = 'canvas'; canvas.innerHTML = '<svg width=\"2000\" height=\"50\"></svg>';"
            " box.append(canvas); box.open = true; box.scrollIntoView(); })()"
        )
        seen.wait("document.querySelector('.canvas').scrollLeft > 500", 10)


def test_a_link_to_a_cell_opens_the_box_around_it(run):
    with shown(run) as seen:
        seen.run("location.hash = '#cnn-base-onnxruntime-cpu-float32-b1'")
        seen.wait("document.querySelector('details:target, details:has(:target)').open")


def test_every_verdict_on_a_speed_fits_into_its_cell(run):
    kinds = [
        f"<b>0.0312×</b> <small>{mark} {words}</small>" for mark, words, _ in COMPARISONS.values()
    ]
    with shown(run, width=1440) as seen:
        for text in kinds:
            seen.run(
                f"document.querySelectorAll('#latency .times').forEach(e => e.innerHTML = {json.dumps(text)})"
            )
            assert seen.run("document.querySelector('#latency .times').textContent")
            hidden = (
                "(e => e.scrollWidth - e.clientWidth)(document.querySelector('#latency .scroll'))"
            )
            assert seen.run(hidden) == 0, text


def test_a_name_beside_marks_of_any_width_is_read_in_a_few_words_a_line_on_a_phone(tmp_path):
    write_folder(tmp_path / "run", life_records(LIVES[0], bad={}), [])
    write_html(build_report(load_run(tmp_path / "run")), tmp_path / "run" / "report.html")
    with shown(tmp_path / "run", width=390, height=800) as seen:
        heights = seen.run("""[80, 200, 260, 290, 320].map((width) => {
            const summary = document.querySelector('.details > summary');
            summary.querySelector('.marks').innerHTML = `<span style="width:${width}px"></span>`;
            return summary.querySelector('.title').getBoundingClientRect().height;
        })""")
    assert max(heights) < 80


@pytest.mark.parametrize("width", [900, 1440])
def test_no_word_of_a_head_of_the_states_is_broken(tmp_path, width):
    write_folder(tmp_path / "run", life_records(LIVES[0], bad={}), [])
    write_html(build_report(load_run(tmp_path / "run")), tmp_path / "run" / "report.html")
    with shown(tmp_path / "run", width=width, height=800) as seen:
        seen.run("document.querySelector('#lives .details').open = true")
        broken = seen.run("""[...document.querySelectorAll('.states thead th')].flatMap((head) => {
            const text = head.firstChild, found = [];
            for (const word of text.data.matchAll(/[^ ]+/g)) {
                const range = document.createRange();
                range.setStart(text, word.index);
                range.setEnd(text, word.index + word[0].length);
                if (range.getClientRects().length > 1) found.push(word[0]);
            }
            return found;
        })""")
        assert seen.run("document.documentElement.scrollWidth") <= width
    assert broken == []


def test_too_few_pairs_at_a_glance_stay_on_a_phone(run):
    with shown(run, width=390, height=800) as seen:
        seen.run("""document.querySelectorAll('.glance .value').forEach((value) => {
            value.innerHTML = '<span class="few">too few pairs</span>';
        })""")
        assert seen.run("document.documentElement.scrollWidth") <= 390


def test_a_command_breaks_between_its_words(run):
    with shown(run, width=390, height=800) as seen:
        heights = seen.run(
            "[...document.querySelectorAll('.next code .word')].map(w => w.offsetHeight)"
        )
        text = seen.run("document.querySelector('.next code').textContent")
    assert len(heights) > 3
    assert max(heights) < 30
    assert text.startswith("pytest suite --models ")


def test_a_phone_reads_whose_memory_it_is_and_values_at_the_right_edge(run):
    with shown(run, width=390, height=800) as seen:
        names = seen.run("""(memory => {
            memory.scrollIntoView();
            return [...memory.querySelectorAll('*')]
                .filter(e => !e.childElementCount || e.matches('.legend span'))
                .filter(e => e.getBoundingClientRect().height > 0).map(e => e.textContent).join();
        })(document.querySelector('#memory'))""")
        heights = seen.run(
            "[...document.querySelectorAll('.meta code .word')].map(w => w.offsetHeight)"
        )
        gaps = seen.run("""[...document.querySelectorAll('.flat td')].flatMap((cell) => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            const last = cell.lastElementChild?.getBoundingClientRect() ?? [...range.getClientRects()].at(-1);
            return last ? [cell.getBoundingClientRect().right - last.right] : [];
        })""")
    assert "Eager" in names
    assert "ONNX Runtime" in names
    assert len(heights) > 1
    assert max(heights) < 30
    assert len(gaps) > 3
    assert max(gaps) < 4


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_needs_no_sideways_scrolling(run, width):
    with shown(run, width=width, height=800) as seen:
        assert seen.run("document.documentElement.scrollWidth") <= width
        seen.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        seen.run(
            "document.querySelectorAll('.details').forEach(d => d.style.contentVisibility = 'visible')"
        )
        assert seen.run("document.documentElement.scrollWidth") <= width


def test_lives_are_shown_on_a_phone_and_in_the_dark(tmp_path):
    folder = tmp_path / "20261124-000000-life"
    write_suite_run(folder)
    with shown(folder, width=390, height=800, dark=True) as seen:
        seen.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert seen.run("document.documentElement.scrollWidth") <= 390
        assert seen.run("document.querySelectorAll('.advice').length") > 3
        paper = seen.run("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", paper))) < 60


def test_names_errors_and_logs_are_shown_and_not_run(tmp_path):
    folder = tmp_path / "20261124-000000-evil"
    write_failing_run(folder, EVIL)
    folder_of(folder).mkdir()
    found, _ = anatomy_of(net(tmp_path / "net.onnx"), model=EVIL[0], size="base")
    data = json.dumps(found.as_dict()).replace("conv.weight", "<img src=x onerror=window.pwned=3>")
    (folder_of(folder) / "evil.json").write_text(data)
    with shown(folder, width=390, height=800) as seen:
        seen.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert seen.run("document.querySelectorAll('img, iframe, [onerror]').length") == 0
        assert seen.run("document.querySelectorAll('a[href^=javascript]').length") == 0
        assert "<script>window.pwned=1</script>" in seen.run("document.body.textContent")
        assert "<img src=x onerror=window.pwned=3>" in seen.run("document.body.textContent")
        assert seen.run("document.documentElement.scrollWidth") <= 390


def damaged(folder, what):
    match what:
        case "empty":
            folder.mkdir(parents=True)
            (folder / "records.jsonl").write_text("")
        case "half written":
            write_run(folder, finished=False)
            path = folder / "records.jsonl"
            path.write_bytes(path.read_bytes()[:-200])
        case "without its machine":
            write_run(folder)
            (folder / "environment.json").unlink()
            (folder / "run.json").write_text("{")
        case "with a broken anatomy":
            write_run(folder)
            folder_of(folder).mkdir()
            (folder_of(folder) / "cnn.json").write_text('{"schema": 1')
            (folder_of(folder) / "cnn.picture.json").write_text("[]")


@pytest.mark.parametrize(
    "what, told",
    [
        ("empty", "no cell of this run was recorded"),
        ("half written", "is cut off and was dropped"),
        ("without its machine", "the machine is not described"),
        ("with a broken anatomy", "cnn.json cannot be read"),
    ],
)
def test_a_damaged_run_renders_and_says_what_is_missing(tmp_path, what, told):
    damaged(tmp_path / "run", what)
    with shown(tmp_path / "run") as seen:
        text = seen.run("document.body.innerText")
        assert "This run is not whole" in text
        assert told in text


def test_the_page_holds_all_that_it_needs(run):
    text = to_html(build_report(load_run(run)))
    assert not re.search(
        r"""(?:src|href)=["']?(?:https?:)?//(?!www\.w3\.org)""", text.split("<main")[0]
    )
    assert '<link rel="stylesheet' not in text


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Lives and benchmarks of the same models: a page with every section."""
    folder = tmp_path_factory.mktemp("runs") / "20261124-000000-everything"
    records = {r.key: r for row in LIVES for r in life_records(row)}
    records |= {r.key: r for row in LIVES[:5] for r in benched_records(row)}
    planned = [{"cell": r.cell.as_dict(), "step": r.step} for r in records.values()]
    write_folder(folder, list(records.values()), planned)
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**info, "roofline": PEAKS}))
    return folder


@pytest.mark.parametrize("width", [390, 1440])
def test_links_and_the_section_bar_land_where_they_point(everything, width):
    with shown(everything, width=width) as seen:
        bar = seen.run("[...document.querySelectorAll('.jump a')].map(a => a.hash)")
        links = seen.run("[...document.querySelectorAll('main a[href^=\"#\"]')].map(a => a.hash)")
        for hash_ in (*bar, *list(dict.fromkeys(links))[::40]):
            seen.run(f"document.querySelector('a[href={json.dumps(hash_)}]').click()")
            place = f"document.getElementById({json.dumps(hash_[1:])}).getBoundingClientRect().top"
            at_end = "scrollY + innerHeight > document.documentElement.scrollHeight - 3"
            top, is_at_end = seen.run(
                "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() =>"
                f" done([{place}, {at_end}]))))"
            )
            assert -5 < top < (900 if is_at_end else 200), hash_


@pytest.mark.parametrize("width", [360, 390])
def test_nothing_of_a_card_lies_over_its_neighbour_on_a_phone(everything, width):
    with shown(everything, width=width) as seen:
        seen.run("document.querySelectorAll('.life').forEach(box => box.open = true)")
        assert seen.run(COVERED) == []
        assert seen.run("document.documentElement.scrollWidth") <= width
