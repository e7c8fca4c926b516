"""Validation of a COCO annotation file and its pictures with the standard library."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from suite.data.errors import DataError
from suite.data.pictures import check_picture

SLACK: Final = 1.0
"""Pixels by which a box may overshoot its picture: annotations were drawn on rescaled pictures and rounded."""

KINDS: Final = {int: "a whole number", str: "a text", list: "a list", object: "anything"}
"""Expected type -> its name in error messages."""


def check_annotations(data: Mapping[str, Any], file: Path, folder: Path) -> None:
    """Raise DataError for an inconsistent annotation file.

    That is a missing or truncated picture, an unknown id, a box outside its picture, or an unknown segmentation form.
    """
    if not data["images"]:
        raise DataError(f"{file}: lists no images; expected one entry per picture in {folder}")
    _require(data["categories"], {"id": int, "name": str}, f"{file}: category")
    _require(
        data["images"],
        {"id": int, "file_name": str, "height": int, "width": int},
        f"{file}: image",
    )
    _require(
        data["annotations"],
        {"id": int, "image_id": int, "category_id": int, "bbox": list, "segmentation": object},
        f"{file}: annotation",
    )
    for key in ("categories", "images"):
        _must_differ([row["id"] for row in data[key]], f"{file}: {key}")
    categories = {row["id"] for row in data["categories"]}
    images = {row["id"]: row for row in data["images"]}
    for image in data["images"]:
        path = folder / str(image["file_name"])
        if not path.is_file():
            raise DataError(
                f"{path}: no such picture, but {file} lists it (image {image['id']}); add it"
            )
        check_picture(path)
    for row in data["annotations"]:
        where = f"{file}: annotation {row['id']}"
        if row["image_id"] not in images:
            raise DataError(
                f"{where}: image_id {row['image_id']} is not among the file's images; correct or remove it"
            )
        if row["category_id"] not in categories:
            raise DataError(
                f"{where}: category_id {row['category_id']} is unknown; expected one of the file's"
                f" {len(categories)} categories; correct or remove the annotation"
            )
        _check_box(row["bbox"], images[row["image_id"]], where)
        _check_segmentation(row["segmentation"], images[row["image_id"]], where)


def _require(rows: list[Any], wanted: Mapping[str, type], what: str) -> None:
    for number, row in enumerate(rows):
        where = f"{what} number {number}"
        if not isinstance(row, dict):
            raise DataError(f"{where}: is {row!r}; expected an object with {', '.join(wanted)}")
        if missing := [key for key in wanted if key not in row]:
            raise DataError(f"{where}: lacks {', '.join(missing)}; copy or download the file again")
        for key, kind in wanted.items():
            if not isinstance(row[key], kind):
                raise DataError(
                    f"{where}: {key} is {row[key]!r}; expected {KINDS[kind]}, as COCO writes it"
                )


def _must_differ(ids: list[int], what: str) -> None:
    twice, count = Counter(ids).most_common(1)[0] if ids else (0, 1)
    if count > 1:
        raise DataError(
            f"{what}: the id {twice} occurs twice; expected an id of its own for each; copy or download the"
            " file again"
        )


def _check_box(box: Any, image: Mapping[str, Any], where: str) -> None:
    if not (
        len(box) == 4 and all(isinstance(value, int | float) and value == value for value in box)
    ):
        raise DataError(
            f"{where}: bbox is {box!r}; expected [x, y, width, height] in pixels; correct or remove the annotation"
        )
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
            f" ({image['width']}x{image['height']}); expected [x, y, width, height] in pixels;"
            " correct or remove the annotation"
        )


def _check_segmentation(segmentation: Any, image: Mapping[str, Any], where: str) -> None:
    if isinstance(segmentation, dict) and {"counts", "size"} <= segmentation.keys():
        if segmentation["size"] != [image["height"], image["width"]]:
            raise DataError(
                f"{where}: its run lengths are for a picture of size {segmentation['size']}; expected"
                f" [{image['height']}, {image['width']}], the height and width of {image['file_name']}"
            )
        return
    if isinstance(segmentation, list) and all(_is_polygon(ring) for ring in segmentation):
        return
    raise DataError(
        f"{where}: segmentation is neither a list of polygons [x1, y1, x2, y2, ...] nor"
        " run lengths {counts, size}; correct or remove the annotation"
    )


def _is_polygon(ring: Any) -> bool:
    """Return whether `ring` has two or more points and finite coordinates."""
    if not isinstance(ring, list) or len(ring) < 4 or len(ring) % 2:
        return False
    try:
        return math.isfinite(sum(ring))
    except TypeError:
        return False
