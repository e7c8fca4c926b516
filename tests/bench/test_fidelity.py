"""A cell whose outputs are not those of eager float32 fails, and one of fewer bits may be as far off as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from bench.instruments import fidelity  # noqa: E402
from suite.backends import eager  # noqa: E402
from suite.cell import Cell  # noqa: E402
from suite.data.sources import sources_in  # noqa: E402
from suite.worker.job_options import JobOptions  # noqa: E402
from suite.worker.protocol import CellJob  # noqa: E402

pytestmark = pytest.mark.heavy


def silent(kind: str, /, **data: object) -> None:
    """An emit that nobody hears."""


def measured(dtype: str, scale: float = 1.0, backend: str = "compiled"):
    """The fidelity of tiny mlp in that dtype, its last weights multiplied by `scale`."""
    cell = Cell(model="mlp", size="tiny", backend=backend, dtype=dtype)
    job = CellJob(runner="", cell=cell, options=JobOptions(sources=sources_in(None), threads=1))
    subject = eager.load(job, silent)
    with torch.no_grad():
        [*subject.module.parameters()][-2].mul_(scale)
    with subject.inference():
        return fidelity.measure(job, subject, silent)


def test_float32_is_held_against_eagers_own_error():
    found = measured("float32")
    (claim,) = found.result.claims
    assert claim.holds
    assert (found.result.kind, found.result.judge) == ("float32", "float64")
    assert found.measurements[0].samples == (0.0,)


def test_one_thousandth_too_much_fails_in_float32():
    (claim,) = measured("float32", 1.001).result.claims
    assert not claim.holds
    assert "as far as eager float32 is by itself" in claim.evidence


def test_the_same_is_within_bfloat16s_own_error():
    found = measured("bfloat16", 1.001)
    (claim,) = found.result.claims
    assert claim.holds
    assert 1e-4 < found.measurements[0].samples[0] < 0.05


@pytest.mark.parametrize("scale", (-1.0, 0.0, float("nan")))
def test_a_wrong_program_is_no_coarse_one(scale):
    (claim,) = measured("bfloat16", scale).result.claims
    assert not claim.holds


def test_a_graph_has_its_own_outputs(monkeypatch):
    subject = replace(
        eager.load(
            CellJob(
                runner="",
                cell=Cell(model="mlp", size="tiny"),
                options=JobOptions(sources=sources_in(None), threads=1),
            ),
            silent,
        ),
        module=None,
        outputs=lambda: [torch.ones(1, 10)],
    )
    from suite.catalog import spec_for

    assert fidelity.outputs_of(subject, spec_for("mlp", ""))[0].tolist() == [[1.0] * 10]
