"""Models with complex parameters: counted, moved and trained without losing an imaginary part."""

from __future__ import annotations

import pytest
import torch
from torch import nn

pytestmark = pytest.mark.heavy


class Filter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.randn(8, 16, 9, dtype=torch.complex64))
        self.out = nn.Linear(8, 10)

    def forward(self, x):
        spectrum = torch.fft.rfft2(x, norm="ortho") * self.filter
        return self.out(torch.fft.irfft2(spectrum, s=x.shape[-2:], norm="ortho").mean((2, 3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_cast_keeps_complex_weights_complex(dtype):
    from suite.flat_tensors import cast

    module = Filter()
    before = module.filter.detach().clone()
    cast(module, "cpu", dtype)
    assert torch.equal(module.filter, before)
    assert module.out.weight.dtype is dtype


def test_complex_parameters_count_eight_bytes_each():
    from bench.instruments.size import sizes
    from suite.flat_tensors import cast

    found = sizes(cast(Filter(), "cpu", torch.float32))
    assert found.num_parameters == 8 * 16 * 9 + 90
    assert found.num_parameter_bytes == 8 * (8 * 16 * 9) + 4 * 90


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_step_of_every_optimizer_moves_complex_parameters(name):
    from suite.training.optimizers import optimizer_for

    module = Filter()
    groups = [{"params": list(module.parameters())}]
    optimizer = optimizer_for(name, groups, learning_rate=0.1, weight_decay=0.0)
    before = module.filter.detach().clone()
    module(torch.randn(2, 8, 16, 16)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(module.filter, before)


def test_optimizers_of_real_parameters_stay_fused():
    from suite.training.optimizers import optimizer_for

    optimizer = optimizer_for(
        "adamw", nn.Linear(2, 2).parameters(), learning_rate=0.1, weight_decay=0.0
    )
    assert optimizer.param_groups[0]["fused"]
