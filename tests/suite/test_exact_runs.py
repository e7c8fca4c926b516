"""The judge: a module in float64, whatever it casts to, and left as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from suite.flat_tensors import flatten_outputs
from suite.stages.export.reference import exact_answers, wide_copy

pytestmark = pytest.mark.heavy


class Narrowing(nn.Module):
    """Casts to float32 by name, as normalizations and rotary embeddings do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.table = torch.linspace(0, 1, 64)

    def forward(self, x):
        self.calls.add_(1)
        h = self.layer(x).to(torch.float32) * self.table
        return (h / h.float().pow(2).mean(-1, keepdim=True).sqrt()).type_as(x)


def judged(module, x):
    ((outputs, how),) = exact_answers(module, [{"x": x}], flatten_outputs)
    return outputs[0], how


def test_a_module_that_casts_to_float32_is_judged_in_float64_all_the_way():
    torch.manual_seed(0)
    module, x = Narrowing(), torch.randn(4, 64)
    found, how = judged(module, x)
    w, b = module.layer.weight.detach().double(), module.layer.bias.detach().double()
    h = (x.double() @ w.T + b) * module.table.double()
    expected = h / h.pow(2).mean(-1, keepdim=True).sqrt()
    assert how == "float64"
    assert found.dtype is torch.float64
    assert float((found - expected).abs().max()) < 1e-14


def test_the_module_and_its_buffers_stay_as_they_are():
    module = Narrowing()
    judged(module, torch.randn(2, 64))
    assert int(module.calls) == 0
    assert module.layer.weight.dtype is torch.float32
    assert torch.get_default_dtype() is torch.float32


def test_tied_weights_stay_tied_and_exist_once():
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    module[1].weight = module[0].weight
    wide = wide_copy(module)
    assert wide[1].weight is wide[0].weight
    assert wide[0].weight.dtype is torch.float64


@torch.library.custom_op("vitals_exact::single", mutates_args=())
def single(x: torch.Tensor) -> torch.Tensor:
    if x.dtype is not torch.float32:
        raise RuntimeError("float32 only")
    return x * 2


class SingleOnly(nn.Module):
    def forward(self, x):
        return single(x.float()) + 1


def test_an_operator_without_float64_is_named():
    found, how = judged(SingleOnly(), torch.randn(3, 3))
    assert how == "float64 but for vitals_exact::single"
    assert found.shape == (3, 3)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_are_judged_in_float64(kind):
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = kind(8, 8, batch_first=True)

        def forward(self, x):
            return self.layer(x)[0][:, -1]

    torch.manual_seed(0)
    module, x = Last().eval(), torch.randn(2, 20, 8)
    found, how = judged(module, x)
    assert how == "float64"
    assert float((found - module(x).double()).abs().max()) < 1e-6
