"""Folder data set `dusk_scenes`: the second task on a folder with COCO's layout. Other pictures of it, at dusk.

The same categories as in `coco`, see `suite.data.dusk`; boxes and masks are those of the pictures by day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.data import coco
from suite.data.dusk import Dusk

if TYPE_CHECKING:
    from suite.data.samples import Scene


def load(root: str, split: str) -> Dusk[Scene]:
    """The pictures of that split; raises ValueError for an unknown split."""
    return Dusk(coco.aside(root, split), split)
