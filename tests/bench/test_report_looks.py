"""What a browser can tell of a page without eyes: nothing lies over another, leads nowhere, or is too pale to read."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from life_runs import LIVES, benched_records, life_records, write_folder
from look_at_page import FAULTS
from pages import page
from report_runs import MODELS, write_run
from test_report_lanes import cell_of, compilation, fidelity, latency, pairs
from test_report_pages import HAS_CHROMIUM

from bench.netron.devtools import INSTALL
from bench.report.html import to_html, write_html
from bench.summary.build import build_report
from bench.summary.headline import headline
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Failure
from suite.results.measuring import GraphBreak
from suite.runs.load import load_run

heavy = [
    pytest.mark.heavy,
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_CHROMIUM, reason=f"no Chromium on PATH; {INSTALL}"),
]
GAPS_BEFORE_MISSING = """
[...document.querySelectorAll('#latency .p50 .missing')].map(told => {
  const line = told.closest('.ln'), names = told.closest('tr').querySelectorAll('.names .ln');
  const text = document.createRange();
  text.selectNodeContents(names[[...line.parentNode.children].indexOf(line)]);
  return told.getBoundingClientRect().left - text.getBoundingClientRect().right;
})
"""
"""Pixels between the name of a lane and what stands in place of its figure."""
LANES = ("eager", "compiled", "onnxruntime", "ort_openvino", "openvino")


def refused(record):
    """The record as that of a lane that the machine has not."""
    failure = Failure(kind="gap", message="this ONNX Runtime has no such provider")
    return replace(
        record, outcome=Outcome.UNAVAILABLE, failure=failure, measurements=(), result=None
    )


def lanes(model, dtype):
    """Records of five lanes, one of which is unavailable, none compared with another by enough pairs."""
    cells = [replace(cell_of(backend, dtype), model=model) for backend in LANES]
    for number, cell in enumerate(cells):
        for record in (latency(cell, 1 + number), fidelity(cell)):
            yield refused(record) if cell.backend == "ort_openvino" else record
    yield compilation(
        cells[1], (GraphBreak(place="torchvision/ops/boxes.py:41", reason="nonzero"),)
    )


def report_of_lanes(folder):
    models = ("net", "a_model_with_a_long_name_v2")
    records = [r for m in models for d in ("float32", "bfloat16") for r in lanes(m, d)]
    write_folder(folder, records, [{"cell": r.cell.as_dict(), "step": r.step} for r in records])
    return build_report(load_run(folder))


def report_of_lives(folder):
    records = [r for row in LIVES[:3] for r in life_records(row, bad={})]
    records += benched_records(LIVES[1])
    write_folder(folder, records, [])
    return build_report(load_run(folder))


def report_of_measurements(folder):
    write_run(folder, models=MODELS[:6])
    return build_report(load_run(folder))


def report_of_two_references(folder):
    """A narrow lane that is held against eager in float32: its words ran out of their cell."""
    wide, narrow = cell_of("eager"), cell_of("openvino", "bfloat16")
    records = [latency(wide), latency(cell_of("eager", "bfloat16")), latency(narrow, 0.5)]
    records += [pairs(narrow, wide), fidelity(narrow)]
    write_folder(folder, records, [])
    return build_report(load_run(folder))


KINDS = (report_of_lanes, report_of_lives, report_of_measurements, report_of_two_references)


@contextmanager
def seen(report, folder, **size):
    write_html(report, folder / "report.html")
    with page() as found:
        found.open((folder / "report.html").as_uri(), **size)
        found.run(
            "(() => { const s = document.createElement('style');"
            " s.textContent = 'main>section,.details{content-visibility:visible!important}';"
            " document.head.append(s);"
            " document.querySelectorAll('details').forEach(d => { d.open = true; }); })()"
        )
        yield found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("make", KINDS, ids=["lanes", "lives", "measurements", "two_references"])
class TestInABrowser:
    pytestmark = heavy

    def test_nothing_is_covered_cut_unreachable_or_too_pale(self, make, width, dark, tmp_path):
        with seen(make(tmp_path), tmp_path, width=width, dark=dark) as found:
            assert found.run(FAULTS) == []


@pytest.fixture
def on_a_phone(tmp_path):
    with seen(report_of_lanes(tmp_path), tmp_path, width=390) as found:
        yield found


class TestOnAPhone:
    pytestmark = heavy

    def test_rows_at_a_glance_are_told_apart_by_their_dtype(self, on_a_phone):
        """`resnet18 floa...` and `resnet18 bflo...` were cut."""
        cut = "[...document.querySelectorAll('.glance .name')].filter(n => n.scrollWidth > n.clientWidth + 1).length"
        assert on_a_phone.run(cut) == 0

    def test_lanes_with_long_names_have_their_short_ones(self, on_a_phone):
        told = on_a_phone.run("document.querySelector('#latency .names').innerText")
        assert "ORT OpenVINO" in told
        assert "ONNX Runtime, OpenVINO" not in told

    def test_what_a_lane_has_in_place_of_a_figure_stands_beside_its_name(self, on_a_phone):
        """`ONNX Runtime` ended below the icon of `unavailable`, which was wider than its cell."""
        assert on_a_phone.run(GAPS_BEFORE_MISSING)
        assert min(on_a_phone.run(GAPS_BEFORE_MISSING)) >= 0


def test_of_several_lanes_the_fastest_stands_for_the_row_at_a_glance(tmp_path):
    eager = cell_of("eager")
    records = [latency(cell_of(name)) for name in LANES]
    records += [pairs(cell_of("openvino"), eager, factor=0.25)]
    records += [pairs(cell_of("compiled"), eager, factor=0.5)]
    write_folder(tmp_path, records, [])
    top = to_html(build_report(load_run(tmp_path))).partition('<section id="latency"')[0]
    value = top[top.index('<span class="value">') :].partition("</li>")[0]
    assert "4.00×" in value
    assert "2.00×" not in value
    assert "b-openvino" in value


def test_one_cause_is_told_once_for_all_steps_of_a_lane(tmp_path):
    lane = Cell(model="net", size="tiny", backend="ort_openvino", device="cpu")
    records = [latency(cell_of("eager")), refused(latency(lane)), refused(fidelity(lane))]
    write_folder(tmp_path, records, [])
    details = to_html(build_report(load_run(tmp_path))).partition('id="models"')[2]
    lane_of = details[details.index('aria-label="ONNX Runtime, OpenVINO"') :].partition(
        "</section>"
    )[0]
    assert lane_of.count("has no such provider") == 1
    assert "latency, fidelity" in lane_of


def test_an_interval_wider_than_its_median_is_not_given_in_thousands_of_percent(tmp_path):
    record = latency(cell_of("eager"))
    wild = replace(record.measurements[0], samples=(1e-3,) * 8 + (1e-4,) * 6 + (1e-1,) * 6)
    write_folder(tmp_path, [replace(record, measurements=(wild,))], [])
    page_of = to_html(build_report(load_run(tmp_path)))
    assert "&gt;±100%" in page_of
    assert "±4" not in page_of


def test_lanes_that_were_not_compared_by_enough_pairs_are_named_in_one_sentence(tmp_path):
    told = headline(report_of_lanes(tmp_path))
    assert "Too few pairs to compare" in told or "faster" in told
    few = [latency(cell_of("eager")), latency(cell_of("compiled")), latency(cell_of("openvino"))]
    short = [
        replace(
            r, measurements=(replace(r.measurements[0], samples=r.measurements[0].samples[:3]),)
        )
        for r in few
    ]
    write_folder(tmp_path / "few", short, [])
    told = headline(build_report(load_run(tmp_path / "few")))
    assert told == "1 model measured. Too few pairs to compare Compiled and OpenVINO with eager."


def test_a_table_of_generation_has_no_empty_columns(tmp_path):
    from bench.report.generation_table import HEADS, Line, filled_heads

    cells = ("gpt2", "eager", "", "128", "0", "196 ms", *("" for _ in HEADS[6:]))
    heads = filled_heads([Line("gpt2-tiny-cpu-float32-b1", "eager", cells)])
    assert [head for _, head in heads] == ["model", "backend", "prompt", "depth", "first token"]


def test_a_life_of_which_only_the_reference_has_a_speed_names_no_fastest(tmp_path):
    write_folder(tmp_path, life_records(LIVES[1], bad={}), [])
    report = build_report(load_run(tmp_path))
    assert "<b>Fastest</b>" in to_html(report)
    (life,) = report.lives
    few = [
        replace(state, ratio=replace(state.ratio, low=None, high=None))
        if state.ratio and (state.name, state.backend) != ("trained", "eager")
        else state
        for state in life.states
    ]
    page_of = to_html(replace(report, lives=(replace(life, states=tuple(few)),)))
    assert "What to ship is not known: the speed of" in page_of
    assert "<b>Fastest</b>" not in page_of
