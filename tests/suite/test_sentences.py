"""The sentences of the embedded prose: enough of both classes, and none for testing that was seen in training."""

import pytest

from suite.data import prose, sentences
from suite.data.samples import Text


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_has_sentences_of_its_own_passages_alone_and_of_both_classes(split):
    data, passages = sentences.load("", split), prose.load("", split)
    whole = " ".join(passages[index].text for index in range(len(passages)))
    found = [data[index] for index in range(len(data))]
    assert len(found) > 2 * len(passages)
    assert all(sample.text in whole for sample in found)
    assert 0.4 < sum(sample.label for sample in found) / len(found) < 0.6


def test_no_sentence_for_testing_was_trained_on():
    seen, asked = ({s.text for s in _all(split)} for split in ("train", "test"))
    assert not seen & asked


def _all(split):
    data = sentences.load("", split)
    return [data[index] for index in range(len(data))]


def test_a_passage_is_cut_behind_sentences_and_short_ones_are_left_out():
    text = "The first has eight words, e.g. in this one. Too short. Another of the same length: it ends there now!"
    found = list(sentences.sentences_of(Text(text=text, label=1)))
    assert [one.text for one in found] == [
        "The first has eight words, e.g. in this one.",
        "Another of the same length: it ends there now!",
    ]
    assert {one.label for one in found} == {1}


def test_a_split_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="holdout"):
        sentences.load("", "holdout")
