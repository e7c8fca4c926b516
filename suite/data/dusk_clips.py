"""Embedded data set `dusk_clips`: the second task on clips: other clips, at dusk.

It has the directions of `clips` in another domain (see `suite.data.dusk`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from suite.data import clips
from suite.data.dusk import at_dusk
from suite.data.splits import SPLITS

if TYPE_CHECKING:
    from suite.data.samples import Clip

SERIES = 1
"""Not the clips of the first task."""


class DuskClips(clips.Clips):
    """One split of the clips: 16 frames of 128x128."""

    def __getitem__(self, index: int, /) -> Clip:
        clip = super().__getitem__(index)
        seed = (SPLITS.index(self._split), index, SERIES)
        return replace(clip, frames=at_dusk(clip.frames, seed))


def load(root: str, split: str) -> DuskClips:
    """Return the clips of a split (train, validation, test), equally many per direction. `root` is ignored."""
    del root
    return DuskClips(split, SERIES)
