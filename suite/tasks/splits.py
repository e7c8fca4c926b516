"""Worker side. Splits of the data sets that come in two parts: validation is a seeded tenth of the training part."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Generic, TypeVar

from suite.data.parts import part
from suite.data.samples import Dataset
from suite.data.sources import Source

Sample = TypeVar("Sample")


class Rows(Generic[Sample]):
    """Some samples of a data set, in its order."""

    def __init__(self, data: Dataset[Sample], rows: Sequence[int]) -> None:
        self.classes = data.classes
        self._data = data
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> Sample:
        return self._data[self._rows[index]]


def samples_of(source: Source, split: str) -> Dataset[Any]:
    """The samples of `split` (train, validation, test): neighbours in the data set stay neighbours.

    Raises ValueError for another split, DataError for damaged data.
    """
    held = "train" if split in ("train", "validation") else split
    data: Dataset[Any] = import_module(f"suite.data.{source.name}").load(source.root, held)
    if held != "train":
        return data
    return Rows(data, sorted(part(len(data), split, has_own_test=True)))
