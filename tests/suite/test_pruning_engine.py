"""What makes a pruning fail: nothing or too little removed, a net that breaks, answers that change their shape."""

from __future__ import annotations

from typing import Any

import pytest

from suite.lifecycle import Pruning
from suite.spec import ModelSpec, Size

pytestmark = pytest.mark.heavy

LAX = {"parameters_left": 1.0, "macs_left": 1.0}


def prune(
    module: Any, x: Any, *, head: tuple[str, ...] = (), loss: Any = None, **settings: Any
) -> Any:
    from suite.pruning.engine import prune_module

    spec = ModelSpec(
        name="net",
        family="own",
        task="image_classification",
        build=lambda: module,
        sizes={"tiny": Size(pruning=Pruning(**{**LAX, **settings}))},
        outputs=("out",),
        head=head,
    )
    return prune_module(module, spec, "tiny", {"input": x}, loss=loss)


def refused(*args: Any, **settings: Any) -> str:
    from suite.pruning.errors import PruningError

    with pytest.raises(PruningError) as caught:
        prune(*args, **settings)
    return str(caught.value)


def two_layers() -> tuple[Any, Any]:
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), torch.rand(2, 6)


def test_the_smallest_net_loses_half_of_its_hidden_layer():
    made = prune(*two_layers())
    assert made.importance == "magnitude"
    assert (made.parameters.before, made.parameters.after) == (83, 43)
    assert made.parameters.left == 43 / 83
    assert (made.macs.before, made.macs.after, made.macs.left) == (144, 72, 0.5)
    assert made.changes == {"0": {"out_features": [8, 4]}, "2": {"in_features": [8, 4]}}
    assert made.uncut == ()


@pytest.mark.parametrize("ratio", [0, 0.0, 1.0, -0.5, 1.5])
def test_a_ratio_that_removes_nothing_or_everything_fails(ratio):
    message = refused(*two_layers(), ratio=ratio)
    assert message.startswith(
        f"net: Pruning.ratio is {ratio!r}, which removes nothing or everything"
    )


def test_an_unknown_method_is_answered_with_those_that_exist():
    assert "expected one of channels, heads, feed_forward, recurrent" in refused(
        *two_layers(), method="magic"
    )


@pytest.mark.parametrize("method", ["channels", "heads", "feed_forward", "recurrent"])
def test_a_net_in_which_nothing_is_prunable_fails(method):
    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(6, 3), nn.ReLU())
    assert refused(net, torch.rand(2, 6), method=method).startswith("net: nothing is prunable:")


def test_a_net_whose_only_layer_is_its_head_fails():
    assert "nothing is prunable" in refused(*two_layers(), head=("0",))


def test_widths_that_round_to_nothing_leave_everything_which_fails():
    message = refused(*two_layers(), round_to=16)
    assert message.startswith(
        "net: nothing was removed: 83 parameters before and 83 after channels"
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"parameters_left": 0.5}, "43 of 83 parameters are left, a share of 0.518; expected 0.5"),
        ({"macs_left": 0.4}, "72 of 144 macs are left, a share of 0.500; expected 0.4 at most"),
    ],
)
def test_too_little_removed_fails_with_both_sides(settings, says):
    message = refused(*two_layers(), **settings)
    assert says in message
    assert f"(Pruning.{next(iter(settings))})" in message


def test_a_name_that_is_in_no_model_gets_the_nearest_ones():
    module, x = two_layers()
    assert "no module of Sequential is called '00'" in refused(module, x, ignored=("00",))


def test_an_answer_that_another_layer_reads_has_to_be_named():
    import torch
    from torch import nn

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, input: Any) -> Any:  # noqa: A002
            states = self.first(input)
            return states, self.second(states)

    x = torch.rand(2, 6)
    message = refused(Twice(), x)
    assert "outputs of shape [[2, 8], [2, 3]] became [[2, 4], [2, 3]]" in message
    assert "ModelSpec.head or Pruning.ignored" in message


def test_a_net_that_does_not_run_any_more_fails():
    import torch
    from torch import nn

    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, input: Any) -> Any:  # noqa: A002
            return self.second(self.first(input).reshape(-1, 8))

    message = refused(Fixed(), torch.rand(2, 6))
    assert "net: pruned by channels, it does not run any more: " in message


def test_a_loss_that_is_not_a_number_ranks_nothing():
    module, x = two_layers()
    assert "net: the loss is nan" in refused(
        module, x, loss=lambda copy: copy(x).sum() * float("nan")
    )


def test_a_weight_that_two_layers_share_stays_one_or_fails():
    import torch
    from torch import nn

    tied = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3))
    tied[2].weight = tied[0].weight
    assert "0.weight and 2.weight are one tensor" in refused(tied, torch.rand(2, 6), ignored=("2",))


def test_what_was_frozen_stays_frozen_and_the_original_is_untouched():
    module, x = two_layers()
    module[0].weight.requires_grad_(False)
    module.train()
    made = prune(module, x)
    flags = {name: p.requires_grad for name, p in made.module.named_parameters()}
    assert flags == {"0.weight": False, "0.bias": True, "2.weight": True, "2.bias": True}
    assert module.training
    assert module[0].weight.shape == (8, 6)
    assert not module[0].weight.requires_grad


def test_the_loss_decides_where_magnitude_errs():
    import torch

    module, _ = two_layers()
    x = torch.rand(4, 6)
    x[:, 0] = 0
    with (
        torch.no_grad()
    ):  # four units that look at nothing but an input that is always zero: large, and useless
        module[0].bias.fill_(9)
        module[0].weight[:4] = 0
        module[0].weight[:4, 0] = 9
        module[2].weight[:, :4] = 1e-9
    made = prune(module, x)
    assert (made.module[0].weight[:, 0] == 9).all()
    made = prune(module, x, loss=lambda copy: copy(x).square().mean())
    assert not (made.module[0].weight[:, 0] == 9).any()


def test_a_head_that_runs_in_training_only_is_pruned_with_the_rest():
    import torch
    from torch import nn

    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5))
            self.second, self.head = nn.Conv2d(8, 5, 1), nn.Conv2d(8, 4, 1)

        def forward(self, input: Any) -> Any:  # noqa: A002
            states = self.body(input)
            return (self.head(states), self.second(states)) if self.training else self.head(states)

    net, x = Auxiliary().eval(), torch.rand(1, 3, 3, 3)
    made = prune(net, x)
    assert made.changes["second"] == {"in_channels": [8, 4]}
    assert torch.equal(net.body[1].running_mean, torch.zeros(8))
    first, second = made.module.train()(torch.rand(2, 3, 4, 4))
    assert (first.shape[1], second.shape[1]) == (4, 5)


def test_attention_with_shared_keys_is_sent_to_feed_forward():
    import torch
    from torch import nn

    class Grouped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.num_heads = 4
            self.q_proj, self.k_proj, self.v_proj = (nn.Linear(8, n) for n in (8, 4, 4))

        def forward(self, input: Any) -> Any:  # noqa: A002
            return self.q_proj(input), self.k_proj(input), self.v_proj(input)

    net = nn.Sequential(nn.Linear(8, 8), Grouped())
    message = refused(net, torch.rand(2, 5, 8), method="heads")
    assert (
        "1 shares keys among queries (grouped); prune with Pruning(method='feed_forward')"
        in message
    )
