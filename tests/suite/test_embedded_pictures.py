"""The embedded pictures: digits, scenes with exact boxes and masks, and clips whose label is what moves."""

from __future__ import annotations

import numpy as np
import pytest

from suite.data import clips, digits, scenes
from suite.data.parts import SPLITS


@pytest.mark.parametrize("data", [digits, scenes, clips], ids=["digits", "scenes", "clips"])
def test_the_same_index_gives_the_same_sample(data) -> None:
    first, second = (data.load("", "train")[5] for _ in range(2))
    for name in first.__slots__:
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_digits_show_all_classes_in_every_split() -> None:
    total = 0
    for split in SPLITS:
        data = digits.load("", split)
        total += len(data)
        assert {data[index].label for index in range(len(data))} == set(range(10))
        assert data[0].pixels.shape == (32, 32, 3)
        assert data[0].pixels.dtype == np.uint8
    assert total == 1797


@pytest.mark.parametrize("index", range(20))
def test_boxes_of_scenes_are_the_bounds_of_their_masks(index: int) -> None:
    scene = scenes.load("", "train")[index]
    assert 1 <= len(scene.labels) <= 5
    assert ((scene.labels >= 1) & (scene.labels <= 10)).all()
    for box, mask in zip(scene.boxes, scene.masks, strict=True):
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [
            columns.min(),
            rows.min(),
            columns.max() + 1,
            rows.max() + 1,
        ]


def test_objects_of_a_scene_do_not_overlap() -> None:
    data = scenes.load("", "test")
    for index in range(20):
        assert data[index].masks.sum(axis=0).max() == 1


def test_what_a_mask_covers_differs_from_what_surrounds_it() -> None:
    scene = scenes.load("", "test")[0]
    for box, mask in zip(scene.boxes.astype(int), scene.masks, strict=True):
        area = (slice(box[1], box[3]), slice(box[0], box[2]))
        inside = scene.pixels[area][mask[area]].mean()
        outside = scene.pixels[area][~mask[area]].mean()
        assert abs(inside - outside) > 20


@pytest.mark.parametrize("index", range(16))
def test_the_label_of_a_clip_is_the_way_that_its_digit_goes(index: int) -> None:
    clip = clips.load("", "train")[index]
    frames = clip.frames.astype(int)
    # The digit is where a frame differs from what is there most of the time.
    ground = np.median(frames, axis=0)
    places = [np.argwhere(np.abs(f - ground).sum(axis=2) > 60) for f in (frames[0], frames[-1])]
    moved = places[1].mean(axis=0) - places[0].mean(axis=0)
    way = np.where(np.abs(moved) > clips.STEP * 5, np.sign(moved), 0)
    assert tuple(way.astype(int)) == tuple(clips.DIRECTIONS.values())[clip.label]


def test_an_index_behind_the_end_is_refused() -> None:
    for data in (scenes.load("", "test"), clips.load("", "test")):
        with pytest.raises(IndexError):
            data[len(data)]
