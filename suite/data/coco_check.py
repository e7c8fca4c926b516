"""What can be wrong with a COCO annotation file and its pictures, found with the standard library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from suite.data.errors import DataError
from suite.data.pictures import check_picture

SLACK: Final = 1.0
"""Pixels by which a box may overshoot its picture: annotations were drawn on rescaled pictures and rounded."""


def check_annotations(data: Mapping[str, Any], file: Path, folder: Path) -> None:
    """Raises DataError for a picture that is missing or truncated, an unknown id, a box outside its picture, or
    a segmentation of unknown form.
    """
    if not data["images"]:
        raise DataError(f"{file}: lists no images; expected one entry per picture in {folder}")
    _require(data["categories"], ("id", "name"), f"{file}: category")
    _require(data["images"], ("id", "file_name", "height", "width"), f"{file}: image")
    _require(
        data["annotations"],
        ("id", "image_id", "category_id", "bbox", "segmentation"),
        f"{file}: annotation",
    )
    categories = {row["id"] for row in data["categories"]}
    images = {row["id"]: row for row in data["images"]}
    for image in data["images"]:
        path = folder / str(image["file_name"])
        if not path.is_file():
            raise DataError(f"{path}: no such picture, but {file} lists it (image {image['id']})")
        check_picture(path)
    for row in data["annotations"]:
        where = f"{file}: annotation {row['id']}"
        if row["image_id"] not in images:
            raise DataError(f"{where}: image_id {row['image_id']} is not among the file's images")
        if row["category_id"] not in categories:
            raise DataError(
                f"{where}: category_id {row['category_id']} is unknown; expected one of the file's"
                f" {len(categories)} categories"
            )
        _check_box(row["bbox"], images[row["image_id"]], where)
        _check_segmentation(row["segmentation"], where)


def _require(rows: list[Any], keys: tuple[str, ...], what: str) -> None:
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or any(key not in row for key in keys):
            missing = [key for key in keys if not isinstance(row, dict) or key not in row]
            raise DataError(f"{what} number {number}: lacks {', '.join(missing)}")


def _check_box(box: Any, image: Mapping[str, Any], where: str) -> None:
    if not (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(value, int | float) and value == value for value in box)
    ):
        raise DataError(f"{where}: bbox is {box!r}; expected [x, y, width, height] in pixels")
    x, y, width, height = box
    if (
        width < 0
        or height < 0
        or min(x, y) < -SLACK
        or x + width > image["width"] + SLACK
        or y + height > image["height"] + SLACK
    ):
        raise DataError(
            f"{where}: bbox {box} lies outside its picture {image['file_name']}"
            f" ({image['width']}x{image['height']}); expected [x, y, width, height] in pixels"
        )


def _check_segmentation(segmentation: Any, where: str) -> None:
    if isinstance(segmentation, dict) and {"counts", "size"} <= segmentation.keys():
        return
    if isinstance(segmentation, list) and all(
        isinstance(polygon, list) and len(polygon) >= 4 and len(polygon) % 2 == 0
        for polygon in segmentation
    ):
        return
    raise DataError(
        f"{where}: segmentation is neither a list of polygons [x1, y1, x2, y2, ...] nor"
        " run lengths {counts, size}"
    )
