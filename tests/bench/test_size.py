"""Parameters and bytes, what is shared counted once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from suite.cell import Cell
from suite.results.step_result import DataSet
from suite.worker.protocol import CellJob

pytestmark = pytest.mark.heavy


def silent(kind, /, **data):
    return None


def test_a_small_net_has_the_size_that_one_counts_by_hand():
    from torch import nn

    from bench.instruments.size import sizes

    found = sizes(nn.Sequential(nn.Linear(784, 128), nn.BatchNorm1d(128), nn.Linear(128, 10)))
    weights = 784 * 128 + 128 + 2 * 128 + 128 * 10 + 10
    assert found.num_parameters == weights
    assert found.num_parameter_bytes == 4 * weights
    assert found.num_buffers == 128 + 128 + 1
    assert found.num_buffer_bytes == 4 * 256 + 8


def test_tied_weights_count_once():
    from torch import nn

    from bench.instruments.size import sizes

    embedding, head = nn.Embedding(50, 8), nn.Linear(8, 50, bias=False)
    head.weight = embedding.weight
    assert sizes(nn.ModuleList([embedding, head])).num_parameters == 400
    alias = nn.Linear(8, 50, bias=False)
    alias.weight = nn.Parameter(embedding.weight.detach())
    assert sizes(nn.ModuleList([embedding, alias])).num_parameters == 400


def test_frozen_weights_are_told_from_those_that_train():
    from torch import nn

    from bench.instruments.size import sizes

    model = nn.Linear(4, 4)
    model.weight.requires_grad_(False)
    assert sizes(model).num_parameters == 20
    assert sizes(model).num_trainable == 4


@pytest.mark.parametrize(("dtype", "width"), [("float32", 4), ("bfloat16", 2)])
def test_a_run_gives_three_exact_measurements(monkeypatch, dtype, width):
    import torch
    from torch import nn

    from bench.instruments import size

    batch = SimpleNamespace(
        inputs={"input": torch.ones(2, 8)},
        data=DataSet(name="none"),
        num_samples=2,
        num_tokens=None,
    )
    spec = SimpleNamespace(name="m", parameters=27)
    subject = SimpleNamespace(module=nn.Linear(8, 3).eval(), batch=batch, spec=spec)
    monkeypatch.setattr(size, "spec_of", lambda job: spec)
    monkeypatch.setattr(size, "subject_for", lambda job, emit: subject)
    result = size.run(CellJob(runner="", cell=Cell(model="m", size="tiny", dtype=dtype)), silent)
    found = {m.metric: (m.unit, m.samples) for m in result.measurements}
    assert found == {
        "parameters": ("1", (27.0,)),
        "parameter_bytes": ("B", (27.0 * width,)),
        "macs": ("MAC", (48.0,)),
    }
    assert result.result.published_parameters == 27
