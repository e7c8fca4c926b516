"""The seeded split: every sample in exactly one part, the same on every machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.data.splits import SPLITS, TEST_SHARE, VALIDATION_SHARE, part, part_of


@given(num_samples=st.integers(0, 500), has_own_test=st.booleans())
def test_the_parts_do_not_overlap_and_together_are_all(
    num_samples: int, has_own_test: bool
) -> None:
    parts = [part(num_samples, split, has_own_test=has_own_test) for split in SPLITS]
    assert sorted(index for indices in parts for index in indices) == list(range(num_samples))


def test_the_split_is_the_same_every_time_and_shuffled() -> None:
    first = part(100, "train")
    assert first == part(100, "train")
    assert first != sorted(first)
    assert len(part(100, "test")) == 20


def test_a_data_set_with_its_own_test_gives_away_validation_only() -> None:
    assert part(100, "test", has_own_test=True) == []
    assert len(part(100, "validation", has_own_test=True)) == 10


def test_an_unknown_split_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'dev'; expected one of train, validation, test"):
        part(10, "dev")


@pytest.mark.parametrize("has_own_test", [False, True])
def test_texts_fall_into_the_splits_in_the_same_shares(has_own_test: bool) -> None:
    found = [part_of(f"text {i}", "salt", has_own_test=has_own_test) for i in range(4000)]
    test = 0 if has_own_test else TEST_SHARE
    assert found.count("test") / 4000 == pytest.approx(test, abs=0.03)
    assert found.count("validation") / 4000 == pytest.approx(
        (1 - test) * VALIDATION_SHARE, abs=0.02
    )
    assert set(found) <= set(SPLITS)


def test_the_split_of_a_text_never_changes() -> None:
    places = {text: part_of(text, "torch-vitals") for text in ("a", "b", "c", "d", "e", "f")}
    assert places == {
        "a": "train",
        "b": "test",
        "c": "train",
        "d": "test",
        "e": "train",
        "f": "train",
    }


@given(st.text(), st.text())
def test_every_text_has_a_split(text: str, salt: str) -> None:
    assert part_of(text, salt) in SPLITS
