"""Painted pictures: how far they are from real ones, and a game whose two players learn apart."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.tasks import image_generation
from suite.tasks.batch import Batch

pytestmark = pytest.mark.heavy


def test_the_distance_of_two_points_does_not_depend_on_their_order() -> None:
    from suite.tasks.wasserstein import sliced_wasserstein

    points = torch.randn(16, 12, generator=torch.Generator().manual_seed(0))
    assert sliced_wasserstein(points, points.flip(0)) == 0.0


def test_the_distance_of_shifted_points_is_the_mean_projection_of_the_shift() -> None:
    from suite.tasks.wasserstein import sliced_wasserstein

    width = 768
    points = torch.randn(8, width, generator=torch.Generator().manual_seed(0))
    # The sum of a random direction's parts is about normal: mean |sum| = sqrt(2 / pi).
    found = sliced_wasserstein(points, points + 0.1)
    assert found == pytest.approx(0.1 * math.sqrt(2 / math.pi), rel=0.1)


def test_sets_of_different_sizes_have_no_distance() -> None:
    from suite.tasks.wasserstein import sliced_wasserstein

    with pytest.raises(ValueError, match="expected two of the same"):
        sliced_wasserstein(torch.zeros(3, 4), torch.zeros(2, 4))


def painted(images: Tensor) -> Batch:
    return Batch(
        inputs={"z": torch.randn(len(images), 5, 1, 1)},
        targets={"images": images},
        num_samples=len(images),
    )


def test_painting_the_real_pictures_is_perfect_and_their_mean_is_trivial() -> None:
    images = torch.rand(12, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images[:6] = images[:6] / 4 + 0.5
    batch = painted(images)
    score = torch.zeros(12)
    perfect = image_generation.judge([images.flip(0), score], batch)
    assert image_generation.summarize([perfect]) == 0.0
    constant = images.mean(dim=0, keepdim=True).expand_as(images)
    mean = image_generation.summarize([image_generation.judge([constant, score], batch)])
    assert 0 < image_generation.trivial([batch]) <= mean


@pytest.fixture
def game() -> tuple[Any, Batch]:
    from suite.nets.dcgan import Dcgan

    torch.manual_seed(0)
    return Dcgan(latent=5, width=2, channels=3), painted(torch.rand(4, 3, 64, 64) * 2 - 1)


def test_the_players_share_no_weights_and_have_all(game: tuple[Any, Batch]) -> None:
    module, _ = game
    first, second = image_generation.players(module)
    assert (first.name, second.name) == ("discriminator", "generator")
    owned = [id(p) for player in (first, second) for p in player.parameters]
    assert sorted(owned) == sorted(id(p) for p in module.parameters())


def test_the_discriminator_alone_learns_from_its_own_loss(game: tuple[Any, Batch]) -> None:
    module, batch = game
    image_generation.loss(module, batch).backward()
    assert all(p.grad is None for p in module.generator.parameters())
    assert all(p.grad is not None for p in module.discriminator.parameters())


def test_the_generator_learns_to_deceive(game: tuple[Any, Batch]) -> None:
    module, batch = game
    _, generator = image_generation.players(module)
    optimizer = torch.optim.Adam(generator.parameters, lr=0.01)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = generator.loss(batch)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_a_module_that_is_no_game_is_told_what_is_missing() -> None:
    with pytest.raises(ValueError, match="Identity has no module `generator`"):
        image_generation.players(nn.Identity())


def test_the_discriminator_sees_noise_in_training_alone(game: tuple[Any, Batch]) -> None:
    module, batch = game
    losses = [float(image_generation.loss(module.eval(), batch).detach()) for _ in range(2)]
    assert losses[0] == losses[1]
    module.train()
    module.generator.eval()
    first, second = (float(image_generation.loss(module, batch).detach()) for _ in range(2))
    assert first != second
