"""CIFAR-10 in a folder: both layouts, and what is refused with the file and the layout."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from suite.data import cifar10, dusk
from suite.data.errors import DataError
from suite.data.sources import sources_in
from tests.suite.picture_files import damage, truncate, write_picture


def tree(root: Path) -> Path:
    """Two classes, ten pictures each for training, two for the test."""
    for split, num_pictures in (("train", 10), ("test", 2)):
        for label in ("cat", "dog"):
            for number in range(num_pictures):
                write_picture(root / split / label / f"{number}.png", seed=number)
    return root


def packed(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The original archive's layout with four pictures a file, its digests known to the check."""
    folder = root / cifar10.PACKED
    folder.mkdir(parents=True)
    digests = {}
    for name in cifar10.DIGESTS:
        rows = {"data": np.zeros((4, 3072), np.uint8), "labels": [0, 1, 2, 9]}
        path = folder / name
        path.write_bytes(
            pickle.dumps({"label_names": list("abcdefghij")} if "meta" in name else rows)
        )
        digests[name] = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(cifar10, "DIGESTS", digests)
    return root


def test_a_tree_is_found_in_the_folder_and_one_below(tmp_path: Path) -> None:
    root = tree(tmp_path / "pictures")
    assert cifar10.find(root) == root
    assert cifar10.find(tmp_path) == root
    assert cifar10.find(tmp_path / "pictures" / "train") is None


def test_text_in_train_and_test_is_no_tree_of_pictures(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split / "pos").mkdir(parents=True)
        (tmp_path / split / "pos" / "0_9.txt").write_text("Fine.", encoding="utf-8")
    assert cifar10.find(tmp_path) is None


def test_a_good_tree_passes_and_serves_pictures(tmp_path: Path) -> None:
    source = sources_in(tree(tmp_path))["image"]
    assert source.name == "cifar10"
    train, validation, test = (
        cifar10.load(source.root, split) for split in ("train", "validation", "test")
    )
    assert (len(train), len(validation), len(test)) == (16, 2, 4)  # two are set aside
    assert list(test.classes) == ["cat", "dog"]
    assert [test[index].label for index in range(4)] == [0, 0, 1, 1]
    assert test[0].pixels.shape == (24, 32, 3)


def test_the_second_task_sees_pictures_that_the_first_has_not_seen(tmp_path: Path) -> None:
    root = str(tree(tmp_path))
    for name in ("cat", "dog"):  # every picture a value of its own
        for number in range(10):
            write_picture(
                tmp_path / "train" / name / f"{number}.png", seed=ord(name[0]) * 10 + number
            )
    first, second = (
        {
            opened(root, split)[i].pixels.tobytes()
            for split in ("train", "validation")
            for i in range(len(opened(root, split)))
        }
        for opened in (cifar10.load, cifar10.aside)
    )
    assert first
    assert second
    assert not first & second


def test_at_dusk_the_same_pictures_are_darker_and_keep_their_labels(tmp_path: Path) -> None:
    root = str(tree(tmp_path))
    day, night = cifar10.aside(root, "test"), dusk.load(root, "test")
    assert [day[i].label for i in range(len(day))] == [night[i].label for i in range(len(night))]
    ratio = night[0].pixels.mean() / day[0].pixels.mean()
    assert 0.6 < ratio < 0.85
    assert night[0].pixels.tobytes() == dusk.load(root, "test")[0].pixels.tobytes()


def missing_test(root: Path) -> None:
    shutil.rmtree(root / "test")


def missing_class(root: Path) -> None:
    shutil.rmtree(root / "test" / "dog")


def foreign_class(root: Path) -> None:
    (root / "test" / "dog").rename(root / "test" / "dogs")


def empty_class(root: Path) -> None:
    for path in (root / "test" / "cat").iterdir():
        path.unlink()


def truncated(root: Path) -> None:
    truncate(root / "train" / "dog" / "3.png")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (missing_test, "test: no such folder; expected cifar-10-batches-py/"),
        (missing_class, "train/dog: this class has no folder in"),
        (foreign_class, "train/dog: this class has no folder in"),
        (empty_class, "test/cat: holds no pictures"),
        (truncated, "train/dog/3.png: this PNG is truncated"),
    ],
)
def test_a_spoilt_tree_is_refused_with_its_file(tmp_path: Path, spoil, says: str) -> None:
    spoil(tree(tmp_path))
    with pytest.raises(DataError) as caught:
        sources_in(tmp_path)
    assert says in str(caught.value)


def test_a_picture_that_does_not_decode_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = tree(tmp_path) / "test" / "cat" / "0.png"
    write_picture(path.with_suffix(".jpg")).replace(path)
    damage(path)
    cifar10.check(tmp_path)
    with pytest.raises(DataError, match=r"0\.png: does not decode"):
        cifar10.load(str(tmp_path), "test")[0]


def test_the_original_archive_is_found_also_when_it_is_named_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = packed(tmp_path, monkeypatch)
    assert cifar10.find(root) == cifar10.find(root / cifar10.PACKED) == root
    cifar10.check(root)


def test_an_altered_pickle_is_refused_before_anything_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = packed(tmp_path, monkeypatch)
    file = truncate(root / cifar10.PACKED / "data_batch_3")
    with pytest.raises(DataError, match="data_batch_3: truncated or altered"):
        cifar10.check(root)
    file.unlink()
    with pytest.raises(DataError, match="data_batch_3: no such file"):
        cifar10.check(root)


@pytest.mark.heavy
def test_the_digests_are_those_that_torchvision_checks() -> None:
    from torchvision import datasets

    theirs = dict([*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list])
    theirs[datasets.CIFAR10.meta["filename"]] = datasets.CIFAR10.meta["md5"]
    assert theirs == cifar10.DIGESTS


@pytest.mark.heavy
def test_the_original_archive_is_read_by_torchvision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    root = packed(tmp_path, monkeypatch)
    digests = cifar10.DIGESTS
    ours = datasets.CIFAR10
    monkeypatch.setattr(ours, "train_list", [[n, digests[n]] for n, _ in ours.train_list])
    monkeypatch.setattr(ours, "test_list", [[n, digests[n]] for n, _ in ours.test_list])
    monkeypatch.setattr(ours, "meta", {**ours.meta, "md5": digests["batches.meta"]})
    test = cifar10.load(str(root), "test")
    assert [test[index].label for index in range(len(test))] == [0, 1, 2, 9]
    assert test[0].pixels.shape == (32, 32, 3)
    assert len(cifar10.load(str(root), "train")) == 16
