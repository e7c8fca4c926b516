"""Text shortened to the available space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def distinct_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return the shortest ends of the paths that distinguish them: `a/net.onnx`, `b/net.onnx`.

    A path that occurs twice is followed by its position.
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
    """Return the text, its middle left out if it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = (limit - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def sentence(text: str) -> str:
    """Return the text with a capital first letter, unless it is a name such as mIoU."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]
