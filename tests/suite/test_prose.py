"""The embedded prose: enough of it, balanced, split once and for all."""

from __future__ import annotations

from itertools import pairwise

import pytest

from suite.data import prose


def texts(split: str) -> list[str]:
    """The texts of a split."""
    data = prose.load("", split)
    return [data[i].text for i in range(len(data))]


def test_there_is_enough_to_train_on_and_both_labels_are_common() -> None:
    for split, least in (("train", 250), ("test", 50)):
        data = prose.load("", split)
        labels = [data[i].label for i in range(len(data))]
        assert len(labels) >= least
        assert 0.35 <= sum(labels) / len(labels) <= 0.65
        assert set(labels) == set(range(len(data.classes)))


def test_no_passage_is_in_both_splits_or_twice_in_one() -> None:
    train, test = texts("train"), texts("test")
    assert len({*train, *test}) == len(train) + len(test)
    assert 0.1 <= len(test) / (len(train) + len(test)) <= 0.3


def test_the_split_of_a_passage_depends_on_its_text_alone() -> None:
    assert all(prose.is_test(text) for text in texts("test"))
    assert not any(prose.is_test(text) for text in texts("train"))
    shares = sum(prose.is_test(f"passage {i}") for i in range(2000)) / 2000
    assert shares == pytest.approx(prose.TEST_SHARE, abs=0.03)


def test_passages_are_clean_and_most_are_long() -> None:
    train = texts("train")
    assert all(text == " ".join(text.split()) and text for text in train)
    lengths = sorted(map(len, train))
    assert lengths[len(lengths) // 3] >= prose.SHORTEST


def test_a_paragraph_that_two_topics_share_is_kept_once() -> None:
    seen: set[str] = set()
    assert list(prose._paragraphs("One\n two\n\n***\n\nThree", seen)) == ["One two", "Three"]
    assert list(prose._paragraphs("Four\n\nThree", seen)) == ["Four"]


def test_passages_hold_their_paragraphs_in_order_and_lose_none() -> None:
    paragraphs = [f"paragraph {i} " + "x" * 100 for i in range(20)]
    joined = list(prose._joined(iter(paragraphs)))
    places = [" ".join(joined).index(paragraph) for paragraph in paragraphs]
    assert all(a < b for a, b in pairwise(places))
    assert all(len(text) >= prose.SHORTEST for text in joined[:-1])


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="'dev'"):
        prose.load("", "dev")
