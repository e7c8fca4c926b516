"""Recurrent layers: the pruned net computes what the original computes with the removed units cut off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from suite.lifecycle import Pruning

pytestmark = pytest.mark.heavy

HIDDEN, FEATURES = 8, 5


def net(kind: str, layers: int = 1, directions: int = 1, *, bias: bool = True) -> Any:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = getattr(nn, kind)(
                FEATURES,
                HIDDEN,
                layers,
                bidirectional=directions == 2,
                batch_first=True,
                bias=bias,
            )
            self.head = nn.Linear(HIDDEN * directions, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.recurrent(x)[0])

    torch.manual_seed(1)
    return Net().eval()


def pruned(module: Any, *, inputs: Any = None, gradients: bool = False, **settings: Any) -> Any:
    """A copy of it, pruned."""
    from copy import deepcopy

    import torch

    from suite.pruning.recurrent import prune_recurrent
    from suite.pruning.request import PruningRequest

    copy = deepcopy(module)
    x = torch.rand(2, 7, FEATURES)
    if gradients:
        copy(x).square().mean().backward()
    prune_recurrent(
        PruningRequest(
            module=copy,
            inputs={"x": x} if inputs is None else inputs,
            pruning=Pruning(method="recurrent", **settings),
            has_gradients=gradients,
        )
    )
    return copy


def refused(module: Any, **settings: Any) -> str:
    from suite.pruning.errors import PruningError

    with pytest.raises(PruningError) as caught:
        pruned(module, **settings)
    return str(caught.value)


def cut_off(module: Any, smaller: Any) -> int:
    """Sets to zero what reads the units of `module` that `smaller` lacks; their number. Biases tell units apart."""
    import torch

    rnn = module.recurrent
    directions = 2 if rnn.bidirectional else 1
    count = 0
    with torch.no_grad():
        for layer in range(rnn.num_layers):
            for direction in range(directions):
                end = f"_l{layer}{'_reverse' if direction else ''}"
                mine = getattr(rnn, f"bias_ih{end}")[:HIDDEN]
                kept = getattr(smaller.recurrent, f"bias_ih{end}")[: smaller.recurrent.hidden_size]
                gone = (~torch.isin(mine, kept)).nonzero().flatten()
                count += len(gone)
                getattr(rnn, f"weight_hh{end}")[:, gone] = 0
                above = [
                    getattr(rnn, f"weight_ih_l{layer + 1}{other}", None)
                    for other in ("", "_reverse")
                ]
                for weight in [w for w in above if w is not None] or [module.head.weight]:
                    weight[:, direction * HIDDEN + gone] = 0
    return count


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("gradients", [False, True])
def test_what_is_left_computes_as_before(kind, layers, directions, gradients):
    import torch

    module = net(kind, layers, directions)
    smaller = pruned(module, gradients=gradients, ratio=0.4)
    assert smaller.recurrent.hidden_size == 4
    assert smaller.head.in_features == 4 * directions
    assert cut_off(module, smaller) == 4 * layers * directions
    x = torch.rand(3, 6, FEATURES)
    with torch.no_grad():
        torch.testing.assert_close(smaller(x), module(x))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_without_biases_it_shrinks_runs_and_is_restored(kind):
    import torch

    from suite.pruning.structure import restore, structure_of

    module = net(kind, 2, 2, bias=False)
    smaller = pruned(module)
    structure = json.loads(json.dumps(structure_of(smaller, module)))
    assert structure["attributes"] == {"recurrent": {"hidden_size": 4}, "head": {"in_features": 8}}
    again = restore(net(kind, 2, 2, bias=False), structure, smaller.state_dict())
    x = torch.rand(3, 6, FEATURES)
    with torch.no_grad():
        assert torch.equal(again(x), smaller(x))


def test_one_recurrent_module_may_read_another():
    import torch
    from torch import nn

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.GRU(FEATURES, HIDDEN, bidirectional=True)
            self.second = nn.LSTM(2 * HIDDEN, 6, 2)
            self.head = nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.second(self.first(x)[0])[0])

    chain = Chain()
    for gradients in (False, True):
        smaller = pruned(chain, gradients=gradients)
        second = smaller.second
        assert (smaller.first.hidden_size, second.input_size, second.hidden_size) == (4, 8, 3)
        assert smaller(torch.rand(2, 4, FEATURES)).shape == (2, 4, 3)


def test_the_units_that_matter_least_go():
    import torch

    module = net("LSTM")
    weak = [1, 4, 5, 7]
    with torch.no_grad():
        rows = [gate * HIDDEN + unit for gate in range(4) for unit in weak]
        for name in ("weight_ih_l0", "weight_hh_l0"):
            getattr(module.recurrent, name)[rows] *= 1e-3
        module.recurrent.weight_hh_l0[:, weak] *= 1e-3
        module.head.weight[:, weak] *= 1e-3
    smaller = pruned(module)
    expected = module.recurrent.bias_ih_l0[[0, 2, 3, 6]]
    assert torch.equal(smaller.recurrent.bias_ih_l0[:4], expected)


def test_widths_are_multiples_and_never_nothing():
    assert pruned(net("GRU"), ratio=0.3, round_to=4).recurrent.hidden_size == 4
    assert "leaves 0 of 8 hidden units" in refused(net("GRU"), round_to=16)


def test_states_that_go_elsewhere_are_refused():
    from torch import nn

    module = net("LSTM")
    module.head = nn.Sequential(nn.LayerNorm(HIDDEN), nn.Linear(HIDDEN, 3))
    assert "the 8 states of LSTM are read by LayerNorm((8,)" in refused(module)


def test_a_projection_is_refused():
    import torch
    from torch import nn

    class Projected(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.recurrent, self.head = nn.LSTM(FEATURES, HIDDEN, proj_size=4), nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.recurrent(x)[0])

    assert "proj_size 4" in refused(Projected(), inputs={"x": torch.rand(2, 7, FEATURES)})
