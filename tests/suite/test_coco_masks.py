"""COCO's segmentations as masks: polygons and both kinds of run lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from suite.data.coco_masks import mask, polygons, run_lengths, unpack


def packed(counts: list[int]) -> str:
    """COCO's compressed text, written from its description: the inverse of `unpack`."""
    text = ""
    for number, count in enumerate(counts):
        value = count - counts[number - 2] if number > 2 else count
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != -1 if bits & 0x10 else value != 0
            text += chr(48 + (bits | 0x20 if more else bits))
    return text


def test_runs_go_down_the_columns_and_begin_outside() -> None:
    assert run_lengths([1, 2, 1, 2], 3, 2).tolist() == [[False, False], [True, True], [True, True]]


def test_what_the_runs_leave_over_is_outside() -> None:
    assert run_lengths([0, 1], 2, 2).tolist() == [[True, False], [False, False]]


def test_runs_longer_than_the_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="cover 5 pixels of 4"):
        run_lengths([5], 2, 2)


def test_compressed_text_is_read_as_documented() -> None:
    assert unpack("532") == [5, 3, 2]
    assert unpack("X1") == [40]
    assert unpack("5321") == [5, 3, 2, 4]


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_compressed_text_gives_back_its_runs(counts: list[int]) -> None:
    assert unpack(packed(counts)) == counts


def test_all_three_forms_give_the_same_mask() -> None:
    counts = [7, 2, 4, 2, 10]
    expected = np.zeros((6, 5), dtype=bool)
    expected[1:3, 1:3] = True
    size = {"size": [6, 5]}
    assert (mask({"counts": counts, **size}, 6, 5) == expected).all()
    assert (mask({"counts": packed(counts), **size}, 6, 5) == expected).all()
    assert (mask([[1, 1, 2, 1, 2, 2, 1, 2]], 6, 5) == expected).all()


def test_the_parts_of_an_object_are_united() -> None:
    two = mask([[0, 0, 1, 0, 1, 1, 0, 1], [3, 3, 4, 3, 4, 4, 3, 4]], 6, 6)
    assert two.sum() == 8


@given(st.lists(st.tuples(st.floats(-3, 45), st.floats(-3, 35)), min_size=3, max_size=8))
def test_a_polygon_drawn_in_its_own_corner_is_the_one_drawn_on_the_picture(
    corners: list[tuple[float, float]],
) -> None:
    canvas = Image.new("L", (40, 30))
    ImageDraw.Draw(canvas).polygon(corners, fill=1, outline=1)
    drawn = polygons([[value for corner in corners for value in corner]], 30, 40)
    # Pillow rounds where edges cross rows, in coordinates that have been moved.
    assert (drawn != np.array(canvas, dtype=bool)).sum() <= 3


def test_an_object_outside_the_picture_or_without_polygons_has_an_empty_mask() -> None:
    assert not polygons([[50, 50, 60, 50, 60, 60]], 30, 40).any()
    assert polygons([], 30, 40).shape == (30, 40)
