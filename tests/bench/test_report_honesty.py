"""What a report must not blur: no difference and too few rounds, not counted and zero, recovery that harms."""

import io
import re
import sys
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
from life_runs import LIVES, life_records, write_folder
from report_runs import MODELS, write_run

from bench.__main__ import main
from bench.charts.histograms import HEIGHT, density_of, hill
from bench.graph_analysis.spread import Spread
from bench.output.console import tolerate_encoding
from bench.output.names import COMPARISON_STYLES, COMPARISONS
from bench.output.text import distinct_names
from bench.paired_ratio import verdict_of
from bench.report.html import to_html
from bench.summary.build import build_report
from bench.summary.labels import ratio_text
from bench.summary.model import Speedup
from bench.summary.quality_text import training_warnings
from bench.summary.ship import answers_of
from suite.runs.load import load_run


def speedup(low, high):
    return Speedup(
        backend="compiled",
        over="eager",
        ratio=1.01,
        low=low,
        high=high,
        verdict=verdict_of(low, high),
    )


def test_no_difference_is_told_from_not_knowing():
    ends = [(1.1, 1.2), (0.8, 0.9), (0.97, 1.04), (0.9, 1.4)]
    assert [verdict_of(*pair) for pair in ends] == list(COMPARISONS)
    assert verdict_of(None, None) == "few"


def test_too_close_to_tell_is_said_only_within_five_percent():
    assert [verdict_of(0.94, 1.02), verdict_of(0.99, 1.06), verdict_of(0.96, 1.05)] == [
        "few",
        "few",
        "same",
    ]


def test_a_ratio_without_an_interval_is_no_number():
    assert not re.search(r"\d", ratio_text(speedup(None, None)))
    assert "too few pairs" in ratio_text(speedup(None, None))


def test_every_kind_of_comparison_looks_different():
    marks = {
        ratio_text(speedup(*ends))[0] for ends in ((0.97, 1.04), (0.9, 1.4), (1.1, 1.2), (0.8, 0.9))
    }
    assert len(marks) == len(set(COMPARISON_STYLES.values())) == 4
    style = (Path(__file__).parents[2] / "bench/output/templates/style.css").read_text()
    assert all(f".{kind} " in style for kind in COMPARISONS)


def spread(low, high, *counts):
    return Spread(
        num=sum(counts),
        num_zero=0,
        num_other=0,
        low=low,
        high=high,
        mean=0.0,
        std=1.0,
        counts=counts,
    )


def height_of(path):
    """The tallest bin: the path rises from the bottom by relative steps `v-3`."""
    heights = accumulate(-float(step) for step in re.findall(r"v(-?\d+)", path))
    return max(heights)


def test_histograms_of_one_layer_have_one_scale_of_height():
    wide, narrow = spread(-2.0, 2.0, 50, 50), spread(-1.0, 1.0, 50, 50)
    densest = max(density_of(s, -2.0, 2.0) for s in (wide, narrow))
    heights = [height_of(hill(s, -2.0, 2.0, densest)) for s in (wide, narrow)]
    assert heights[1] == HEIGHT - 1
    assert heights[0] == pytest.approx((HEIGHT - 1) / 2, abs=1)


def test_files_are_told_apart_by_the_ends_of_their_paths():
    paths = [Path("runs/a/net.onnx"), Path("runs/b/net.onnx"), Path("other.onnx")]
    assert distinct_names(paths) == ("a/net.onnx", "b/net.onnx", "other.onnx")
    assert distinct_names([Path("net.onnx"), Path("x/net.onnx")])[1] == "x/net.onnx"
    assert len(set(distinct_names([Path("net.onnx")] * 2))) == 2


@pytest.fixture
def life(tmp_path):
    """A function that writes the life of a model whose metric after a step is given, and gives its report."""

    def make(*, step="prune", **measured):
        records = life_records(LIVES[1], bad={})
        for place, record in enumerate(records):
            if record.step == step:
                metric = replace(record.result.metric, **measured)
                result = replace(record.result, metric=metric)
                records[place] = replace(record, result=result)
        write_folder(tmp_path / "run", records, [])
        return build_report(load_run(tmp_path / "run"))

    return make


