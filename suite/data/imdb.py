"""IMDb reviews in a user's folder: one `imdb.csv`, or the `aclImdb` tree of Maas et al. 2011.

`find` and `check` run in the parent and use only the standard library.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from suite.data.errors import DataError
from suite.data.samples import Dataset, Text
from suite.data.splits import SPLITS, TEST_SPLIT, TRAIN_SPLIT, lies_aside, must_be_split, part_of

CLASSES: Final = ("negative", "positive")
LABELS: Final = {"0": 0, "1": 1, "neg": 0, "pos": 1, "negative": 0, "positive": 1}
OWN_SPLITS: Final = (TRAIN_SPLIT, TEST_SPLIT)
"""Splits of the data set itself; validation is a tenth of its training reviews, chosen by their texts."""
MISSING: Final = frozenset({"", "nan", "null", "none", "n/a"})
"""Ways a table marks a missing value."""

FILE: Final = "imdb.csv"
TREE: Final = "aclImdb"
LAYOUT: Final = (
    f"expected {FILE} with a header and the columns text,label (0 or neg, 1 or pos) and, if you like, split (train or"
    f" test), or {TREE}/train and {TREE}/test, each with pos/*.txt and neg/*.txt; all in UTF-8"
)
LONGEST_FIELD: Final = 2**20
"""Characters. No review comes near; an unclosed quote swallows the rest of the file and does."""

SALT: Final = "torch-vitals imdb 1"
"""Seed of the split."""
AGAIN: Final = "torch-vitals imdb aside 1"
"""Seed of the split of the set-aside reviews."""

MARKUP: Final = re.compile(r"<\s*/?\s*br\s*/?\s*>", re.IGNORECASE)


class Reviews:
    """One split, in memory (the full data set is 66 MB)."""

    classes: Sequence[str] = CLASSES

    def __init__(self, samples: tuple[Text, ...]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int, /) -> Text:
        return self._samples[index]


def find(folder: Path) -> Path | None:
    """Return the `imdb.csv` or `aclImdb` in `folder` or one of its direct subfolders; None if there is none."""
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    for place in (folder, *below):
        if (place / FILE).is_file():
            return place / FILE
        if (place / TREE).is_dir():
            return place / TREE
    return folder if folder.name == TREE else None


def check(root: Path) -> None:
    """Read everything once; raise DataError naming file, line and expected layout at the first error."""
    held: dict[str, set[int]] = {split: set() for split in OWN_SPLITS}
    for split, sample in read(root):
        held[TEST_SPLIT if split == TEST_SPLIT else TRAIN_SPLIT].add(sample.label)
    for split, labels in held.items():
        if labels != {0, 1}:
            what = "no reviews" if not labels else f"only {CLASSES[labels.pop()]} reviews"
            raise DataError(f"{root}: its {split} split has {what}; expected both labels; {LAYOUT}")


def load(root: str, split: str) -> Dataset[Text]:
    """Return the cleaned reviews of `split` (1 is positive) without the set-aside training reviews.

    A review in both the training and the test part is only in the test split. Raise DataError as `check` does.
    """
    reviews = _opened(root, split)
    if split != TRAIN_SPLIT:
        return Reviews(reviews)
    return Reviews(tuple(sample for sample in reviews if not lies_aside(sample.text, SALT)))


def aside(root: str, split: str) -> Dataset[Text]:
    """Return a split of the training reviews that `load` sets aside; the test reviews are the same."""
    reviews = _opened(root, split)
    if split != TEST_SPLIT:
        rest = [s for s in _opened(root, TRAIN_SPLIT) if lies_aside(s.text, SALT)]
        reviews = tuple(s for s in rest if part_of(s.text, AGAIN, has_own_test=True) == split)
    return Reviews(reviews)


def _opened(root: str, split: str) -> tuple[Text, ...]:
    must_be_split(split)
    return _reviews(Path(root), _stamp(Path(root)))[split]


def read(root: Path) -> Iterator[tuple[str, Text]]:
    """Yield pairs of split (one of three) and review from the file or the tree."""
    return _from_tree(root) if root.is_dir() else _from_file(root)


def clean(text: str) -> str:
    """Return the review as plain text: HTML line breaks and runs of white space become one space."""
    before = None
    while text != before:  # one pass can leave new markup: "<br<br>>"
        before, text = text, MARKUP.sub(" ", text)
    return " ".join(text.split())


@lru_cache(maxsize=1)
def _reviews(root: Path, stamp: tuple[int, ...]) -> dict[str, tuple[Text, ...]]:
    """Return all three splits, read once; `stamp` invalidates the cache when a file was altered."""
    del stamp
    rows = list(read(root))
    tested = {sample.text for split, sample in rows if split == TEST_SPLIT}
    return {
        wanted: tuple(
            sample
            for split, sample in rows
            if split == wanted and (split == TEST_SPLIT or sample.text not in tested)
        )
        for wanted in SPLITS
    }


def _stamp(root: Path) -> tuple[int, ...]:
    """Return the modification time of the file, or of each folder of the tree."""
    places = [root]
    if root.is_dir():
        places = [root / split / label for split in OWN_SPLITS for label in ("neg", "pos")]
    return tuple(place.stat().st_mtime_ns if place.exists() else 0 for place in places)


def _from_file(file: Path) -> Iterator[tuple[str, Text]]:
    """Yield the rows of a CSV file."""
    before = csv.field_size_limit(LONGEST_FIELD)
    line = 1
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            columns = [name.strip().lower() for name in next(rows, [])]
            if not {"text", "label"} <= set(columns):
                raise DataError(f"{file}, line 1: the columns are {columns}; {LAYOUT}")
            if len(set(columns)) < len(columns):
                raise DataError(f"{file}, line 1: a column occurs twice ({columns}); {LAYOUT}")
            line = rows.line_num + 1
            for values in rows:
                if values:
                    yield _sample(f"{file}, line {line}", columns, values)
                line = rows.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{file}, record that begins in line {line}: {error} (a quote that is not closed, or a file cut short?);"
            f" {LAYOUT}"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}, after line {line}: not UTF-8 ({error.reason}); {LAYOUT}"
        ) from error
    finally:
        csv.field_size_limit(before)


def _sample(where: str, columns: list[str], values: list[str]) -> tuple[str, Text]:
    """Return the checked split and review of one row; `where` names the row in errors."""
    if len(values) != len(columns):
        raise DataError(
            f"{where}: {len(values)} values for {len(columns)} columns (a line cut short, or a text with commas"
            f" without quotes?); {LAYOUT}"
        )
    row = dict(zip(columns, values, strict=True))
    text = clean(row["text"])
    _must_be_text(where, text)
    label = LABELS.get(row["label"].strip().lower())
    if label is None:
        raise DataError(f"{where}: the label is {row['label']!r}; correct or remove it; {LAYOUT}")
    if "split" not in row:
        return part_of(text, SALT), Text(text=text, label=label)
    split = row["split"].strip().lower()
    if split not in OWN_SPLITS:
        raise DataError(f"{where}: the split is {row['split']!r}; correct or remove it; {LAYOUT}")
    return _narrowed(split, text), Text(text=text, label=label)


def _from_tree(root: Path) -> Iterator[tuple[str, Text]]:
    """Yield the files of the tree, sorted by name."""
    for split in OWN_SPLITS:
        for label, folder in enumerate(("neg", "pos")):
            place = root / split / folder
            if not place.is_dir():
                raise DataError(f"{place}: no such folder; {LAYOUT}")
            for file in sorted(place.glob("*.txt")):
                try:
                    text = clean(file.read_text(encoding="utf-8"))
                except UnicodeDecodeError as error:
                    raise DataError(f"{file}: not UTF-8 ({error.reason}); {LAYOUT}") from error
                _must_be_text(str(file), text)
                yield _narrowed(split, text), Text(text=text, label=label)


def _narrowed(split: str, text: str) -> str:
    """Return training or validation for a text of the data set's training part; test stays test."""
    return split if split == TEST_SPLIT else part_of(text, SALT, has_own_test=True)


def _must_be_text(where: str, text: str) -> None:
    """Raise DataError if a cleaned text is empty or damaged."""
    if text.lower() in MISSING:
        raise DataError(
            f"{where}: the text is missing ({text!r}); write it or remove the review; {LAYOUT}"
        )
    if "\0" in text:
        raise DataError(f"{where}: the text holds a NUL byte, so the file is damaged; {LAYOUT}")
