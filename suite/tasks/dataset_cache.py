"""Worker side. Kept: a data set whose samples are preprocessed once and cached up to a memory limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Final, Generic, TypeVar

import numpy as np

from suite.data.samples import Dataset

Sample = TypeVar("Sample")

LIMIT: Final = 2**28
"""Bytes of samples cached per process; samples beyond it are preprocessed on each access."""


class Kept(Generic[Sample]):
    """The samples of `data`, each passed through `ready` (without randomness) on first access.

    Decoding and scaling a photograph takes ten times as long as all that training does to the small picture. Every
    loader process has its own cache.
    """

    def __init__(
        self, data: Dataset[Sample], ready: Callable[[Sample], Sample], *, limit: int = LIMIT
    ) -> None:
        self.classes: Sequence[str] = data.classes
        self.keeps_label_when_mirrored = bool(getattr(data, "keeps_label_when_mirrored", False))
        self._data, self._ready, self._left = data, ready, limit
        self._samples: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int, /) -> Sample:
        if index in self._samples:
            return self._samples[index]
        sample = self._ready(self._data[index])
        if (size := _num_bytes(sample)) <= self._left:
            self._left -= size
            self._samples[index] = sample
        return sample


def _num_bytes(sample: Any) -> int:
    values = (getattr(sample, row.name) for row in fields(sample))
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))
