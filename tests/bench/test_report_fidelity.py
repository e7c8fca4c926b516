"""A quantized model without a task: how far it is from float32 stands where others have their drop."""

import pytest
from life_runs import write_folder
from test_report_render import printed

from bench.report.html import to_html
from bench.report.markdown import to_markdown
from bench.summary.build import build_report
from bench.summary.lifecycle_records import State
from bench.summary.quality_text import loss_of
from suite.axes import BUILT_INT8, ONNXRUNTIME, QUANTIZE
from suite.cell import Cell
from suite.outcome import Outcome
from suite.record import Measurement, Record
from suite.results.quantize import Fidelity, QuantizationReport, QuantizeResult
from suite.runs.load import load_run


def state(**changes):
    return State(name=BUILT_INT8, backend=ONNXRUNTIME, cell="m", outcome="passed", **changes)


def test_the_loss_of_a_state_is_that_of_its_metric_or_else_its_error_and_agreement():
    assert loss_of(None, state(drop=1.25, relative_error=0.1)) == "1.2"
    assert loss_of(None, state(relative_error=0.0214, agreement=0.9375)) == "2.1% off, 94% same"
    assert loss_of(None, state(relative_error=0.0214)) == "2.1% off"
    assert loss_of(None, state()) == ""


@pytest.fixture
def report(tmp_path):
    cell = Cell(model="my_file.build", size="base", backend=ONNXRUNTIME, variant=BUILT_INT8)
    record = Record(
        run_id="made-up",
        cell=cell,
        step=QUANTIZE,
        outcome=Outcome.PASSED,
        environment_id="a41c9be2d07f",
        started_at="2026-11-30T06:04:12+00:00",
        seconds=1.5,
        measurements=(Measurement(metric="quantized_bytes", unit="B", samples=(840.0,)),),
        result=QuantizeResult(
            lane=BUILT_INT8,
            report=QuantizationReport(method="dynamic", num_quantized=2),
            fidelity=Fidelity(relative_error=0.0214, argmax_agreement=0.9375, num_inputs=8),
        ),
    )
    folder = tmp_path / "20261130-060411-a3f9"
    write_folder(folder, [record], [{"cell": cell.as_dict(), "step": QUANTIZE}])
    return build_report(load_run(folder))


@pytest.mark.parametrize("render", [lambda r: printed(r, 160), to_markdown, to_html])
def test_every_form_of_the_report_shows_it(report, render):
    assert "2.1% off, 94% same" in render(report).replace("\u00a0", " ").replace("&nbsp;", " ")
