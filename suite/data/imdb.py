"""IMDb reviews in a user's folder: one `imdb.csv`, or the `aclImdb` tree of Maas et al. 2011.

`find` and `check` run in the parent and use the standard library only.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from suite.data.errors import DataError
from suite.data.samples import Dataset, Text

CLASSES: Final = ("negative", "positive")
LABELS: Final = {"0": 0, "1": 1, "neg": 0, "pos": 1, "negative": 0, "positive": 1}
SPLITS: Final = ("train", "test")
MISSING: Final = frozenset({"", "nan", "null", "none", "n/a"})
"""How a table says that it has no value."""

FILE: Final = "imdb.csv"
TREE: Final = "aclImdb"
LAYOUT: Final = (
    f"expected {FILE} with a header and the columns text,label (0 or neg, 1 or pos) and, if you like, split (train or"
    f" test), or {TREE}/train and {TREE}/test, each with pos/*.txt and neg/*.txt; all in UTF-8"
)
LONGEST_FIELD: Final = 2**20
"""Characters. No review comes near; a quote that is never closed swallows the rest of the file and does."""

TEST_SHARE: Final = 0.2
SALT: Final = "torch-vitals imdb 1"
"""Seed of the split for a file without a split column."""

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
    """The `imdb.csv` or the `aclImdb` folder in `folder`, or in a folder right below it; None when there is none."""
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    for place in (folder, *below):
        if (place / FILE).is_file():
            return place / FILE
        if (place / TREE).is_dir():
            return place / TREE
    return folder if folder.name == TREE else None


def check(root: Path) -> None:
    """Reads everything once; raises DataError naming file, line and expected layout for the first thing wrong."""
    for split in SPLITS:
        labels = {sample.label for part, sample in read(root) if part == split}
        if labels != {0, 1}:
            held = "no reviews" if not labels else f"only {CLASSES[labels.pop()]} reviews"
            raise DataError(f"{root}: its {split} split has {held}; expected both labels; {LAYOUT}")


def load(root: str, split: str) -> Dataset[Text]:
    """The cleaned reviews of `split` ("train" or "test") with 1 for positive; raises DataError as `check` does."""
    if split not in SPLITS:
        raise ValueError(f"imdb has no split {split!r}; expected 'train' or 'test'")
    return Reviews(tuple(sample for part, sample in read(Path(root)) if part == split))


def read(root: Path) -> Iterator[tuple[str, Text]]:
    """Split and review, one after another, from the file or the tree."""
    return _from_tree(root) if root.is_dir() else _from_file(root)


def clean(text: str) -> str:
    """The review as plain text: line breaks written in HTML and runs of white space become one blank."""
    before = None
    while text != before:  # what one pass leaves can spell new markup: "<br<br>>"
        before, text = text, MARKUP.sub(" ", text)
    return " ".join(text.split())


def is_test(text: str) -> bool:
    """True for the fifth of a file without a split column that is never trained on; depends on the text alone."""
    digest = hashlib.sha256((SALT + text).encode()).digest()
    return int.from_bytes(digest[:4], "big") < TEST_SHARE * 2**32


def _from_file(file: Path) -> Iterator[tuple[str, Text]]:
    """The rows of a CSV file."""
    before = csv.field_size_limit(LONGEST_FIELD)
    line = 1
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            columns = [name.strip().lower() for name in next(rows, [])]
            if not {"text", "label"} <= set(columns):
                raise DataError(f"{file}, line 1: the columns are {columns}; {LAYOUT}")
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
    """One row, judged; `where` names it in errors."""
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
        raise DataError(f"{where}: the label is {row['label']!r}; {LAYOUT}")
    split = row["split"].strip().lower() if "split" in row else SPLITS[is_test(text)]
    if split not in SPLITS:
        raise DataError(f"{where}: the split is {row['split']!r}; {LAYOUT}")
    return split, Text(text=text, label=label)


def _from_tree(root: Path) -> Iterator[tuple[str, Text]]:
    """The files of the tree, in the order of their names."""
    for split in SPLITS:
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
                yield split, Text(text=text, label=label)


def _must_be_text(where: str, text: str) -> None:
    """Raises DataError when a cleaned text holds nothing to read."""
    if text.lower() in MISSING:
        raise DataError(f"{where}: the text is missing ({text!r}); {LAYOUT}")
    if "\0" in text:
        raise DataError(f"{where}: the text holds a NUL byte, so the file is damaged; {LAYOUT}")
