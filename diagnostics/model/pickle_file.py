"""Walks over a pickle without running what is in it."""

from __future__ import annotations

import pickletools

LIMIT = 16 * 2**20
"""Bytes that are walked; the opcodes of older checkpoints come before their data."""


def damage(view: memoryview) -> str:
    """Return what is wrong with the first pickle in the data; empty when it is whole. Never raises."""
    try:
        for _opcode, _argument, _at in pickletools.genops(bytes(view[:LIMIT])):
            pass
    except Exception as error:  # the walk raises whatever the bytes lead it to
        return "" if len(view) > LIMIT else str(error) or type(error).__name__
    return ""
