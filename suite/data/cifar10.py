"""Folder data set `cifar10`: CIFAR-10 in its original archive, or any pictures in train/<class>/ and test/<class>/."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from suite.data.errors import DataError
from suite.data.pictures import check_picture, decode, first, is_picture
from suite.data.samples import Image
from suite.data.splits import TEST_SPLIT, TRAIN_SPLIT, must_be_split, part_beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suite.data.samples import Dataset

PACKED: Final = "cifar-10-batches-py"

DIGESTS: Final = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}
"""MD5 of the archive's files, as in torchvision. They are pickles, so no other bytes may be opened."""

LAYOUT: Final = (
    "expected cifar-10-batches-py/ with the seven files of the original archive, or train/<class>/*.jpg"
    " and test/<class>/*.jpg with the same classes"
)


def find(folder: Path) -> Path | None:
    """Return the folder that holds `cifar-10-batches-py`, or `train` with a folder of pictures, or None."""
    if folder.name == PACKED:
        return folder.parent
    return first(folder, lambda place: (place / PACKED).is_dir() or _has_tree(place))


def check(root: Path) -> None:
    """Raise DataError if a file is missing or truncated, or the training and test classes differ."""
    if (root / PACKED).is_dir():
        _check_packed(root / PACKED)
        return
    classes = {}
    for name in (TRAIN_SPLIT, TEST_SPLIT):
        if not (root / name).is_dir():
            raise DataError(f"{root / name}: no such folder; {LAYOUT}")
        classes[name] = _classes(root / name)
        for label in classes[name]:
            pictures = _pictures(root / name / label)
            if not pictures:
                raise DataError(f"{root / name / label}: holds no pictures (.jpg, .png); {LAYOUT}")
            for path in pictures:
                check_picture(path)
    for name, other in ((TRAIN_SPLIT, TEST_SPLIT), (TEST_SPLIT, TRAIN_SPLIT)):
        if alone := sorted(set(classes[name]) - set(classes[other])):
            raise DataError(
                f"{root / name / alone[0]}: this class has no folder in {root / other}; {LAYOUT}"
            )


def load(root: str, split: str) -> Dataset[Image]:
    """Return the pictures of a split; validation is a seeded tenth of the training pictures, and some are set aside.

    Raise ValueError for an unknown split.
    """
    return _opened(root, split, is_aside=False)


def aside(root: str, split: str) -> Dataset[Image]:
    """Return a split of the training pictures that `load` sets aside; the test pictures are the same."""
    return _opened(root, split, is_aside=True)


def _opened(root: str, split: str, *, is_aside: bool) -> Dataset[Image]:
    must_be_split(split)
    if (Path(root) / PACKED).is_dir():
        return Packed(root, split, is_aside=is_aside)
    return Tree(Path(root), split, is_aside=is_aside)


class Tree:
    """Pictures in one folder per class."""

    keeps_label_when_mirrored = True

    def __init__(self, root: Path, split: str, *, is_aside: bool = False) -> None:
        folder = root / (TEST_SPLIT if split == TEST_SPLIT else TRAIN_SPLIT)
        self.classes: Sequence[str] = _classes(folder)
        files = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in _pictures(folder / name)
        ]
        self._files = [files[i] for i in _indices(len(files), split, is_aside=is_aside)]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int, /) -> Image:
        path, label = self._files[index]
        return Image(pixels=decode(path), label=label)


class Packed:
    """The original archive, read by torchvision, which compares the digests before it opens a file."""

    keeps_label_when_mirrored = True

    def __init__(self, root: str, split: str, *, is_aside: bool = False) -> None:
        self._data = _packed(root, split != TEST_SPLIT)
        self.classes: Sequence[str] = tuple(self._data.classes)
        self._indices = _indices(len(self._data), split, is_aside=is_aside)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int, /) -> Image:
        number = self._indices[index]
        return Image(pixels=self._data.data[number], label=int(self._data.targets[number]))


@lru_cache(maxsize=2)
def _packed(root: str, is_training: bool) -> Any:
    """Return torchvision's CIFAR10, opened once for training and validation; it verifies the digests."""
    from torchvision.datasets import CIFAR10

    return CIFAR10(root, train=is_training, download=False)


def _indices(num_samples: int, split: str, *, is_aside: bool) -> list[int]:
    """Return all indices for the test folder, else those of the split in the training folder or its set-aside share."""
    if split == TEST_SPLIT:
        return list(range(num_samples))
    return part_beside(num_samples, split, is_aside=is_aside)


def _has_tree(place: Path) -> bool:
    train = place / TRAIN_SPLIT
    return train.is_dir() and any(_pictures(train / name) for name in _classes(train))


def _classes(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_picture(path))


def _check_packed(folder: Path) -> None:
    for name, digest in DIGESTS.items():
        path = folder / name
        if not path.is_file():
            raise DataError(f"{path}: no such file; {LAYOUT}")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
        if found != digest:
            raise DataError(
                f"{path}: truncated or altered (MD5 {found}, expected {digest}); unpack the archive again"
            )
