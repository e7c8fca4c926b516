"""Which inputs of a comparison are computed in float64: the example, and those on which the graph strays from eager."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from suite.spec import ModelSpec, Size
from suite.stages.export import comparison
from suite.stages.export.comparison import Comparison
from suite.stages.export.rounding_errors import Answers

ERROR = 1e-6
"""Eager's error at the example, relative to the outputs' scale."""


class FakeReference:
    """Outputs of a module that is exact but for ERROR; remembers what was computed in float64."""

    def __init__(self):
        self.judged = []

    def _exact(self, inputs):
        return np.random.default_rng(inputs["which"]).normal(size=(2, 500))

    def eager(self, inputs):
        exact = self._exact(inputs)
        noise = np.random.default_rng(9).normal(size=exact.shape)
        return [(exact + ERROR * noise).astype(np.float32)]

    def warm_seconds(self, inputs):
        return 0.0

    def judge(self, batches):
        self.judged += [inputs["which"] for inputs in batches]

    def is_judged(self, inputs):
        return inputs["which"] in self.judged

    def answers(self, inputs):
        eager = self.eager(inputs)
        if not self.is_judged(inputs):
            return Answers(eager=eager, judge=eager, judged_by="eager")
        return Answers(eager=eager, judge=[self._exact(inputs)], judged_by="float64")


class FakeSession:
    """A graph that differs from eager by `errors[which]` of the scale."""

    def __init__(self, reference, errors):
        self.reference, self.errors = reference, errors

    def run(self, names, feeds):
        (eager,) = self.reference.eager(feeds)
        noise = np.random.default_rng(7).normal(size=eager.shape)
        return [(eager + self.errors[feeds["which"]] * noise).astype(np.float32)]


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr("suite.backends.onnxruntime.feeds_for", lambda session, inputs: inputs)
    monkeypatch.setattr(comparison, "masked", lambda example: iter(()))

    def rows_of(errors):
        reference = FakeReference()
        spec = ModelSpec(
            name="net",
            family="own",
            task="image_classification",
            build=lambda: None,
            sizes={"tiny": Size(build={}, inputs={})},
            outputs=("logits",),
        )
        compared = Comparison(
            spec=spec,
            names=["logits"],
            reference=reference,
            draw=lambda num_samples, which: {"which": which},
            batch=1,
            graph=Path("net.onnx"),
        )
        compared.prepare()
        monkeypatch.setattr(compared, "_arbitrated", lambda case, answers, row: row)
        return compared.rows(FakeSession(reference, errors), {}), reference.judged

    return rows_of


def test_beside_the_example_a_graph_close_to_eager_needs_no_float64(rows):
    found, judged = rows([ERROR, ERROR])
    assert [(row.axis, row.verdict, row.judge) for row in found] == [
        ("example", "passed", "float64"),
        ("input", "passed", "eager"),
    ]
    assert judged == [0]


def test_a_graph_that_is_less_close_to_eager_is_computed_in_float64_and_may_pass(rows):
    found, judged = rows([ERROR, 7 * ERROR])
    assert [(row.verdict, row.judge) for row in found] == [
        ("passed", "float64"),
        ("passed", "float64"),
    ]
    assert judged == [0, 1]


def test_a_graph_that_strays_on_the_second_input_alone_fails_by_float64(rows):
    found, judged = rows([ERROR, 20 * ERROR])
    assert [(row.verdict, row.judge) for row in found] == [
        ("passed", "float64"),
        ("failed", "float64"),
    ]
    assert judged == [0, 1]
