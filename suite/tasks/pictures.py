"""Worker side. Preprocessing of pictures: scaled down once, framed, augmented only in training, normalized."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from functools import cache, partial
from importlib import import_module
from typing import Any, Final, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from suite.data.errors import DataError
from suite.data.samples import Dataset
from suite.data.sources import Source
from suite.data.splits import TRAIN_SPLIT
from suite.results.step_result import DataSet
from suite.tasks.examples import Example, Examples, must_hold
from suite.tasks.framing import Framing, centred, drawn, grey, lit

NORMALIZATION: Final = {
    # channels -> mean, standard deviation
    1: ((0.5,), (0.5,)),
    3: (
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
    ),  # of ImageNet, as all published weights expect
}

LEAST: Final = 0.7
"""Smallest share of the area in a random crop."""


def picture_examples(
    make: Callable[..., Example],
    ready: Callable[..., Any],
    inputs: Mapping[str, Any],
    source: Source,
    *,
    seed: int,
    split: str,
) -> Examples:
    """Return one example per sample, by `make(data, index, rng, inputs=..., is_training=...)`.

    `ready(sample, inputs=..., is_training=...)` scales a sample to about the model's size; its result is cached. Raise
    DataError if the split is empty.
    """
    given = {"inputs": inputs, "is_training": split == TRAIN_SPLIT}
    key = (ready, repr(sorted(inputs.items())), source, split)
    shared = _SHARED.get()
    kept = None if shared is None else shared.get(key)
    if kept is None:
        data: Dataset[Any] = import_module(f"suite.data.{source.name}").load(source.root, split)
        must_hold(data, source, split, "at least one sample")
        kept = Kept(data, partial(ready, **given))
        if shared is not None:
            shared[key] = kept
    return Examples(
        data=kept,
        make=partial(make, **given),
        seed=seed,
        indices=range(len(kept)),
    )


def refuse_more_classes(data: Dataset[Any], inputs: Mapping[str, Any], source: Source) -> None:
    """Raise DataError if the data set has more classes than the model has outputs."""
    if len(data.classes) > inputs["classes"]:
        raise DataError(
            f"{source.root or source.name}: {len(data.classes)} classes ({', '.join(data.classes[:5])} ...)"
            f" for a model with {inputs['classes']} outputs; expected as many classes as outputs, or fewer"
        )


def framing_for(
    picture: Tensor,
    side: int,
    data: Dataset[Any],
    rng: np.random.Generator,
    *,
    is_training: bool,
    least: float = LEAST,
) -> Framing:
    """Return the largest centred square; in training a random crop (share `least` or more of the area) and light.

    Mirrored, in training, only if the data set declares that this keeps the label: a mirrored digit is not a digit.
    """
    height, width = picture.shape[-2:]
    if not is_training:
        return centred(height, width, side)
    return drawn(height, width, side, rng, least=least, mirrors=may_mirror(data))


def may_mirror(data: Dataset[Any]) -> bool:
    """Return whether the data set declares that a mirrored picture keeps its label."""
    return bool(getattr(data, "keeps_label_when_mirrored", False))


def normalized(image: Tensor, channels: int, framing: Framing) -> Tensor:
    """Return uint8 [..., 3, height, width] as normalized float32 [..., channels, height, width], in that light.

    One channel is grey.
    """
    values = image.to(torch.float32, memory_format=torch.contiguous_format)
    values = lit(grey(values) if channels == 1 else values, framing)
    mean, deviation = _normalization(channels)
    return values.sub_(mean).div_(deviation)


@cache
def _normalization(channels: int) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation for values 0..255, [channels, 1, 1] each."""
    mean, deviation = (255 * torch.tensor(row).view(-1, 1, 1) for row in NORMALIZATION[channels])
    return mean, deviation


def data_set(source: Source, split: str, preprocessing: str) -> DataSet:
    """Return the origin of a batch of pictures."""
    return DataSet(name=source.name, split=split, preprocessing=preprocessing)


# Kept: a data set whose samples are preprocessed once and cached up to a memory limit.

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


_SHARED: Final[ContextVar[dict[Any, Kept[Any]] | None]] = ContextVar("shared", default=None)
"""(how samples are prepared, source, split) -> its samples; None = not shared."""


@contextmanager
def prepared_once() -> Iterator[None]:
    """Share the prepared samples among all that reads the same split within: a training, and what repeats parts of it.

    Outside, every stream prepares its own, as somebody's first epoch does; what measures loading relies on it.
    """
    token = _SHARED.set({})
    try:
        yield
    finally:
        _SHARED.reset(token)


def _num_bytes(sample: Any) -> int:
    values = (getattr(sample, row.name) for row in fields(sample))
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))
