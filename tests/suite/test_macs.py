"""MACs against closed formulas and published figures, the fused paths included."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.heavy

BATCH, LENGTH, WIDTH, HIDDEN = 3, 7, 16, 32


def counted(module, *inputs):
    from suite.macs import count_macs

    module.eval()
    return count_macs(module, lambda: module(*inputs))


@pytest.mark.parametrize(("kind", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("directions", [1, 2])
def test_a_recurrent_layer_counts_by_its_closed_formula(kind, gates, layers, directions):
    import torch
    from torch import nn

    module = getattr(nn, kind)(
        WIDTH, HIDDEN, layers, bidirectional=directions == 2, batch_first=True
    )
    inputs = [WIDTH] + [HIDDEN * directions] * (layers - 1)
    expected = sum(BATCH * LENGTH * directions * gates * HIDDEN * (i + HIDDEN) for i in inputs)
    assert counted(module, torch.ones(BATCH, LENGTH, WIDTH)) == expected


def attention(queries, keys, width):
    return BATCH * (2 * queries + 2 * keys) * width * width + BATCH * 2 * queries * keys * width


def test_multihead_attention_counts_projections_and_both_products():
    import torch
    from torch import nn

    module = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
    x, memory = torch.ones(BATCH, LENGTH, WIDTH), torch.ones(BATCH, 5, WIDTH)
    assert counted(module, x, x, x) == attention(LENGTH, LENGTH, WIDTH)
    assert counted(module, x, memory, memory) == attention(LENGTH, 5, WIDTH)


def test_a_transformer_encoder_layer_is_not_hidden_by_its_fast_path():
    import torch
    from torch import nn

    module = nn.TransformerEncoderLayer(WIDTH, 4, 64, batch_first=True)
    x = torch.ones(BATCH, LENGTH, WIDTH)
    expected = attention(LENGTH, LENGTH, WIDTH) + BATCH * LENGTH * 2 * WIDTH * 64
    assert counted(module, x) == expected
    with torch.inference_mode():
        assert counted(module, x) == expected
    assert torch.backends.mha.get_fastpath_enabled()


def test_grouped_query_attention_counts_the_query_heads():
    import torch
    from torch import nn
    from torch.nn.functional import scaled_dot_product_attention

    class Grouped(nn.Module):
        def forward(self, query, key):
            return scaled_dot_product_attention(query, key, key, enable_gqa=True)

    query, key = torch.ones(BATCH, 4, LENGTH, 8), torch.ones(BATCH, 2, LENGTH, 8)
    assert counted(Grouped(), query, key) == BATCH * 4 * 2 * LENGTH * LENGTH * 8


@pytest.mark.slow
def test_resnet_18_at_224_has_its_published_count():
    import torch
    from torchvision.models import resnet18

    assert counted(resnet18(), torch.ones(1, 3, 224, 224)) == 1_814_073_344


def test_a_layer_that_was_hidden_from_the_counter_is_an_error_and_not_a_zero():
    import torch
    from torch import nn

    class Hiding(nn.Linear):
        def forward(self, x):
            # Element-wise: nothing that the counter knows.
            return (x.unsqueeze(-2) * self.weight).sum(-1)

    module = nn.Sequential(nn.Linear(WIDTH, WIDTH), Hiding(WIDTH, WIDTH))
    with pytest.raises(RuntimeError, match=r"1 of 2 layers of Sequential ran.*first '1';"):
        counted(module, torch.ones(1, WIDTH))


def test_a_layer_that_gets_no_rows_may_count_nothing():
    import torch
    from torch import nn

    assert counted(nn.Sequential(nn.Linear(WIDTH, 4)), torch.ones(0, WIDTH)) == 0


def test_a_model_without_products_counts_nothing():
    import torch
    from torch import nn

    assert counted(nn.ReLU(), torch.ones(4)) == 0
