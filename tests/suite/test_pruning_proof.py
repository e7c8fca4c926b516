"""Every cut is proved: a pruned net answers like one in which the removed channels are zero, or it stays whole."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from test_pruning_engine import prune, refused

pytestmark = pytest.mark.heavy


def seeded(build: Any) -> Any:
    import torch

    torch.manual_seed(0)
    return build().eval()


def net(between: Any, *, side: int = 6, first: int = 12, last: Any = None) -> Any:
    """A convolution, something that moves its channels, and what reads them."""
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, first, 3, padding=1)
            self.last = last or nn.Conv2d(first, 5, 3, padding=1)

        def forward(self, input: Any) -> Any:  # noqa: A002
            return self.last(between(self.first(input).relu()))

    return seeded(Net)


def shuffled(x: Any) -> Any:
    n, c, h, w = x.shape
    return x.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w)


def moving() -> dict[str, Any]:
    import torch
    from torch import nn

    return {
        "as it is": net(lambda x: x),
        "flatten": net(lambda x: x.flatten(1), last=nn.Linear(12 * 36, 5)),
        "channels-last flatten": net(
            lambda x: x.permute(0, 2, 3, 1).flatten(1), last=nn.Linear(12 * 36, 5)
        ),
        "flip": net(lambda x: x.flip(1)),
        "roll": net(lambda x: x.roll(2, 1)),
        "shuffle": net(shuffled),
        "nn.ChannelShuffle": net(nn.ChannelShuffle(2)),
        "sigmoid": net(torch.sigmoid),
        "softplus": net(nn.functional.softplus),
        "pool": net(lambda x: x.mean((2, 3)), last=nn.Linear(12, 5)),
        "concatenation": net(lambda x: torch.cat([x, x.flip(2)], 1), last=nn.Conv2d(24, 5, 1)),
        "stride trick": net(lambda x: x.transpose(2, 3)),
    }


NAMES = (
    "as it is", "flatten", "channels-last flatten", "flip", "roll", "shuffle", "nn.ChannelShuffle", "sigmoid",
    "softplus", "pool", "concatenation", "stride trick",
)  # fmt: skip


def with_zeros(original: Any, pruned: Any) -> Any:
    """The original with zeros for the outputs of `first` that the pruned net lacks: found by its weights."""
    import torch

    twin = copy.deepcopy(original)
    rows = {tuple(row.flatten().tolist()) for row in pruned.first.weight}
    gone = [
        i for i, row in enumerate(twin.first.weight) if tuple(row.flatten().tolist()) not in rows
    ]
    assert len(gone) == 12 - pruned.first.out_channels > 0
    with torch.no_grad():
        twin.first.weight[gone] = 0
        twin.first.bias[gone] = 0
    return twin


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("sigmoid", "softplus")])
def test_whatever_moves_channels_the_pruned_net_answers_as_with_zeros(name):
    import torch

    module, x = moving()[name], torch.randn(3, 3, 6, 6)
    made = prune(module, x)
    with torch.no_grad():
        wanted, given = with_zeros(module, made.module)(x), made.module(x)
    assert torch.allclose(wanted, given, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_a_zero_that_becomes_something_else_on_its_way_is_no_wrong_column(name):
    import torch

    module, x = moving()[name], torch.randn(3, 3, 6, 6)
    assert prune(module, x).module.first.out_channels == 6


class Grouped:
    """Attention with fewer key heads than query heads, its sizes written into the forward pass."""

    def __new__(cls) -> Any:
        import torch
        from torch import nn

        class Block(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embed = nn.Embedding(20, 24)
                self.norm = nn.RMSNorm(24)
                self.q_proj, self.k_proj = nn.Linear(24, 24), nn.Linear(24, 8)
                self.v_proj, self.o_proj = nn.Linear(24, 8), nn.Linear(24, 24)
                self.up, self.down = nn.Linear(24, 48), nn.Linear(48, 24)
                self.head = nn.Linear(24, 20)

            def forward(self, input: Any) -> Any:  # noqa: A002
                n, steps = input.shape
                x = self.embed(input)
                h = self.norm(x)
                q = self.q_proj(h).view(n, steps, 6, 4).transpose(1, 2)
                k = self.k_proj(h).view(n, steps, 2, 4).transpose(1, 2).repeat_interleave(3, 1)
                v = self.v_proj(h).view(n, steps, 2, 4).transpose(1, 2).repeat_interleave(3, 1)
                a = nn.functional.scaled_dot_product_attention(q, k, v)
                x = x + self.o_proj(a.transpose(1, 2).reshape(n, steps, -1))
                return self.head(x + self.down(self.up(x).relu()))

        return seeded(Block), torch.randint(0, 20, (2, 5))


def test_attention_whose_sizes_are_written_down_stays_whole_and_the_rest_is_cut():
    module, ids = Grouped()
    made = prune(module, ids, head=("head",), ratio=0.5)
    assert made.module.q_proj.out_features == 24
    assert made.module.k_proj.out_features == 8
    assert made.module.down.in_features == 24


def test_an_rms_norm_knows_the_width_that_is_left():
    module, ids = Grouped()
    made = prune(module, ids, head=("head",), ratio=0.5)
    assert made.module.norm.normalized_shape == tuple(made.module.norm.weight.shape)
    assert made.module.norm.normalized_shape == (made.module.embed.embedding_dim,)


def test_a_last_layer_whose_output_is_changed_in_place_is_followed():
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(True),
        nn.Conv2d(8, 5, 1),
        nn.ReLU(True),
        nn.AdaptiveAvgPool2d(1),
    )
    made = prune(module.eval(), torch.randn(2, 3, 8, 8))
    assert made.module[0].out_channels == 4


def test_a_mean_over_channels_is_named_and_nothing_is_cut():
    import torch

    module = net(lambda x: x - x.mean(1, keepdim=True))
    message = refused(module, torch.randn(2, 3, 6, 6))
    assert "first cannot lose 6 outputs: last would answer otherwise" in message
    assert "Mean" in message


def test_grouped_attention_is_named_with_its_layers_and_a_method_that_works():
    module, ids = Grouped()
    message = refused(module, ids, head=("head",), method="heads")
    assert "Block shares keys among queries (grouped)" in message
    assert "q_proj has 24 outputs, k_proj has 8 outputs" in message
    assert "Pruning(method='feed_forward')" in message
    assert prune(module, ids, head=("head",), method="feed_forward").module.up.out_features == 24


def test_a_net_that_the_library_cannot_follow_is_pruned_without_it(monkeypatch):
    """As ShuffleNet, whose reshape makes Torch-Pruning divide by zero."""
    import torch
    import torch_pruning as tp

    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("integer division or modulo by zero")

    monkeypatch.setattr(tp.pruner, "BasePruner", fails)
    whole = net(shuffled)
    pruned = prune(whole, torch.randn(3, 3, 6, 6))
    assert pruned.module.first.out_channels == 6
    assert pruned.uncut == ()


def test_a_normalization_that_keeps_no_channel_answers_zeros():
    import torch
    from torch import nn

    from suite.pruning.proof import _normalize_rest

    layer, x = nn.GroupNorm(1, 4), torch.ones(2, 4, 3, 3)
    answer = _normalize_rest(layer, (x,), layer(x), channels=range(4))
    assert torch.equal(answer, torch.zeros_like(x))
