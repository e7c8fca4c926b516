"""COCO in a folder: boxes, masks and labels as they are served, and what is refused with the file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.data import coco
from suite.data.errors import DataError
from suite.data.sources import sources_in
from tests.suite.picture_files import damage, truncate, write_picture

HEIGHT, WIDTH = 24, 32

GOOD: dict[str, Any] = {
    "images": [
        {"id": 7, "file_name": "7.jpg", "height": HEIGHT, "width": WIDTH},
        {"id": 9, "file_name": "9.jpg", "height": HEIGHT, "width": WIDTH},
    ],
    "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}],
    "annotations": [
        {
            "id": 100,
            "image_id": 7,
            "category_id": 90,
            "bbox": [4, 2, 10, 6],
            "segmentation": [[4, 2, 13, 2, 13, 7, 4, 7]],
            "iscrowd": 0,
        },
        {
            "id": 101,
            "image_id": 7,
            "category_id": 1,
            "bbox": [0, 0, 32, 24],
            "segmentation": {"counts": [0, HEIGHT * WIDTH], "size": [HEIGHT, WIDTH]},
            "iscrowd": 1,
        },
        {
            "id": 102,
            "image_id": 7,
            "category_id": 1,
            "bbox": [20.0, 20.0, 12.6, 4.3],
            "segmentation": {"counts": [20 * 24 + 20, 4], "size": [HEIGHT, WIDTH]},
            "iscrowd": 0,
        },
    ],
}


def written(root: Path, spoil: Callable[[dict[str, Any]], Any] | None = None) -> Path:
    """Both parts; `spoil` changes the annotations of the second."""
    for folder in coco.FOLDERS.values():
        data = copy.deepcopy(GOOD)
        if spoil and folder == "val2017":
            spoil(data)
        for name in ("7.jpg", "9.jpg"):
            write_picture(root / folder / name, height=HEIGHT, width=WIDTH)
        file = coco.annotations_file(root, folder)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(data), encoding="utf-8")
    return root


def refusal(root: Path) -> str:
    """What the parent says about the folder."""
    with pytest.raises(DataError) as caught:
        sources_in(root)
    return str(caught.value)


def test_the_folder_is_found_in_it_and_one_below(tmp_path: Path) -> None:
    root = written(tmp_path / "coco")
    assert coco.find(root) == coco.find(tmp_path) == root
    assert coco.find(root / "train2017") is None


def test_a_scene_holds_objects_with_contiguous_labels_and_no_crowd(tmp_path: Path) -> None:
    source = sources_in(written(tmp_path))["scene"]
    data = coco.load(source.root, "test")
    scene = data[0]
    assert list(data.classes) == ["background", "person", "toothbrush"]
    assert scene.labels.tolist() == [2, 1]
    assert scene.pixels.shape == (HEIGHT, WIDTH, 3)
    assert scene.masks.shape == (2, HEIGHT, WIDTH)


def test_boxes_are_corners_cut_at_the_border(tmp_path: Path) -> None:
    scene = coco.load(str(written(tmp_path)), "test")[0]
    assert scene.boxes[0].tolist() == [4, 2, 14, 8]
    assert scene.boxes[1].tolist() == [20, 20, 32, 24]


def test_masks_lie_in_their_boxes(tmp_path: Path) -> None:
    scene = coco.load(str(written(tmp_path)), "test")[0]
    assert np.argwhere(scene.masks[0]).min(axis=0).tolist() == [2, 4]
    assert np.argwhere(scene.masks[0]).max(axis=0).tolist() == [7, 13]
    assert scene.masks[0].sum() == 60
    assert np.argwhere(scene.masks[1]).tolist() == [[20, 20], [21, 20], [22, 20], [23, 20]]


def test_a_picture_without_objects_is_served_with_empty_arrays(tmp_path: Path) -> None:
    scene = coco.load(str(written(tmp_path)), "test")[1]
    assert scene.boxes.shape == (0, 4)
    assert scene.masks.shape == (0, HEIGHT, WIDTH)


def test_a_model_with_fewer_outputs_sees_the_categories_with_the_lowest_ids(tmp_path: Path) -> None:
    data = coco.load(str(written(tmp_path)), "test")
    assert [data.classes[label] for label in data[0].labels if label < 2] == ["person"]


def test_validation_comes_from_the_training_part(tmp_path: Path) -> None:
    root = str(written(tmp_path))
    assert len(coco.load(root, "train")) + len(coco.load(root, "validation")) == 2


def set_box(*box: float) -> Callable[[dict[str, Any]], None]:
    return lambda data: data["annotations"][0].update(bbox=list(box))


def set_field(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data["annotations"][0].update(fields)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            set_box(30, 2, 10, 6),
            "annotation 100: bbox [30, 2, 10, 6] lies outside its picture 7.jpg",
        ),
        (set_box(4, 2, -1, 6), "annotation 100: bbox [4, 2, -1, 6] lies outside"),
        (set_box(4, 2, 10), "expected [x, y, width, height]"),
        (set_box(4, 2, float("nan"), 6), "expected [x, y, width, height]"),
        (set_box(4, 2, float("inf"), 6), "annotation 100: bbox [4, 2, inf, 6] lies outside"),
        (set_field(bbox="4,2,10,6"), "bbox is '4,2,10,6'; expected a list"),
        (set_field(category_id="90"), "category_id is '90'; expected a whole number"),
        (set_field(category_id=None), "category_id is None; expected a whole number"),
        (
            set_field(segmentation=[[1, 2, float("nan"), 4]]),
            "annotation 100: segmentation is neither",
        ),
        (set_field(segmentation=[[1, 2, "3", 4]]), "annotation 100: segmentation is neither"),
        (
            set_field(segmentation={"counts": [4], "size": [WIDTH, HEIGHT]}),
            "run lengths are for a picture of size [32, 24]; expected [24, 32]",
        ),
        (lambda data: data["images"].append(data["images"][0]), "images: the id 7 occurs twice"),
        (
            lambda data: data["categories"].append({"id": 1, "name": "man"}),
            "categories: the id 1 occurs twice",
        ),
        (lambda data: data["images"][0].update(height="24"), "height is '24'; expected a whole"),
        (lambda data: data["annotations"].append(7), "annotation number 3: is 7"),
        (set_field(category_id=3), "annotation 100: category_id 3 is unknown"),
        (set_field(image_id=8), "annotation 100: image_id 8 is not among"),
        (set_field(segmentation="x"), "annotation 100: segmentation is neither"),
        (set_field(segmentation=[[1, 2, 3]]), "annotation 100: segmentation is neither"),
        (lambda data: data["annotations"][0].pop("bbox"), "annotation number 0: lacks bbox"),
        (lambda data: data["images"].clear(), "lists no images"),
        (lambda data: data.pop("categories"), "expected an object with the lists images"),
        (lambda data: data["categories"][0].update(name="brush"), "its categories differ"),
        (lambda data: data["images"][0].update(file_name="8.jpg"), "8.jpg: no such picture"),
    ],
)
def test_spoilt_annotations_are_refused_with_what_is_wrong(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], Any], says: str
) -> None:
    assert says in refusal(written(tmp_path, spoil))


def test_a_truncated_annotation_file_is_named(tmp_path: Path) -> None:
    truncate(coco.annotations_file(written(tmp_path), "val2017"))
    assert "instances_val2017.json: no valid JSON, perhaps truncated" in refusal(tmp_path)


def test_missing_annotations_are_named_with_the_layout(tmp_path: Path) -> None:
    coco.annotations_file(written(tmp_path), "train2017").unlink()
    assert "instances_train2017.json: cannot be read" in refusal(tmp_path)
    assert "expected train2017/*.jpg" in refusal(tmp_path)


def test_a_truncated_picture_is_named(tmp_path: Path) -> None:
    truncate(written(tmp_path) / "train2017" / "9.jpg")
    assert "9.jpg: this JPEG is truncated" in refusal(tmp_path)


def test_a_picture_that_does_not_decode_is_named_when_it_is_read(tmp_path: Path) -> None:
    damage(written(tmp_path) / "val2017" / "7.jpg")
    with pytest.raises(DataError, match=r"7\.jpg: does not decode"):
        coco.load(str(tmp_path), "test")[0]


def test_a_picture_of_another_size_than_annotated_is_named(tmp_path: Path) -> None:
    write_picture(written(tmp_path) / "val2017" / "7.jpg", height=30, width=20)
    with pytest.raises(DataError, match=r"7\.jpg: is 20x30, but its annotation says 32x24"):
        coco.load(str(tmp_path), "test")[0]


def test_run_lengths_beyond_the_picture_are_named_with_their_annotation(tmp_path: Path) -> None:
    spoil = set_field(segmentation={"counts": [0, HEIGHT * WIDTH + 1], "size": [HEIGHT, WIDTH]})
    with pytest.raises(DataError, match="segmentation of annotation 100 does not decode"):
        coco.load(str(written(tmp_path, spoil)), "test")[0]
