"""Small nets with everything that moves channels between layers: pruned and proved by `zeroed_copy`, or refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.heavy

REFUSED = {
    "split and cat, swapped": "split_with_sizes expects split_sizes to sum exactly",
    "slice": "what reaches Conv2d cannot be told",
    "every second": "what reaches Conv2d cannot be told",
    "index": "out of bounds",
    "unflatten and einsum": "unflatten: Provided sizes [3, 4]",
    "softmax of channels": "behind Softmax",
    "mean of channels": "behind Sub, Mean",
    "sort of channels": "behind Sort",
    "cumulative sum of channels": "behind Cumsum",
    "max of channels": "no set of its outputs can go alone",
    "transposed convolution in groups": "a convolution in groups",
    "weight norm": "remove_parametrizations(0, 'weight')",
    "weight norm of the reader": "remove_parametrizations(2, 'weight')",
    "old weight norm": "call remove_weight_norm or prune.remove before",
    "spectral norm": "remove_parametrizations(2, 'weight')",
}
"""Sizes or indices that are written into the forward pass, operators that mix channels, weights made of others."""

PRUNED = (
    "flatten", "flatten, channels last", "mean of the picture", "flip", "roll", "shuffle by views", "nn.ChannelShuffle",
    "pixel shuffle", "pixel unshuffle", "chunk and cat, swapped", "chunk, gated", "chunk, one half read", "repeat",
    "repeat_interleave", "stack and flatten", "cat with itself", "moved axes", "unfold", "adaptive pool and flatten",
    "sigmoid", "softplus", "norm of channels", "transposed convolution", "two transposed convolutions",
    "convolutions in groups", "depthwise, with a multiplier", "depthwise separable", "shuffle after groups",
    "group norm", "instance norm", "layer norm, channels last", "layer norm without weights", "RMSNorm",
    "squeeze and excitation", "residual", "dense block", "U-shaped", "scale of channels, (1, C, 1, 1)",
    "scale of channels, (C, 1, 1)", "added table, (1, C, H, W)", "scale as wide as the picture",
    "class token and positions", "attention", "grouped attention, RMSNorm", "grouped attention by channels",
    "nn.MultiheadAttention", "nn.MultiheadAttention, width 36, 3 heads", "nn.TransformerEncoderLayer",
    "tied table and head", "one layer run twice", "1D and flatten", "in place at the end",
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_every_small_net_stands_in_one_of_the_two_lists():
    from small_nets import SMALL

    assert {net.name for net in SMALL} == {*PRUNED, *REFUSED}


@pytest.mark.parametrize("name", PRUNED)
def test_a_pruned_net_answers_like_itself_with_zeros_and_a_moved_column_would_be_seen(name):
    from pruned_nets import judged
    from small_nets import SMALL

    row = judged(next(net for net in SMALL if net.name == name))
    assert (row.verdict, row.reason if row.verdict == "refused" else "") == ("right", "")


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_cut_is_refused_with_the_reason(name):
    from pruned_nets import judged
    from small_nets import SMALL

    row = judged(next(net for net in SMALL if net.name == name))
    assert row.verdict == "refused"
    assert REFUSED[name] in row.reason


def test_what_a_tied_weight_keeps_whole_is_named():
    from pruned_nets import judged
    from small_nets import SMALL

    row = judged(next(net for net in SMALL if net.name == "tied table and head"))
    assert row.reason == (
        "down keeps its outputs: table.weight and head.weight are one tensor, of which only one would change"
    )


def test_a_search_that_does_not_end_leaves_its_layer_whole_and_no_other():
    from library_nets import NETS
    from pruned_nets import judged

    row = judged(next(net for net in NETS if net.name == "Qwen2ForCausalLM"))
    assert (row.verdict, row.method) == ("right", "feed_forward")
    assert (
        "q_proj cannot be followed to the layers that read it (Torch-Pruning's search" in row.reason
    )
