"""Raw samples before any model's preprocessing, as every data set of a kind returns them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Sample_co = TypeVar("Sample_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Kind `image`: one picture with one label."""

    pixels: NDArray[np.uint8]
    """[height, width, 3], RGB."""
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Kind `scene`: one picture with its objects."""

    pixels: NDArray[np.uint8]
    """[height, width, 3], RGB."""
    boxes: NDArray[np.float32]
    """[objects, 4] as x1, y1, x2, y2 in pixels; x1 < x2, y1 < y2; may be [0, 4]."""
    labels: NDArray[np.int64]
    """[objects], index into the data set's classes; 0 is background and never an object's label."""
    masks: NDArray[np.bool_]
    """[objects, height, width], True on the object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Kind `clip`: a short video with one label."""

    frames: NDArray[np.uint8]
    """[frames, height, width, 3], RGB."""
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Kind `text`: one passage with one label."""

    text: str
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """Kind `speech`: one utterance."""

    waveform: NDArray[np.float32]
    """[samples], mono, 16 kHz, within -1..1."""
    transcript: str


class Dataset(Protocol[Sample_co]):
    """Interface of `suite.data.<name>.load(root, split)`: a lazy sequence of samples and the class names."""

    classes: Sequence[str]
    """Label -> name."""

    def __len__(self) -> int:
        """Return the number of samples in this split."""
        ...

    def __getitem__(self, index: int, /) -> Sample_co:
        """Return the sample; raise DataError naming the file if it does not decode."""
        ...
