"""Losses and metrics of pictures: answers worked out by hand, and what must not be judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.tasks import accuracy, image_generation, segmentation
from suite.tasks.batch import Batch

pytestmark = pytest.mark.heavy


class Says(nn.Module):
    """Returns what it was given, whatever it is asked."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Any:
        return self.answer


def labelled(labels: list[int]) -> Batch:
    return Batch(
        inputs={"x": torch.zeros(len(labels), 1)},
        targets={"labels": torch.tensor(labels)},
        num_samples=len(labels),
    )


def mapped(classes: Tensor) -> Batch:
    return Batch(
        inputs={"x": torch.zeros(len(classes), 1)},
        targets={"classes": classes},
        num_samples=len(classes),
    )


def logits_of(classes: Tensor, num_classes: int) -> Tensor:
    """Logits [N, classes, ...] that say `classes` [N, ...]."""
    return nn.functional.one_hot(classes, num_classes).movedim(-1, 1).float() * 9


def test_accuracy_counts_the_labels_with_the_highest_logit_over_all_batches() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    parts = [
        accuracy.judge([logits], labelled([0, 1, 1])),
        accuracy.judge([logits[:1]], labelled([0])),
    ]
    assert accuracy.summarize(parts) == 75.0


def test_a_constant_answer_has_the_trivial_accuracy() -> None:
    batches = [labelled([2, 0, 2]), labelled([1])]
    always_two = [
        accuracy.judge([logits_of(torch.full((b.num_samples,), 2), 3)], b) for b in batches
    ]
    assert accuracy.trivial(batches) == accuracy.summarize(always_two) == 50.0


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_their_number() -> None:
    found = accuracy.loss(Says(torch.zeros(2, 5)), labelled([0, 4]))
    assert float(found) == pytest.approx(math.log(5))


def test_an_auxiliary_classifier_counts_four_tenths() -> None:
    zeros = torch.zeros(2, 5)
    for answer in ((zeros, zeros), {"logits": zeros, "aux": zeros}):
        found = accuracy.loss(Says(answer), labelled([0, 4]))
        assert float(found) == pytest.approx(1.4 * math.log(5))


def test_outputs_of_another_shape_are_no_auxiliary_classifier() -> None:
    found = accuracy.loss(Says((torch.zeros(2, 5), torch.ones(2, 7))), labelled([0, 4]))
    assert float(found) == pytest.approx(math.log(5))


def test_a_model_without_a_tensor_in_its_answer_is_told_what_to_return() -> None:
    @dataclass
    class Answer:
        logits: Tensor

    with pytest.raises(ValueError, match="returned Answer without a tensor"):
        accuracy.loss(Says(Answer(torch.zeros(1, 2))), labelled([0]))


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_without_an_output_is_refused(label: int) -> None:
    with pytest.raises(ValueError, match=f"label {label} for a model with 3 outputs"):
        accuracy.loss(Says(torch.zeros(1, 3)), labelled([label]))


def test_outputs_that_are_no_number_are_refused() -> None:
    nan = torch.tensor([[0.0, math.nan]])
    with pytest.raises(ValueError, match="NaN or infinity"):
        accuracy.judge([nan], labelled([0]))
    with pytest.raises(ValueError, match="NaN or infinity"):
        segmentation.judge([nan[..., None, None]], mapped(torch.zeros(1, 1, 1, dtype=torch.int64)))


def test_no_sample_has_no_accuracy() -> None:
    with pytest.raises(ValueError, match="expected at least one"):
        accuracy.summarize([])


def test_inception_in_train_mode_is_trained_by_both_heads() -> None:
    from suite.models.vision import build_inception_v3
    from suite.tasks import image_classification

    torch.manual_seed(0)
    module = build_inception_v3(num_classes=10, divisor=16).train()
    batch = Batch(
        inputs={"x": torch.rand(2, 3, 299, 299)},
        targets={"labels": torch.tensor([1, 2])},
        num_samples=2,
    )
    image_classification.loss(module, batch).backward()
    assert module.AuxLogits.fc.weight.grad.abs().sum() > 0
    assert module.fc.weight.grad.abs().sum() > 0


def test_mean_iou_is_that_of_the_classes_which_occur() -> None:
    truth = torch.tensor([[[0, 0, 1, 1]]])
    found = torch.tensor([[[0, 1, 1, 2]]])
    part = segmentation.judge([logits_of(found, 4)], mapped(truth))
    # class 0: 1 of 2; class 1: 1 of 3; class 2 is found but does not occur, class 3 neither
    assert segmentation.summarize([part]) == pytest.approx(100 * (1 / 2 + 1 / 3) / 2)


def test_mean_iou_is_taken_over_the_pixels_of_all_batches() -> None:
    truth = torch.tensor([[[0, 1]]]), torch.tensor([[[1, 1]]])
    found = torch.tensor([[[0, 0]]]), torch.tensor([[[1, 1]]])
    parts = [
        segmentation.judge([logits_of(f, 2)], mapped(t)) for f, t in zip(found, truth, strict=True)
    ]
    assert segmentation.summarize(parts) == pytest.approx(100 * (1 / 2 + 2 / 3) / 2)


def test_a_perfect_segmentation_has_all_and_the_background_alone_the_trivial_iou() -> None:
    truth = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    truth[:, 3:] = 0
    batch = mapped(truth)
    assert segmentation.summarize([segmentation.judge([logits_of(truth, 5)], batch)]) == 100.0
    background = segmentation.judge([logits_of(torch.zeros_like(truth), 5)], batch)
    assert segmentation.trivial([batch]) == pytest.approx(segmentation.summarize([background]))


def test_the_auxiliary_head_of_a_segmenter_counts_four_tenths() -> None:
    zeros = torch.zeros(1, 4, 2, 2)
    batch = mapped(torch.zeros(1, 2, 2, dtype=torch.int64))
    found = segmentation.loss(Says({"out": zeros, "aux": zeros}), batch)
    assert float(found) == pytest.approx(1.4 * math.log(4))


def test_two_outputs_segment_every_object_against_the_background() -> None:
    outputs = segmentation.outputs_for(["background", "cat", "dog", "hat"], 2)
    assert outputs is not None
    assert outputs.tolist() == [0, 1, 1, 1]


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
    with pytest.raises(ValueError, match="Says has no module `generator`"):
        image_generation.players(Says(None))
