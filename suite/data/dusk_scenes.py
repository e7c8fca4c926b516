"""Folder data set `dusk_scenes`: the second task on a folder in COCO's layout: other pictures of it, at dusk.

It has the categories of `coco` (see `suite.data.dusk`); boxes and masks are unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.data import coco
from suite.data.dusk import Dusk

if TYPE_CHECKING:
    from suite.data.samples import Scene


def load(root: str, split: str) -> Dusk[Scene]:
    """Return the pictures of a split; raise ValueError for an unknown split."""
    return Dusk(coco.aside(root, split), split)
