"""Losses and metrics of pictures: answers worked out by hand, and what must not be judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.tasks import accuracy, segmentation
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
        label: str

    with pytest.raises(ValueError, match="returned Answer without a tensor"):
        accuracy.loss(Says(Answer("cat")), labelled([0]))


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
