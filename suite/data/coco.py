"""Folder data set `coco`: COCO 2017 instances with boxes and masks."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from suite.data.coco_check import check_annotations
from suite.data.errors import DataError
from suite.data.pictures import decode, first
from suite.data.samples import Scene
from suite.data.splits import TEST_SPLIT, TRAIN_SPLIT, must_be_split, part_beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

FOLDERS: Final = {TRAIN_SPLIT: "train2017", TEST_SPLIT: "val2017"}
"""Split -> COCO's folder; `val` is the test split because COCO's test annotations are not public."""

LAYOUT: Final = (
    "expected train2017/*.jpg, val2017/*.jpg, annotations/instances_train2017.json and"
    " annotations/instances_val2017.json"
)


def find(folder: Path) -> Path | None:
    """Return the folder that holds `train2017`, `val2017` or COCO's annotations; None if there is none."""
    return first(folder, _has_layout)


def check(root: Path) -> None:
    """Raise DataError for anything missing, truncated or mislabelled in either part."""
    categories = {}
    for name in FOLDERS.values():
        if not (root / name).is_dir():
            raise DataError(f"{root / name}: no such folder; {LAYOUT}")
        file = annotations_file(root, name)
        data = read_annotations(file)
        check_annotations(data, file, root / name)
        categories[name] = {row["id"]: row["name"] for row in data["categories"]}
    if categories["train2017"] != categories["val2017"]:
        raise DataError(
            f"{annotations_file(root, 'val2017')}: its categories differ from those of the training part;"
            " both files must come from the same release"
        )


def load(root: str, split: str) -> Coco:
    """Return the pictures of a split; validation is a seeded tenth of the training pictures, and some are set aside.

    Raise ValueError for an unknown split.
    """
    must_be_split(split)
    return Coco(Path(root), split)


def aside(root: str, split: str) -> Coco:
    """Return a split of the training pictures that `load` sets aside; the test pictures are the same."""
    must_be_split(split)
    return Coco(Path(root), split, is_aside=True)


class Coco:
    """One split; label 0 is background, 1 to 80 are COCO's categories ordered by id."""

    keeps_label_when_mirrored = True

    def __init__(self, root: Path, split: str, *, is_aside: bool = False) -> None:
        folder = FOLDERS[TEST_SPLIT if split == TEST_SPLIT else TRAIN_SPLIT]
        self._file = annotations_file(root, folder)
        data = read_annotations(self._file)
        categories = sorted(data["categories"], key=lambda row: int(row["id"]))
        self.classes: Sequence[str] = ("background", *(row["name"] for row in categories))
        self._labels = {row["id"]: number for number, row in enumerate(categories, start=1)}
        self._folder = root / folder
        self._objects: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in data["annotations"]:
            # A crowd is not a single object; a few original boxes have no area.
            if not row.get("iscrowd") and min(row["bbox"][2:]) > 0:
                self._objects[row["image_id"]].append(row)
        images = sorted(data["images"], key=lambda row: int(row["id"]))
        chosen = (
            range(len(images))
            if split == TEST_SPLIT
            else part_beside(len(images), split, is_aside=is_aside)
        )
        self._images = [images[i] for i in chosen]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int, /) -> Scene:
        import numpy as np

        image = self._images[index]
        path = self._folder / image["file_name"]
        pixels = decode(path)
        height, width = pixels.shape[:2]
        if (height, width) != (image["height"], image["width"]):
            raise DataError(
                f"{path}: is {width}x{height}, but its annotation says"
                f" {image['width']}x{image['height']}; the picture or the annotation is another's"
            )
        rows = self._objects[image["id"]]
        corners = np.array([row["bbox"] for row in rows], dtype=np.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        # Annotations overshoot the picture because of rounding.
        boxes = corners.clip(0, np.array([width, height, width, height], dtype=np.float32))
        masks = np.empty((len(rows), height, width), dtype=np.bool_)
        for mask, row in zip(masks, rows, strict=True):
            mask[:] = self._mask(row, height, width)
        return Scene(
            pixels=pixels,
            boxes=boxes,
            labels=np.array([self._labels[row["category_id"]] for row in rows], dtype=np.int64),
            masks=masks,
        )

    def _mask(self, row: dict[str, Any], height: int, width: int) -> NDArray[np.bool_]:
        from suite.data.coco_masks import mask

        try:
            return mask(row["segmentation"], height, width)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{self._file}: the segmentation of annotation {row['id']} does not decode ({error})"
            ) from error


def annotations_file(root: Path, folder: str) -> Path:
    """Return the path of the annotations of `train2017` or `val2017`."""
    return root / "annotations" / f"instances_{folder}.json"


def read_annotations(file: Path) -> dict[str, Any]:
    """Return the file's content; raise DataError if it is missing, invalid JSON or not in COCO's format."""
    try:
        data = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); {LAYOUT}") from error
    except ValueError as error:
        raise DataError(
            f"{file}: no valid JSON, perhaps truncated ({error}); copy or download it again"
        ) from error
    wanted = ("images", "annotations", "categories")
    if not isinstance(data, dict) or not all(isinstance(data.get(key), list) for key in wanted):
        raise DataError(f"{file}: expected an object with the lists {', '.join(wanted)}; {LAYOUT}")
    return data


def _has_layout(place: Path) -> bool:
    return any(
        (place / name).is_dir() or annotations_file(place, name).is_file()
        for name in FOLDERS.values()
    )
