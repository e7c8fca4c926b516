"""What the tasks of pictures hand to a model: shapes, ranges, targets, and what is random about them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from suite.axes import TASKS
from suite.data.errors import DataError
from suite.data.samples import Image, Scene
from suite.data.sources import Source

pytestmark = pytest.mark.heavy

CASES: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "image_classification": ("image", "digits", {"side": 28, "channels": 1, "classes": 10}),
    "row_classification": ("image", "digits", {"side": 28, "steps": 28, "classes": 10}),
    "image_generation": ("image", "digits", {"side": 64, "latent": 5}),
    "detection": (
        "scene",
        "scenes",
        {"side": 96, "classes": 11, "form": "list", "keeps_aspect": True},
    ),
    "segmentation": ("scene", "scenes", {"side": 96, "classes": 11}),
    "video_classification": ("clip", "clips", {"side": 32, "frames": 4, "classes": 8}),
}
every_task = pytest.mark.parametrize("task", CASES)


def task_module(task: str) -> Any:
    return import_module(TASKS[task].module)


def batch(task: str, inputs: Mapping[str, Any] | None = None, **options: Any) -> Any:
    kind, name, usual = CASES[task]
    given = {"num_samples": 3, "seed": 0, "split": "test", **options}
    return task_module(task).batch(
        {**usual, **(inputs or {})}, Source(kind=kind, name=name), **given
    )


def leaves(made: Any) -> list[Any]:
    return list(torch.utils._pytree.tree_leaves((dict(made.inputs), made.targets)))


def equal(first: Any, second: Any) -> bool:
    pairs = list(zip(leaves(first), leaves(second), strict=False))
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)


@every_task
@pytest.mark.parametrize("split", ["test", "train"])
def test_the_same_seed_gives_the_same_batch_and_another_seed_another(task: str, split: str) -> None:
    first = batch(task, split=split)
    torch.rand(7)  # what else drew random numbers does not matter
    assert equal(first, batch(task, split=split))
    assert not equal(first, batch(task, split=split, seed=1))


@every_task
def test_torchs_own_random_numbers_are_left_alone(task: str) -> None:
    state = torch.random.get_rng_state()
    batch(task, split="train")
    assert torch.equal(state, torch.random.get_rng_state())


@every_task
def test_samples_are_drawn_again_where_there_are_too_few(task: str) -> None:
    data = task_module(task).examples(
        CASES[task][2], Source(kind="x", name=CASES[task][1]), seed=0, split="validation"
    )
    assert batch(task, split="validation", num_samples=len(data) + 1).num_samples == len(data) + 1


@pytest.mark.parametrize("task", ["image_classification", "segmentation", "video_classification"])
def test_training_samples_change_from_epoch_to_epoch_and_test_samples_do_not(task: str) -> None:
    kind, name, inputs = CASES[task]
    for split, changes in (("train", True), ("test", False)):
        data = task_module(task).examples(inputs, Source(kind=kind, name=name), seed=0, split=split)
        a, b = data[0], data.at_epoch(1)[0]
        assert torch.equal(a.inputs["x"], b.inputs["x"]) is not changes


def test_a_data_loader_with_workers_reads_the_examples() -> None:
    from suite.tasks.examples import collate

    kind, name, inputs = CASES["image_classification"]
    data = task_module("image_classification").examples(
        inputs, Source(kind=kind, name=name), seed=0, split="train"
    )
    loader = torch.utils.data.DataLoader(data, batch_size=4, num_workers=1, collate_fn=collate)
    made = next(iter(loader))
    assert made.inputs["x"].shape == (4, 1, 28, 28)
    assert made.targets["labels"].dtype == torch.int64


def test_pictures_are_normalized_around_zero() -> None:
    x = batch("image_classification", {"channels": 3, "side": 32}, num_samples=64).inputs["x"]
    assert x.shape == (64, 3, 32, 32)
    # black is -mean / deviation of ImageNet, channel by channel
    assert x.amin(dim=(0, 2, 3)).tolist() == pytest.approx([-2.118, -2.036, -1.804], abs=1e-3)


def test_rows_are_the_pictures_rows_and_begin_anew() -> None:
    rows = batch("row_classification", {"steps": 30}).inputs["x"]
    pictures = batch("image_classification").inputs["x"]
    assert torch.equal(rows[:, :28], pictures[:, 0])
    assert torch.equal(rows[:, 28:], pictures[:, 0, :2])


def test_generation_paints_from_noise_of_its_own_and_sees_pictures_within_one() -> None:
    made = batch("image_generation")
    assert made.inputs["z"].shape == (3, 5, 1, 1)
    assert not torch.equal(made.inputs["z"][0], made.inputs["z"][1])
    images = made.targets["images"]
    assert images.shape == (3, 3, 64, 64)
    assert images.min() >= -1
    assert images.max() <= 1


@pytest.mark.parametrize("keeps_aspect", [True, False])
@pytest.mark.parametrize("split", ["train", "test"])
def test_boxes_lie_in_the_square_and_hold_a_digit(split: str, keeps_aspect: bool) -> None:
    made = batch("detection", {"keeps_aspect": keeps_aspect}, split=split, num_samples=8)
    for image, target in zip(made.inputs["images"], made.targets, strict=True):
        assert image.shape == (3, 96, 96)
        assert 0 <= image.min() <= image.max() <= 1
        boxes = target["boxes"]
        assert boxes.dtype == torch.float32
        assert len(boxes) == len(target["labels"])
        assert ((boxes >= 0) & (boxes <= 96)).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_a_box_follows_its_object_into_the_square() -> None:
    from suite.data import scenes

    side = 96
    for keeps_aspect, scale in (
        (True, (side / 640, side / 640)),
        (False, (side / 640, side / 480)),
    ):
        data = task_module("detection").examples(
            {**CASES["detection"][2], "keeps_aspect": keeps_aspect},
            Source(kind="scene", name="scenes"),
            seed=0,
            split="test",
        )
        expected = scenes.load("", "test")[0].boxes * np.array(scale * 2, dtype=np.float32)
        assert data[0].targets["boxes"].numpy() == pytest.approx(expected, abs=1e-3)


def test_objects_without_an_output_are_left_out_and_that_is_said() -> None:
    made = batch("detection", {"classes": 3}, num_samples=8)
    assert all((target["labels"] < 3).all() for target in made.targets)
    assert made.data.classes_without_output == 8


def test_a_detector_on_tensors_gets_one_tensor() -> None:
    assert batch("detection", {"form": "tensor"}).inputs["images"].shape == (3, 3, 96, 96)


def test_a_class_map_says_what_lies_on_the_pixel() -> None:
    from suite.data import scenes

    made = batch("segmentation", {"side": 480})
    classes = made.targets["classes"]
    assert made.inputs["x"].shape == (3, 3, 480, 480)
    assert classes.shape == (3, 480, 480)
    assert classes.dtype == torch.int64
    data = task_module("segmentation").examples(
        {"side": 480, "classes": 11}, Source(kind="scene", name="scenes"), seed=0, split="test"
    )
    scene = scenes.load("", "test")[0]
    painted = (scene.masks * scene.labels[:, None, None]).sum(axis=0)[:, 80:560]
    assert np.array_equal(data[0].targets["classes"].numpy(), painted)


def test_the_smaller_of_two_objects_is_on_top() -> None:
    from suite.tasks.segmentation import class_map

    masks = np.zeros((2, 4, 4), dtype=bool)
    masks[0, 1:3, 1:3] = True
    masks[1] = True
    scene = Scene(
        pixels=np.zeros((4, 4, 3), np.uint8),
        boxes=np.zeros((2, 4), np.float32),
        labels=np.array([2, 1]),
        masks=masks,
    )
    classes = class_map(scene, np.arange(3))
    assert (classes[1:3, 1:3] == 2).all()
    assert (classes == 2).sum() == 4


def test_coco_becomes_the_classes_of_pascal_voc_for_21_outputs() -> None:
    from suite.tasks.segmentation import VOC, outputs_for

    classes = ["background", "person", "hat", *(name for name in VOC if name != "person")]
    outputs = outputs_for(classes, 21)
    assert outputs is not None
    assert outputs[classes.index("person")] == 15
    assert outputs[classes.index("hat")] == 0
    assert outputs[classes.index("tv")] == 20
    assert outputs_for(["background", *"abc"], 3) is None


def test_a_clip_keeps_its_first_and_last_frame() -> None:
    made = batch("video_classification", {"side": 128})
    assert made.inputs["x"].shape == (3, 3, 4, 128, 128)
    whole = batch("video_classification", {"side": 128, "frames": 16}).inputs["x"]
    assert torch.equal(made.inputs["x"][:, :, 0], whole[:, :, 0])
    assert torch.equal(made.inputs["x"][:, :, -1], whole[:, :, -1])


@pytest.mark.parametrize("task", ["image_classification", "video_classification", "segmentation"])
def test_more_classes_than_outputs_are_refused(task: str) -> None:
    with pytest.raises(DataError, match="classes .*for a model with 3\\s+outputs"):
        batch(task, {"classes": 3})


def test_only_pictures_that_may_be_are_mirrored() -> None:
    from suite.tasks.image_classification import labelled

    class OneSided:
        """White on the left, black on the right."""

        classes = ("x",)

        def __init__(self, mirrors: bool) -> None:
            self.keeps_label_when_mirrored = mirrors

        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int, /) -> Image:
            pixels = np.zeros((32, 32, 3), np.uint8)
            pixels[:, :16] = 255
            return Image(pixels=pixels, label=0)

    def lefts(mirrors: bool) -> set[bool]:
        made = (
            labelled(
                OneSided(mirrors),
                0,
                np.random.default_rng(seed),
                inputs={"side": 32, "channels": 1},
                is_training=True,
            ).inputs["x"][0]
            for seed in range(20)
        )
        return {bool(x[:, :10].mean() > x[:, -10:].mean()) for x in made}

    assert lefts(mirrors=False) == {True}
    assert lefts(mirrors=True) == {True, False}
