"""The control arm: masks make zeros, and nothing smaller."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from suite.results.prune import Masks

pytestmark = pytest.mark.heavy


def net() -> Any:
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5)
    )


def refused(module: Any, amount: float, head: tuple[str, ...] = ()) -> str:
    from suite.pruning.errors import PruningError
    from suite.pruning.masks import mask_module

    with pytest.raises(PruningError) as caught:
        mask_module(module, amount, head)
    return str(caught.value)


def test_masks_change_neither_size_nor_shape():
    from suite.pruning.masks import mask_module

    module = net()
    before = {name: (t.shape, t.dtype) for name, t in module.state_dict().items()}
    facts = mask_module(module, 0.5, ())
    size = 3 * 8 * 9 + 8 + 16 + 32 * 5 + 5
    num_bytes = 4 * (size + 16) + 8  # running mean and variance, and an int64 counter
    assert facts == Masks(
        sparsity=0.5,
        weights=3 * 8 * 9 + 32 * 5,
        parameters=(size, size),
        bytes=(num_bytes, num_bytes),
    )
    after = {name: (t.shape, t.dtype) for name, t in module.state_dict().items()}
    assert after == before
    deepcopy(module)  # which PyTorch refuses while masks hang on


def test_the_smallest_weights_of_the_whole_model_go():
    import torch

    from suite.pruning.masks import mask_module

    module = net()
    original = deepcopy(module)
    mask_module(module, 0.25, ())
    pairs = [(module[i].weight.flatten(), original[i].weight.flatten()) for i in (0, 4)]
    now, then = (torch.cat(side) for side in zip(*pairs, strict=True))
    gone = now == 0
    assert gone.sum() == len(now) // 4
    assert then[gone].abs().max() <= then[~gone].abs().min()
    assert torch.equal(now[~gone], then[~gone])


def test_the_head_and_embeddings_keep_their_weights():
    from torch import nn

    from suite.pruning.masks import mask_module

    module = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 9))
    mask_module(module, 0.5, ("2",))
    assert [int((layer.weight == 0).sum()) for layer in module] == [0, 32, 0]


def test_a_tied_weight_is_left_to_its_embedding():
    from torch import nn

    from suite.pruning.masks import mask_module

    module = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 9, bias=False))
    module[2].weight = module[0].weight
    mask_module(module, 0.5, ())
    assert module[2].weight is module[0].weight
    assert (module[0].weight != 0).all()


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_layers_compute_with_their_masked_weights(kind):
    import torch
    from torch import nn

    from suite.pruning.masks import mask_module

    module = getattr(nn, kind)(4, 8, 2)
    facts = mask_module(module, 0.5, ())
    plain = getattr(nn, kind)(4, 8, 2)
    plain.load_state_dict(module.state_dict())
    x = torch.rand(3, 2, 4)
    assert torch.equal(module(x)[0], plain(x)[0])
    weights = [p for name, p in module.named_parameters() if "weight" in name]
    assert sum(int((w == 0).sum()) for w in weights) == facts.weights / 2


def test_packed_attention_is_masked_too():
    from torch import nn

    from suite.pruning.masks import mask_module

    module = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    assert mask_module(module, 0.5, ()).weights == 8 * 8 * 4 + 2 * 8 * 16
    assert (module.self_attn.in_proj_weight == 0).any()


@pytest.mark.parametrize("amount", [0.0, 1.0, -1.0])
def test_an_amount_that_masks_nothing_or_everything_fails(amount):
    assert f"amount is {amount}; expected a share" in refused(net(), amount)


def test_weights_that_were_zero_before_make_another_sparsity_which_fails():
    import torch

    module = net()
    with torch.no_grad():
        module[4].weight.zero_()
    assert "160 of 376 weights are zero (0.4255) where 0.2 was asked for" in refused(module, 0.2)


def test_a_model_with_nothing_to_mask_fails():
    assert "nothing to mask" in refused(net(), 0.5, ("0", "4"))
