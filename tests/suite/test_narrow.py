"""Narrowing: fewer channels, the same layers, and weights under which a deep net does not fade."""

from __future__ import annotations

from functools import partial

import pytest
import torch

pytestmark = pytest.mark.heavy


def net(width: int = 64, depth: int = 12):
    """A deep stack of convolutions and normalizations with a head of five classes."""
    from torch import nn

    layers = [nn.Conv2d(3, width, 3, padding=1)]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 5))


def test_widths_are_divided_and_picture_and_classes_stay() -> None:
    from suite.nets.narrow import narrow

    small = narrow(net, 4, heads=("39",))
    assert small[0].weight.shape == (16, 3, 3, 3)
    assert small[1].weight.shape == (16, 16, 3, 3)
    assert small[2].num_features == 16
    assert small[39].weight.shape == (5, 16)
    assert not any(p.is_meta for p in small.parameters())


def test_a_divisor_of_one_leaves_the_model_alone() -> None:
    from suite.nets.narrow import narrow

    torch.manual_seed(0)
    expected = net().state_dict()
    torch.manual_seed(0)
    assert all(torch.equal(v, expected[k]) for k, v in narrow(net, 1).state_dict().items())


def test_a_width_that_does_not_divide_is_named() -> None:
    from suite.nets.narrow import narrow

    with pytest.raises(ValueError, match="0: width 66 is no multiple of 4"):
        narrow(partial(net, 66), 4)


def test_a_deep_net_still_tells_inputs_apart() -> None:
    from suite.nets.narrow import narrow

    torch.manual_seed(0)
    pictures = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        kept, faded = (m.eval()(pictures) for m in (narrow(net, 4, heads=("39",)), net(16)))
    assert (kept[0] - kept[1]).abs().max() > 100 * (faded[0] - faded[1]).abs().max()
