"""What a lane computed in, how far its answers are from eager's, and what torch.compile took, on every form."""

import re
from html import unescape

import pytest
from life_runs import write_folder
from test_report_render import printed

from bench.report.html import to_html
from bench.report.lane_tables import answer_lines, compilation_lines, computed_text
from bench.summary.answers import error_text, likeness_text
from bench.summary.build import build_report
from bench.summary.lane_facts import Ran
from suite.cell import Cell
from suite.claims import Claim
from suite.outcome import Outcome
from suite.record import Measurement, Record
from suite.results.measuring import (
    CompilationResult,
    FidelityResult,
    GraphBreak,
    LatencyResult,
    NodeShare,
    PairedArm,
    PairsResult,
    Recompilation,
)
from suite.runs.load import load_run

SECONDS = tuple(1e-3 + n * 1e-7 for n in range(20))


def record(cell, step, result, measurements=(), outcome=Outcome.PASSED):
    return Record(
        run_id="made-up", cell=cell, step=step, outcome=outcome, environment_id="a41c9be2d07f",
        started_at="2026-11-30T06:04:12+00:00", seconds=1.5, measurements=measurements, result=result,
    )  # fmt: skip


def latency(cell, factor=1.0, **ran):
    samples = tuple(factor * s for s in SECONDS)
    return record(
        cell,
        "latency",
        LatencyResult(**ran),
        (Measurement(metric="latency", unit="s", samples=samples),),
    )


def fidelity(cell, *, holds=True, **changes):
    claim = Claim(name="alike", holds=holds, evidence="y is off by 0.0031 of its scale")
    result = FidelityResult(
        **{
            "kind": cell.dtype,
            "judge": "eager",
            "relative_error": 3.1e-3,
            "argmax_agreement": 1.0,
            "claims": (claim,),
        }
        | changes
    )
    return record(cell, "fidelity", result, outcome=Outcome.PASSED if holds else Outcome.FAILED)


def pairs(cell, *others, factor=0.5):
    return record(
        cell,
        "pairs",
        PairsResult(
            own=PairedArm(cell=cell.id, seconds=tuple(factor * s for s in SECONDS)),
            references=tuple(PairedArm(cell=one.id, seconds=SECONDS) for one in others),
        ),
    )


def compilation(cell, breaks=(), recompilations=()):
    result = CompilationResult(
        num_graphs=1 + len(breaks), breaks=breaks, recompilations=recompilations
    )
    taken = (("compile_cold", 12.5), ("compile_warm", 1.25), ("compile_cached", 3.5))
    return record(
        cell,
        "compilation",
        result,
        tuple(Measurement(metric=name, unit="s", samples=(value,)) for name, value in taken),
    )


def cell_of(backend, dtype="float32"):
    return Cell(model="net", size="tiny", backend=backend, device="cpu", dtype=dtype)


@pytest.fixture
def report(tmp_path):
    """A function that writes the records of a run and gives its report."""

    def make(*records):
        planned = [{"cell": one.cell.as_dict(), "step": one.step} for one in records]
        write_folder(tmp_path / "20261130-060411-a3f9", list(records), planned)
        return build_report(load_run(tmp_path / "20261130-060411-a3f9"))

    return make


def words_of(page, section):
    found = re.search(rf'<section id="{section}">(.*?)</section>', page, re.DOTALL)[1]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", found)).replace("\u00a0", " ").split())


def test_the_precision_that_a_library_really_took_is_said():
    assert computed_text(Ran(library="OpenVINO 2026.4.1", precisions={"bf16": 21})) == (
        "OpenVINO 2026.4.1, all 21 products in bf16"
    )
    assert computed_text(Ran(precisions={"f32": 2, "f16": 19})) == (
        "19 of 21 products in f16, 2 in f32"
    )
    assert computed_text(Ran(assigned={"CPUExecutionProvider": 4})) == ""
    assert computed_text(
        Ran(assigned={"CPUExecutionProvider": 4, "OpenVINOExecutionProvider": 96})
    ) == ("96 of 100 nodes on OpenVINO, 4 on CPU")
    assert computed_text(Ran(emulated="matrix products")) == "emulated: matrix products"


