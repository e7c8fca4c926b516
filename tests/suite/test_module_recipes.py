"""The quantization recipes of GPUs, run on a CPU: what they convert, prove and answer. Speed is not judged."""

from __future__ import annotations

from importlib import import_module

import pytest

pytestmark = [pytest.mark.heavy, pytest.mark.slow]


@pytest.fixture
def pair_of(monkeypatch, tmp_path):
    """`pair_of(name)`: the pair of that variant for an untrained, tiny MLP, and the batches to judge it on."""
    from suite.axes import VARIANTS
    from suite.catalog import spec_for
    from suite.cell import Cell
    from suite.data.sources import sources_in
    from suite.quantization import torchao
    from suite.states import store
    from suite.training.setup import training_setup_for
    from suite.weights import module_for
    from suite.worker.job_options import JobOptions
    from suite.worker.protocol import CellJob

    spec = spec_for("mlp", "")
    sources = {kind: source.as_dict() for kind, source in sources_in(None).items()}
    monkeypatch.setattr(store, "module_of", lambda *_: module_for(spec, "tiny", seed=0))
    monkeypatch.setattr(torchao, "first_that_runs", lambda *_: "int8_dynamic")

    def pair(name):
        cell = Cell(model="mlp", size="tiny", backend="compiled", variant=name)
        job = CellJob(
            runner="",
            cell=cell,
            options=JobOptions.from_dict({"sources": sources, "seed": 0, "threads": 1}),
        )
        settings = spec.sizes["tiny"].training
        setup = training_setup_for(job, spec, store.source_of(job, spec), settings)
        module, _, function = VARIANTS[name].route.partition(":")
        return getattr(import_module(module), function)(
            job, spec, setup, tmp_path, lambda *_, **__: None
        ), setup.test()[:2]

    return pair


@pytest.mark.parametrize(("name", "num_layers"), [("bf16", 2), ("torchao", 2)])
def test_a_lane_converts_what_it_says_and_answers_nearly_as_the_module(pair_of, name, num_layers):
    import torch

    pair, batches = pair_of(name)
    assert [claim.holds for claim in pair.claims] == [True, True]
    assert pair.report.num_quantized == num_layers
    assert set(pair.calls) == {"eager", "float", "quantized"}
    for batch in batches:
        (expected,), (answered,) = pair.reference(batch), pair.quantized(batch)
        assert 0 < float((expected - answered).abs().max()) < 0.1 * float(expected.abs().max())
        assert answered.dtype is torch.float32
