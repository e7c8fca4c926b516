"""Worker side. The garbage collector, paused or kept from live objects while something is measured."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Collect, and leave all objects that are live out of the collections until the end of the block.

    In the fork of a launcher they stay out of them: it froze what it had imported, and thawing that as well would
    make every later collection scan all of it, a tenth of a second and more each.
    """
    was_frozen = gc.get_freeze_count() > 0
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
