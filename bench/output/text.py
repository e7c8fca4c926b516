"""Text cut to the room that there is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def distinct_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return the shortest ends of the paths that tell them apart: `a/net.onnx`, `b/net.onnx`.

    A path that is there twice has its place behind it.
    """
    names = []
    for number, path in enumerate(paths, start=1):
        others = [other.parts for place, other in enumerate(paths, start=1) if place != number]
        for length in range(1, len(path.parts) + 1):
            if all(other[-length:] != path.parts[-length:] for other in others):
                names.append("/".join(path.parts[-length:]))
                break
        else:
            names.append(f"{path.as_posix()} ({number})")
    return tuple(names)


def shortened(text: str, limit: int) -> str:
    """The text, its middle left out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"
