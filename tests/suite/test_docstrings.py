"""The docstrings of the standard library: enough of them, two kinds that can be told apart, and no embedded prose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from suite.data import docstrings, prose
from suite.data.errors import DataError
from suite.data.splits import SPLITS

SOURCE = '''
"""Of the module.

>>> an.example()
1

    Second
    paragraph.
"""

if True:
    try:
        class Thing:
            """Of a class."""

            async def method(self):
                """Of a method."""
                "no docstring"

    except ImportError:
        def spare():
            """Of the module."""
'''


def texts(split: str) -> list[str]:
    """The texts of a split."""
    data = docstrings.load("", split)
    return [data[i].text for i in range(len(data))]


def test_there_is_enough_to_train_on_and_both_labels_are_common() -> None:
    for split, least in (("train", 300), ("validation", 25), ("test", 80)):
        data = docstrings.load("", split)
        labels = [data[i].label for i in range(len(data))]
        assert len(labels) >= least
        assert 0.25 <= sum(labels) / len(labels) <= 0.75
        assert list(data.classes) == ["execution", "values"]


def test_no_passage_is_in_two_splits_or_twice_in_one() -> None:
    parts = [texts(split) for split in SPLITS]
    assert len({text for part in parts for text in part}) == sum(map(len, parts))


def test_no_paragraph_of_the_prose_is_among_them() -> None:
    passages = " ".join(sample.text for sample in docstrings.passages())
    long = [paragraph for paragraph in prose.paragraphs() if len(paragraph) > 80]
    assert len(long) > 500
    assert not [paragraph for paragraph in long if paragraph in passages]


def test_paragraphs_are_those_of_the_docstrings_from_top_to_bottom(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(SOURCE, encoding="utf-8")
    found = list(docstrings._paragraphs_of(file, {"Of a class."}))
    assert found == ["Of the module.", "Second paragraph.", "Of a method."]


def test_words_alone_tell_the_two_classes_apart() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    labels = {}
    for split in ("train", "test"):
        data = docstrings.load("", split)
        labels[split] = np.array([data[i].label for i in range(len(data))])
    words = CountVectorizer(min_df=2)
    model = MultinomialNB().fit(words.fit_transform(texts("train")), labels["train"])
    right = model.predict(words.transform(texts("test"))) == labels["test"]
    assert right.mean() > 0.75


def test_a_python_without_its_sources_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docstrings.sysconfig, "get_path", lambda name: str(tmp_path / name))
    with pytest.raises(DataError) as caught:
        docstrings.passages.__wrapped__()
    assert "stdlib: the docstrings of its modules about execution give 0 passages" in str(
        caught.value
    )
    assert "use a Python that comes with them" in str(caught.value)


def test_modules_of_another_version_of_python_may_be_missing() -> None:
    assert docstrings._sources(Path("/nowhere"), "smtpd") == []
