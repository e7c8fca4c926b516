"""Picture files: truncated and foreign ones are found from their ends, undecodable ones when they are opened."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from suite.data.errors import DataError
from suite.data.pictures import check_picture, decode
from tests.suite.picture_files import damage, truncate, write_picture


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_whole_picture_passes_and_decodes_to_rgb(tmp_path: Path, name: str) -> None:
    path = write_picture(tmp_path / name, height=10, width=20)
    check_picture(path)
    assert decode(path).shape == (10, 20, 3)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_truncated_picture_is_named(tmp_path: Path, name: str) -> None:
    path = truncate(write_picture(tmp_path / name, height=100, width=100))
    with pytest.raises(DataError, match=f"{name}: this (JPEG|PNG) is truncated"):
        check_picture(path)


def test_a_picture_with_a_little_behind_its_end_marker_passes(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes() + bytes(64))
    check_picture(path)


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "is empty"), (b"<html>404</html>", "begins with 3c 68")]
)
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        check_picture(path)


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read"):
        check_picture(tmp_path / "gone.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_whatever_is_altered_in_a_picture_it_decodes_or_is_named(tmp_path: Path, name: str) -> None:
    path = write_picture(tmp_path / name)
    whole = path.read_bytes()
    refused = []
    for seed in range(400):
        rng = random.Random(seed)
        altered = bytearray(whole)
        for _ in range(3):
            altered[rng.randrange(2, 80 if seed % 2 else len(altered))] = rng.randrange(256)
        path.write_bytes(altered)
        try:
            decode(path)
        except DataError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert all(str(path) in said and "replace the file" in said for said in refused)


def test_a_picture_that_does_not_decode_is_named(tmp_path: Path) -> None:
    path = damage(write_picture(tmp_path / "a.jpg"))
    check_picture(path)
    with pytest.raises(DataError, match=r"a\.jpg: does not decode"):
        decode(path)
