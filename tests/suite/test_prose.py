"""The embedded prose: enough of it, balanced, split once and for all."""

from __future__ import annotations

from itertools import pairwise

import pytest

from suite.data import prose
from suite.data.splits import SPLITS


def texts(split: str) -> list[str]:
    """The texts of a split."""
    data = prose.load("", split)
    return [data[i].text for i in range(len(data))]


def test_there_is_enough_to_train_on_and_both_labels_are_common() -> None:
    for split, least in (("train", 250), ("validation", 25), ("test", 50)):
        data = prose.load("", split)
        labels = [data[i].label for i in range(len(data))]
        assert len(labels) >= least
        assert 0.3 <= sum(labels) / len(labels) <= 0.7
        assert set(labels) == set(range(len(data.classes)))


def test_no_passage_is_in_two_splits_or_twice_in_one() -> None:
    parts = [texts(split) for split in SPLITS]
    assert len({text for part in parts for text in part}) == sum(map(len, parts))


def test_passages_are_clean_and_most_are_long() -> None:
    train = texts("train")
    assert all(text == " ".join(text.split()) and text for text in train)
    lengths = sorted(map(len, train))
    assert lengths[len(lengths) // 3] >= prose.SHORTEST


def test_a_paragraph_that_two_topics_share_is_kept_once() -> None:
    seen: set[str] = set()
    assert list(prose.paragraphs_of("One\n two\n\n***\n\nThree", seen)) == ["One two", "Three"]
    assert list(prose.paragraphs_of("Four\n\nThree", seen)) == ["Four"]


def test_passages_hold_their_paragraphs_in_order_and_lose_none() -> None:
    paragraphs = [f"paragraph {i} " + "x" * 100 for i in range(20)]
    joined = list(prose.joined(paragraphs))
    places = [" ".join(joined).index(paragraph) for paragraph in paragraphs]
    assert all(a < b for a, b in pairwise(places))
    assert all(len(text) >= prose.SHORTEST for text in joined[:-1])


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="'dev'"):
        prose.load("", "dev")
