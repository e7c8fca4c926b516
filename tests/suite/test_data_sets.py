"""What every data set keeps to: three splits without overlap, the same samples every time, an end."""

from __future__ import annotations

import csv
import hashlib
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.data import coco
from suite.data.sources import NUM_CLASSES
from suite.data.splits import SPLITS
from tests.suite.picture_files import write_picture

SEEN = 48
"""Samples of a split that are looked at; the pictures of all would take a while."""


def write_cifar10(folder: Path) -> Path:
    """Two classes, 60 pictures each for training, 20 for the test."""
    for split, first, last in (("train", 0, 60), ("test", 60, 80)):
        for shift, label in ((0, "cat"), (100, "dog")):
            for number in range(first, last):
                write_picture(folder / split / label / f"{number}.png", seed=number + shift)
    return folder


def write_coco(folder: Path) -> Path:
    """120 pictures for training and 20 for the test, each with one object."""
    for name, first, last in (("train2017", 0, 120), ("val2017", 120, 140)):
        numbers = range(first, last)
        for number in numbers:
            write_picture(folder / name / f"{number}.jpg", seed=number)
        file = coco.annotations_file(folder, name)
        file.parent.mkdir(exist_ok=True)
        rows: dict[str, Any] = {
            "images": [
                {"id": n, "file_name": f"{n}.jpg", "height": 24, "width": 32} for n in numbers
            ],
            "categories": [{"id": 1, "name": "person"}],
            "annotations": [
                {
                    "id": n,
                    "image_id": n,
                    "category_id": 1,
                    "bbox": [1, 1, 5, 5],
                    "segmentation": [[1, 1, 6, 1, 6, 6, 1, 6]],
                }
                for n in numbers
            ],
        }
        file.write_text(json.dumps(rows), encoding="utf-8")
    return folder


def write_imdb(folder: Path) -> Path:
    """100 reviews in a table."""
    file = folder / "imdb.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = [(f"Review {number} of a film.", number % 2) for number in range(100)]
        csv.writer(stream).writerows([("text", "label"), *rows])
    return file


FOLDERS = {
    "cifar10": write_cifar10,
    "dusk": write_cifar10,
    "coco": write_coco,
    "dusk_scenes": write_coco,
    "imdb": write_imdb,
    "endings": write_imdb,
}


@pytest.fixture(params=[*NUM_CLASSES, *FOLDERS])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Split -> the data set of that split, newly loaded."""
    name = request.param
    root = str(FOLDERS[name](tmp_path)) if name in FOLDERS else ""
    return lambda split: import_module(f"suite.data.{name}").load(root, split)


def digest(sample: Any) -> str:
    """Tells samples apart by all that they hold."""
    values = (getattr(sample, name) for name in sample.__slots__)
    raw = [v.tobytes() if isinstance(v, np.ndarray) else str(v).encode() for v in values]
    return hashlib.sha256(b"\0".join(raw)).hexdigest()


def digests(samples: Any) -> list[str]:
    """Those of the first samples."""
    return [digest(samples[index]) for index in range(min(SEEN, len(samples)))]


def test_no_sample_is_in_two_splits(data) -> None:
    parts = [set(digests(data(split))) for split in SPLITS]
    assert all(parts)
    assert len(set.union(*parts)) == sum(map(len, parts))


def test_validation_is_about_a_tenth_of_what_is_not_test(data) -> None:
    num_train, num_validation, num_test = (len(data(split)) for split in SPLITS)
    assert 0.05 <= num_validation / (num_train + num_validation) <= 0.2
    assert num_test > num_train / 20


def test_the_same_index_gives_the_same_sample(data) -> None:
    assert digests(data("validation")) == digests(data("validation"))


def test_labels_name_classes_and_every_class_occurs(data) -> None:
    samples = data("train")
    rows = [samples[index] for index in range(min(400, len(samples)))]
    if not samples.classes:
        assert all(row.transcript for row in rows)
        return
    if hasattr(rows[0], "label"):
        assert {row.label for row in rows} == set(range(len(samples.classes)))
    else:
        assert samples.classes[0] == "background"
        seen = {int(label) for row in rows for label in row.labels}
        assert seen == set(range(1, len(samples.classes)))


def test_an_index_behind_the_end_is_refused(data) -> None:
    samples = data("test")
    assert samples[len(samples) - 1]
    with pytest.raises(IndexError):
        samples[len(samples)]


def test_an_unknown_split_names_the_known_ones(data) -> None:
    with pytest.raises(ValueError, match="'dev'; expected one of train, validation, test"):
        data("dev")
