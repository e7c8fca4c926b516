"""Worker side. The garbage collector, paused or kept from live objects while something is measured."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_WITNESS: Final[list[Any]] = []
"""An object that lives since the import of this module, see `is_frozen`."""


def is_frozen() -> bool:
    """Return whether what was live when this module was imported is kept out of the collections.

    `gc.get_freeze_count` tells as much, and walks through every frozen object to count it: 58 ms in the fork of a
    launcher that froze 450,000, where the objects that are not frozen are some hundred.
    """
    return not any(one is _WITNESS for one in gc.get_objects())


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Collect, and leave all objects that are live out of the collections until the end of the block.

    In the fork of a launcher they stay out of them: it froze what it had imported, and thawing that as well would
    make every later collection scan all of it, a tenth of a second and more each.
    """
    was_frozen = is_frozen()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if not was_frozen:
            gc.unfreeze()


@contextmanager
def paused_garbage_collector() -> Iterator[None]:
    """Disable the garbage collector and freeze all live objects until the end of the block."""
    was_on = gc.isenabled()
    with frozen_heap():
        gc.disable()
        try:
            yield
        finally:
            if was_on:
                gc.enable()
