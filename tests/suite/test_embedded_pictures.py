"""The embedded pictures: digits, scenes with exact boxes and masks, clips of what moves, and the twin of each."""

from __future__ import annotations

import numpy as np
import pytest

from suite.data import clips, digits, dusk_clips, patches, scenes, shapes
from suite.data.backdrops import brush, paint
from suite.data.splits import SPLITS

SCENES = pytest.mark.parametrize("data", [scenes, shapes], ids=["scenes", "shapes"])


def test_paint_covers_fully_where_ink_is_full_and_not_at_all_where_there_is_none() -> None:
    pixels = np.full((4, 6, 3), 100, dtype=np.uint8)
    ink = np.array([[0, 51, 255]], dtype=np.uint8)
    paint(pixels, brush(ink, np.array([0, 200, 255], dtype=np.uint16)), 1, 2)
    assert pixels[1, 2:5].tolist() == [[100, 100, 100], [80, 120, 131], [0, 200, 255]]
    pixels[1, 2:5] = 100
    assert (pixels == 100).all()


@pytest.mark.parametrize("pictures", [digits, patches], ids=["digits", "patches"])
def test_digits_show_all_classes_in_every_split(pictures) -> None:
    total = 0
    for split in SPLITS:
        data = pictures.load("", split)
        total += len(data)
        assert {data[index].label for index in range(len(data))} == set(range(10))
        assert data[0].pixels.shape == (32, 32, 3)
        assert data[0].pixels.dtype == np.uint8
    assert total == 1797


def test_patches_show_the_same_digits_on_photographs() -> None:
    plain, patched = (data.load("", "test") for data in (digits, patches))
    assert [plain[i].label for i in range(50)] == [patched[i].label for i in range(50)]
    inside, outside = [], []
    for index in range(50):
        ink, pixels = plain[index].pixels, patched[index].pixels
        inside.append(pixels[ink > 200].mean())
        outside.append(pixels[ink == 0].mean())
        assert pixels.std() > 10
    # The digit lies about where it lay, brighter than what is around it.
    assert np.mean(inside) > np.mean(outside) + 40


@SCENES
@pytest.mark.parametrize("index", range(20))
def test_boxes_of_scenes_are_the_bounds_of_their_masks(index: int, data) -> None:
    split = data.load("", "train")
    scene = split[index]
    assert 1 <= len(scene.labels) <= 5
    assert ((scene.labels >= 1) & (scene.labels < len(split.classes))).all()
    assert scene.masks.shape == (len(scene.labels), *scene.pixels.shape[:2])
    for box, mask in zip(scene.boxes, scene.masks, strict=True):
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [
            columns.min(),
            rows.min(),
            columns.max() + 1,
            rows.max() + 1,
        ]


@SCENES
def test_objects_of_a_scene_do_not_overlap(data) -> None:
    split = data.load("", "test")
    for index in range(20):
        assert split[index].masks.sum(axis=0).max() == 1


@SCENES
def test_what_a_mask_covers_differs_from_what_surrounds_it(data) -> None:
    scene = data.load("", "test")[0]
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


def test_every_shape_occurs_in_every_split() -> None:
    for split in SPLITS:
        data = shapes.load("", split)
        seen = {int(label) for index in range(30) for label in data[index].labels}
        assert seen == {1, 2, 3}


@pytest.mark.parametrize("angle", np.linspace(0, 6, 7))
@pytest.mark.parametrize(
    ("name", "share_of_circle"),
    [("disc", 1.0), ("square", 2 / np.pi), ("triangle", 3 * np.sqrt(3) / 4 / np.pi)],
)
def test_a_silhouette_has_the_area_of_its_shape(
    name: str, share_of_circle: float, angle: float
) -> None:
    inside = shapes.silhouette(name, 100, share=0.9, angle=angle)
    assert inside.sum() == pytest.approx(share_of_circle * np.pi * 45**2, rel=0.03)
    assert not inside[0].any()


@pytest.mark.parametrize("split", SPLITS)
def test_clips_at_dusk_are_other_clips_of_the_same_directions_and_darker(split: str) -> None:
    day, night = clips.load("", split), dusk_clips.load("", split)
    assert len(night) == len(day)
    assert night.classes == day.classes
    for index in range(8):
        assert night[index].label == day[index].label
        bright = clips.Clips(split, dusk_clips.SERIES)[index].frames.astype(int)
        dark = night[index].frames.astype(int)
        assert dark.mean() < 0.8 * bright.mean()
        assert np.abs(bright - day[index].frames.astype(int)).mean() > 5
        assert (dusk_clips.load("", split)[index].frames == dark).all()