def test_every_error_has_figures():
    assert [error_text(e) for e in (None, 0.0, 3e-7, 0.0031, 0.2)] == [
        "", "0%", "3.0e-07", "0.31%", "20%",
    ]  # fmt: skip


def test_a_narrow_lane_shows_its_precision_its_error_and_its_speed_against_float32(report):
    wide, narrow = cell_of("eager"), cell_of("openvino", "bfloat16")
    made = report(
        latency(wide),
        latency(cell_of("eager", "bfloat16")),
        latency(narrow, 0.5, library="OpenVINO 2026.4.1", precisions={"bf16": 21}),
        pairs(narrow, wide),
        fidelity(narrow),
    )
    (line,) = answer_lines(made)
    assert line.over.startswith("2.00×")
    page = to_html(made)
    told = words_of(page, "answers")
    for words in (
        "all 21 products in bf16",
        "0.31%",
        "off eager float32, within bfloat16",
        "2.00×",
    ):
        assert words in told
    assert "▲ faster against float32" in words_of(page, "latency")
    assert 'href="#answers"' in page


def test_a_row_whose_lanes_have_two_references_takes_the_lowest_median_as_the_fastest(report):
    """Ten times a slow emulated eager is not more than three times eager float32."""
    own, compiled, narrow = (
        cell_of(name, "bfloat16") for name in ("eager", "compiled", "openvino")
    )
    made = report(
        latency(own, 20.0),
        latency(compiled, 2.0),
        latency(narrow, 0.5),
        pairs(compiled, own, factor=0.1),
        pairs(narrow, cell_of("eager"), factor=0.5),
    )
    (row,) = (row for row in made.rows if row.dtype == "bfloat16")
    assert {s.over_dtype for s in row.speedups} == {"bfloat16", "float32"}
    assert row.fastest == "openvino"


def test_nodes_that_fell_back_are_named_with_their_share(report):
    lane = cell_of("ort_xnnpack")
    nodes = tuple(
        NodeShare(name=f"conv{n}", operator="Conv", provider="CPUExecutionProvider", share=0.1)
        for n in range(4)
    )
    made = report(latency(cell_of("eager")), latency(lane), fidelity(lane, fallen_back=nodes))
    told = "4 nodes fell back to CPU, 40% of the time: Conv conv0 10%, Conv conv1 10%"
    assert told in words_of(to_html(made), "answers")
    assert told in " ".join(printed(made, 200).split())


def test_a_lane_that_answers_wrongly_is_said_to(report):
    lane = cell_of("openvino")
    made = report(latency(cell_of("eager")), latency(lane, 0.5), fidelity(lane, holds=False))
    assert "not those of eager, 0.31% off" in words_of(to_html(made), "answers")
    assert "not those of eager" in printed(made, 200)
    assert likeness_text(made.rows[0], "openvino") == "answers not those of eager, 0.31% off"


def test_breaks_and_recompilations_are_shown_with_their_places_and_three_times(report):
    lane = cell_of("compiled")
    made = report(
        latency(cell_of("eager")),
        compilation(
            lane,
            (GraphBreak(place="/usr/lib/python3/torchvision/ops/boxes.py:41", reason="nonzero"),),
            (Recompilation(place="net.py:7 in forward", reason="size differs", count=3),),
        ),
    )
    told = words_of(to_html(made), "compilation")
    for words in (
        "12.5 s",
        "1.25 s",
        "3.50 s",
        "2 places",
        "torchvision/ops/boxes.py:41",
        "nonzero",
    ):
        assert words in told
    assert "recompiled 3× net.py:7 in forward" in told
    assert "/usr/lib" not in told
    text = printed(made, 200)
    assert "compiled in cold 12.5 s, warm 1.25 s, cached 3.50 s" in text
    assert "net.py:7 in forward" in text


def test_a_model_compiled_in_one_piece_is_said_to_be(report):
    made = report(latency(cell_of("eager")), compilation(cell_of("compiled")))
    (line,) = compilation_lines(made)
    assert line.is_whole
    assert "one piece" in words_of(to_html(made), "compilation")


def test_a_run_without_such_lanes_has_no_such_tables(report):
    page = to_html(report(latency(cell_of("eager")), latency(cell_of("onnxruntime"))))
    assert 'id="answers"' not in page
    assert 'id="compilation"' not in page
