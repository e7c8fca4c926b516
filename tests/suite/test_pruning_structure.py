"""A pruned module without a pickle: what is written down, what comes back, what is refused."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

pytestmark = pytest.mark.heavy


def pair() -> tuple[Any, Any]:
    """A module and a narrower copy."""
    import torch
    from torch import nn

    original = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 2))
    pruned = deepcopy(original)
    pruned[0].out_features, pruned[1].normalized_shape, pruned[2].in_features = 3, (3,), 3
    for layer, name, axis in (
        *((pruned[n], name, 0) for n in (0, 1) for name in ("weight", "bias")),
        (pruned[2], "weight", 1),
    ):
        old = getattr(layer, name)
        setattr(layer, name, nn.Parameter(old.detach().index_select(axis, torch.arange(3))))
    return pruned, original


def refusal(error: Any, call: Any, *args: Any) -> str:
    with pytest.raises(error) as caught:
        call(*args)
    return str(caught.value)


def test_integers_and_tuples_of_them_are_written_down_and_come_back():
    import torch

    from suite.pruning.structure import restore, structure_of

    pruned, original = pair()
    structure = structure_of(pruned, original)
    assert structure == {
        "transforms": {},
        "attributes": {
            "0": {"out_features": 3},
            "1": {"normalized_shape": [3]},
            "2": {"in_features": 3},
        },
    }
    again = restore(deepcopy(original), structure, pruned.state_dict())
    assert again[1].normalized_shape == (3,)
    assert str(again) == str(pruned)
    x = torch.rand(2, 4)
    assert torch.equal(again(x), pruned(x))


def test_an_unpruned_module_has_an_empty_structure():
    from suite.pruning.structure import structure_of

    _, original = pair()
    assert structure_of(deepcopy(original), original) == {"transforms": {}, "attributes": {}}


def test_tied_weights_stay_tied_though_a_file_holds_them_once():
    import torch
    from torch import nn

    from suite.pruning.structure import restore

    class Tied(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(5, width), nn.Linear(width, 5, bias=False)
            self.head.weight = self.embedding.weight

    small = Tied(3)
    structure = {
        "transforms": {},
        "attributes": {"embedding": {"embedding_dim": 3}, "head": {"in_features": 3}},
    }
    for key in ("embedding.weight", "head.weight"):
        again = restore(Tied(4), structure, {key: small.embedding.weight.detach()})
        assert again.head.weight is again.embedding.weight
        assert torch.equal(again.head.weight, small.head.weight)
        assert isinstance(again.head.weight, nn.Parameter)


def test_buffers_are_narrowed_too():
    from torch import nn

    from suite.pruning.structure import restore

    small = nn.BatchNorm2d(3)
    small.running_mean += 1
    structure = {"transforms": {}, "attributes": {"": {"num_features": 3}}}
    again = restore(nn.BatchNorm2d(8), structure, small.state_dict())
    assert again.running_mean.tolist() == [1.0] * 3
    assert not isinstance(again.running_mean, nn.Parameter)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda state: state.pop("2.bias"), r"missing ['2.bias'], unexpected [] (1 and 0 in all)"),
        (lambda state: state.update(other=state["2.bias"]), "missing [], unexpected ['other']"),
    ],
)
def test_weights_that_do_not_fit_are_refused(spoil, says):
    from suite.pruning.errors import PruningError
    from suite.pruning.structure import restore, structure_of

    pruned, original = pair()
    state = dict(pruned.state_dict())
    spoil(state)
    structure = structure_of(pruned, original)
    assert says in refusal(PruningError, restore, original, structure, state)


def test_a_transform_of_another_version_is_refused():
    from suite.pruning.errors import PruningError
    from suite.pruning.structure import restore

    pruned, original = pair()
    structure = {"transforms": {"magic": ["0"]}, "attributes": {}}
    message = refusal(PruningError, restore, original, structure, pruned.state_dict())
    assert "transform 'magic' is unknown; this version has conv1d_to_linear" in message


def test_an_exchange_that_is_no_transform_is_refused():
    from torch import nn

    from suite.pruning.errors import PruningError
    from suite.pruning.structure import structure_of

    pruned, original = pair()
    pruned[1] = nn.Identity()
    assert "1: a LayerNorm became a Identity" in refusal(
        PruningError, structure_of, pruned, original
    )
    del pruned[2]
    assert "may not add or remove modules; they differ in ['2']" in refusal(
        PruningError, structure_of, pruned, original
    )


def test_a_narrowed_buffer_that_no_state_dict_holds_is_refused():
    import torch

    from suite.pruning.errors import PruningError
    from suite.pruning.structure import structure_of

    pruned, original = pair()
    for module, width in ((original, 6), (pruned, 3)):
        module.register_buffer("scale", torch.ones(width), persistent=False)
    message = refusal(PruningError, structure_of, pruned, original)
    assert "the buffer scale is not persistent and was narrowed from [6] to [3]" in message


def test_transformers_conv1d_becomes_the_linear_layer_that_it_is():
    import torch
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    from suite.pruning.structure import restore, structure_of
    from suite.pruning.transforms import apply_transforms

    original = nn.Sequential(Conv1D(6, 4), nn.Tanh())
    x = torch.rand(3, 4)
    exchanged = deepcopy(original)
    apply_transforms(exchanged)
    assert type(exchanged[0]) is nn.Linear
    torch.testing.assert_close(exchanged(x), original(x))
    structure = structure_of(exchanged, original)
    assert structure == {"transforms": {"conv1d_to_linear": ["0"]}, "attributes": {}}
    again = restore(nn.Sequential(Conv1D(6, 4), nn.Tanh()), structure, exchanged.state_dict())
    assert torch.equal(again(x), exchanged(x))