def test_recovery_that_lowers_accuracy_is_told(life):
    assert "made accuracy worse by" in to_html(life(recovered=12.0))


def test_recovery_that_helps_is_not_warned_of(life):
    assert "made accuracy worse by" not in to_html(life(recovered=95.0))


def test_fine_tuning_that_lowers_accuracy_on_its_own_task_is_told(life):
    report = life(step="finetune", before=66.0, finetuned=31.0)
    told = "made accuracy on patches worse by 35.0 points: 66.0% before it, 31.0% after it"
    assert f"Fine-tuning (full) {told}" in to_html(report)
    assert any(told in warning for warning in training_warnings(report.lives[0]))
    report = life(step="finetune", before=31.0, finetuned=66.0)
    assert "worse by" not in to_html(report)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "cp437"])
@pytest.mark.parametrize("form", ["terminal", None])
def test_an_old_code_page_gets_plain_characters_and_no_traceback(
    encoding, form, tmp_path, monkeypatch
):
    write_run(tmp_path / "run", models=MODELS[:4])
    page = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", page)
    assert main(["report", str(tmp_path / "run"), *(["--format", form] if form else [])]) == 0
    page.flush()
    text = page.buffer.getvalue().decode(encoding)
    assert "mlp" in text
    assert "passed" in text


def test_what_an_encoding_lacks_is_replaced_by_what_is_nearest():
    page = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    tolerate_encoding(page)
    page.write("✓ 1.6× ▲ 12 µs …")
    page.flush()
    assert page.buffer.getvalue() == b"+ 1.6x ^ 12 us ..."


def test_the_first_thing_is_what_to_ship_of_every_model(tmp_path):
    records = [r for row in LIVES[:3] for r in life_records(row, bad={})]
    write_folder(tmp_path / "run", records, [])
    page = to_html(build_report(load_run(tmp_path / "run")))
    top = page[: page.index('class="jump"')]
    for model in ("mlp", "cnn", "rnn"):
        line = re.search(rf"<bdi>{model}</bdi></a></th>(.*?)</tr>", top)[1]
        what, fast, lost, sure = re.findall(r"<td[^>]*>([^<]*)</td>", line)
        assert " on " in what
        assert re.match(r"[\d.]+×", fast)
        assert re.match(r"(none|[\d.]+.points) \(now ", lost.replace("\u00a0", " "))
        assert re.match(r"(not )?sure: ", sure)
    assert top.index("<h1>") < top.index('class="ship"') < top.index('class="meta')


def test_what_to_ship_is_one_line_however_many_states_are_as_fast(tmp_path):
    records = [r for row in LIVES for r in life_records(row, bad={})]
    write_folder(tmp_path / "run", records, [])
    report = build_report(load_run(tmp_path / "run"))
    for answer in answers_of(report):
        assert len(answer.text) < 200
        assert len(answer.sure) < 75


def test_a_state_that_was_not_measured_neither_qualifies_nor_fails(tmp_path):
    records = life_records(LIVES[0], bad={})
    left = [r for r in records if r.step not in ("pairs", "latency", "quantize", "prune")]
    write_folder(tmp_path / "run", left, [])
    report = build_report(load_run(tmp_path / "run"))
    told = {answer.text for answer in answers_of(report) if answer.is_of_life}
    assert told == {"not known: no state has both a quality and a speed"}


def test_where_no_states_were_made_the_command_that_makes_them_is_told(tmp_path):
    write_run(tmp_path / "run", models=MODELS[:2])
    page = to_html(build_report(load_run(tmp_path / "run")))
    top = page[: page.index('class="jump"')]
    told = re.sub(r"</?span[^>]*>", "", top)
    assert "<code>pytest suite --models mlp,cnn --size base</code>" in told
    records = life_records(LIVES[1], bad={})
    write_folder(tmp_path / "made", records, [])
    assert "<code>pytest suite" not in to_html(build_report(load_run(tmp_path / "made")))
