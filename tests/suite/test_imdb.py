"""IMDb in a folder: what is accepted, and what is refused with the file, the line and the layout."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.data import endings, imdb
from suite.data.errors import DataError
from suite.data.sources import sources_in
from suite.data.splits import SPLITS

GOOD = 'split,text,label\ntrain,"Fine, really.",1\ntrain,Poor.,0\ntest,Great.,1\ntest,Bad.,0\n'


def table(folder: Path, content: str | bytes) -> Path:
    """imdb.csv with that content."""
    file = folder / "imdb.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def tree(folder: Path) -> Path:
    """A small aclImdb."""
    root = folder / "aclImdb"
    for split in ("train", "test"):
        for label in ("pos", "neg"):
            place = root / split / label
            place.mkdir(parents=True)
            (place / "0_9.txt").write_text(f"A {label} film<br />to {split}.", encoding="utf-8")
    return root


def refusal(root: Path) -> str:
    """What `check` says about it."""
    with pytest.raises(DataError) as caught:
        imdb.check(root)
    assert "expected" in str(caught.value)
    return str(caught.value)


def held(root: Path, *splits: str) -> list[tuple[str, int]]:
    """Texts and labels of these splits; to the training belongs what is set aside of it."""
    found = []
    for split in splits:
        found += rows(imdb.load(str(root), split))
        if split == "train":
            found += rows(imdb.aside(str(root), "train")) + rows(
                imdb.aside(str(root), "validation")
            )
    return found


def rows(data: Any) -> list[tuple[str, int]]:
    """Texts and labels of a data set."""
    return [(data[i].text, data[i].label) for i in range(len(data))]


def reviews(num: int, split: str = "") -> list[str]:
    """Rows of a table, half of them positive."""
    begin = f"{split}," if split else ""
    return [f"{begin}Review {i} of a film.,{'pos' if i % 2 else 'neg'}" for i in range(num)]


def test_a_table_with_a_split_column_is_split_as_it_says(tmp_path: Path) -> None:
    file = table(tmp_path, GOOD)
    imdb.check(file)
    assert sorted(held(file, "train", "validation")) == [("Fine, really.", 1), ("Poor.", 0)]
    assert held(file, "test") == [("Great.", 1), ("Bad.", 0)]
    assert imdb.load(str(file), "test").classes[1] == "positive"


def test_validation_is_a_tenth_of_the_training_part(tmp_path: Path) -> None:
    rows = ["split,text,label", *reviews(400, "train"), *(f"test,Test {i}.,{i}" for i in range(2))]
    file = table(tmp_path, "\n".join(rows))
    train, validation = held(file, "train"), held(file, "validation")
    assert len(train) + len(validation) == 400
    assert not {*train} & {*validation}
    assert 20 <= len(validation) <= 60
    assert len(held(file, "test")) == 2


def test_the_second_task_reads_how_reviews_end_that_the_first_has_not_read(tmp_path: Path) -> None:
    filler = " ".join(["word"] * 80)
    lines = [f"train,{filler} ends {i},{i % 2}" for i in range(400)]
    file = str(table(tmp_path, "\n".join(["split,text,label", *lines, "test,A.,0", "test,B.,1"])))
    first = {text for split in ("train", "validation") for text, _ in rows(imdb.load(file, split))}
    second = {
        text for split in ("train", "validation") for text, _ in rows(imdb.aside(file, split))
    }
    assert len(first) + len(second) == 400
    assert not first & second
    assert 20 <= len(second) <= 70
    read = [
        text for split in ("train", "validation") for text, _ in rows(endings.load(file, split))
    ]
    assert {len(text.split()) for text in read} == {endings.WORDS}
    assert all(any(review.endswith(text) for review in second) for text in read)
    assert rows(endings.load(file, "test")) == [("A.", 0), ("B.", 1)]


def test_a_review_that_is_in_both_parts_is_left_to_the_test(tmp_path: Path) -> None:
    file = table(tmp_path, GOOD + "train,Great.,1\ntrain,Great. <br />,1\n")
    assert ("Great.", 1) not in held(file, "train", "validation")
    assert ("Great.", 1) in held(file, "test")


def test_a_review_that_occurs_twice_lies_in_one_split(tmp_path: Path) -> None:
    rows = reviews(100)
    file = table(tmp_path, "\n".join(["text,label", *rows, *rows]))
    parts = [set(held(file, split)) for split in SPLITS]
    assert sum(map(len, parts)) == 100
    assert sum(len(held(file, split)) for split in SPLITS) == 200


def test_a_table_without_a_split_column_is_split_by_its_texts_alone(tmp_path: Path) -> None:
    rows = reviews(300)
    found = []
    for name, order in (("one", rows), ("two", rows[::-1])):
        (tmp_path / name).mkdir()
        file = table(tmp_path / name, "\n".join(["text,label", *order]))
        imdb.check(file)
        parts = [set(held(file, split)) for split in SPLITS]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 300
        found.append(parts)
    assert found[0] == found[1]
    train, validation, test = map(len, found[0])
    assert train > 3 * test > 3 * validation > 0


def test_a_table_that_has_changed_is_read_again(tmp_path: Path) -> None:
    file = table(tmp_path, GOOD)
    assert len(held(file, "test")) == 2
    os.utime(table(tmp_path, GOOD + "test,Fair.,1\n"), ns=(1, 1))
    assert len(held(file, "test")) == 3


def test_the_tree_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    root = tree(tmp_path)
    imdb.check(root)
    test = imdb.load(str(root), "test")
    assert [(test[i].text, test[i].label) for i in range(len(test))] == [
        ("A neg film to test.", 0),
        ("A pos film to test.", 1),
    ]


def test_the_data_set_is_found_in_the_folder_and_right_below_it(tmp_path: Path) -> None:
    assert imdb.find(tmp_path) is None
    (tmp_path / "imdb").mkdir()
    file = table(tmp_path / "imdb", GOOD)
    assert imdb.find(tmp_path) == file
    assert imdb.find(tmp_path / "imdb") == file
    other = tmp_path / "imdb" / "tree"
    root = tree(other)
    assert imdb.find(other) == root
    assert imdb.find(root) == root


def test_a_folder_with_reviews_serves_them_as_text(tmp_path: Path) -> None:
    table(tmp_path, GOOD)
    sources = sources_in(tmp_path)
    assert (sources["text"].name, sources["image"].name) == ("imdb", "digits")


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (GOOD + "train,NaN,1\n", "line 6", "text is missing"),
        (GOOD + "train,<br />,1\n", "line 6", "text is missing"),
        (GOOD + "train,Good.,nan\n", "line 6", "label is 'nan'; correct or remove it"),
        (GOOD + "train,Good.,\n", "line 6", "label is ''"),
        (GOOD + "train,Good.,-1\n", "line 6", "label is '-1'"),
        (GOOD + "train,Good.,1.0\n", "line 6", "label is '1.0'"),
        (GOOD + ",Good.,1\n", "line 6", "split is ''"),
        (GOOD.replace(";", ",").replace(",", ";"), "line 1", "columns are ['split;text;label']"),
        ("text,label,label\nGood.,1,0\n", "line 1", "a column occurs twice"),
        (GOOD + "train,Good.,2\n", "line 6", "label is '2'"),
        (GOOD + "dev,Good.,1\n", "line 6", "split is 'dev'"),
        (GOOD + "train,Good, but long,1\n", "line 6", "4 values for 3 columns"),
        (GOOD + "train,Go", "line 6", "2 values for 3 columns"),
        (GOOD + 'train,"Go', "line 6", "unexpected end of data"),
        (GOOD + 'train,"a "b" c",1\n', "line 6", "expected after"),
        (GOOD + 'train,"two\nlines",1\ntrain,,0\n', "line 8", "text is missing"),
        (GOOD + "train,a\0b,0\n", "line 6", ""),
        (GOOD.encode() + b"train,caf\xe9,1\n", "line", "not UTF-8"),
        ("review,sentiment\nGood.,positive\n", "line 1", "columns are"),
        ("", "line 1", "columns are []"),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(
    tmp_path: Path, content: str | bytes, line: str, what: str
) -> None:
    file = table(tmp_path, content)
    said = refusal(file)
    assert str(file) in said
    assert line in said
    assert what in said


def test_a_quote_that_is_never_closed_is_refused_where_it_opens(tmp_path: Path) -> None:
    rest = "train,Some review.,1\n" * 60_000
    said = refusal(table(tmp_path, GOOD + 'train,"Opened,1\n' + rest))
    assert "line 6" in said


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("split,text,label\n", "no reviews"),
        ("split,text,label\ntrain,Good.,1\ntrain,Bad.,0\ntest,Good.,1\n", "only positive"),
        ("split,text,label\ntrain,Good.,1\ntrain,Bad.,0\n", "test split has no reviews"),
    ],
)
def test_a_split_that_cannot_be_learned_from_is_refused(
    tmp_path: Path, content: str, what: str
) -> None:
    assert what in refusal(table(tmp_path, content))


def test_a_damaged_tree_is_refused_with_its_file(tmp_path: Path) -> None:
    root = tree(tmp_path)
    file = root / "test" / "pos" / "0_9.txt"
    file.write_bytes(b"")
    assert str(file) in refusal(root)
    file.write_bytes(b"caf\xe9")
    assert "not UTF-8" in refusal(root)
    file.unlink()
    assert "only negative" in refusal(root)
    file.parent.rmdir()
    assert "no such folder" in refusal(root)


def test_an_unknown_split_is_a_programmers_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'dev'"):
        imdb.load(str(table(tmp_path, GOOD)), "dev")


PIECES = st.text() | st.sampled_from(["<br />", "<br>", "<BR/>", "</br>", "<br", "/>", "\n", "\t"])


@given(st.lists(PIECES).map("".join))
@settings(deadline=None)
def test_cleaning_leaves_no_line_break_and_has_nothing_left_to_clean(text: str) -> None:
    cleaned = imdb.clean(text)
    assert imdb.MARKUP.search(cleaned) is None
    assert cleaned == " ".join(cleaned.split())
    assert imdb.clean(cleaned) == cleaned


@given(st.lists(st.text(alphabet="abc<>é,."), min_size=1))
@settings(deadline=None)
def test_cleaning_keeps_every_word_of_a_text_without_markup(words: list[str]) -> None:
    assert imdb.clean("\n ".join(words)).split() == " ".join(words).split()


@given(st.lists(st.tuples(st.text(min_size=1), st.integers(0, 1)), min_size=1))
@settings(deadline=None)
def test_every_row_that_python_can_write_is_read_back_or_refused(
    rows: list[tuple[str, int]],
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([("text", "label"), *rows])
    content = stream.getvalue().encode("utf-8", errors="surrogatepass")
    kept = [(imdb.clean(text), label) for text, label in rows]

    class InMemory(type(Path())):  # type: ignore[misc]
        """A path whose content never touches the disk."""

        def open(self, *args: object, **options: str) -> io.TextIOWrapper:
            return io.TextIOWrapper(
                io.BytesIO(content), encoding=options["encoding"], newline=options["newline"]
            )

        def is_dir(self) -> bool:
            return False

    try:
        read = [(sample.text, sample.label) for _, sample in imdb.read(InMemory("imdb.csv"))]
    except DataError:
        readable = all(
            text.lower() not in imdb.MISSING and "\0" not in text and text.isprintable()
            for text, _ in kept
        )
        assert not readable
    else:
        assert read == kept
