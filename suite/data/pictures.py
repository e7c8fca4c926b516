"""Picture files: finding truncated ones with the standard library, and decoding them (worker side)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from suite.data.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIXES: Final = (".jpg", ".jpeg", ".png")

MARKERS: Final = (
    # kind, how a file begins, what is found near its end
    ("JPEG", b"\xff\xd8", b"\xff\xd9"),
    ("PNG", b"\x89PNG\r\n\x1a\n", b"IEND"),
)

TAIL: Final = 1024
"""Bytes at the end in which the end marker must lie; cameras and editors append a little to a whole picture."""


def places(folder: Path) -> Iterator[Path]:
    """The folder itself, then the folders in it by name: where a data set may lie."""
    yield folder
    yield from sorted(child for child in folder.iterdir() if child.is_dir())


def is_picture(path: Path) -> bool:
    """True for a visible file with a picture's suffix."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def check_picture(path: Path) -> None:
    """Raises DataError when the file is missing, empty, no JPEG or PNG, or ends before its end marker.

    Reads the first and the last bytes only, so that a hundred thousand files take seconds.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            tail = file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a picture") from error
    for kind, begin, end in MARKERS:
        if head.startswith(begin):
            if end not in tail:
                raise DataError(
                    f"{path}: this {kind} is truncated, its end marker is missing ({size} bytes);"
                    " copy or download the file again"
                )
            return
    what = "is empty" if not size else f"begins with {head[:4].hex(' ')}"
    raise DataError(f"{path}: expected a JPEG or PNG picture, but the file {what}; replace it")


def decode(path: Path) -> NDArray[np.uint8]:
    """The picture [height, width, 3] in RGB; raises DataError when it does not decode."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: does not decode as a picture ({error}); replace the file or remove it"
        ) from error


def first(folder: Path, holds: Callable[[Path], bool]) -> Path | None:
    """The first of `places(folder)` that `holds` the layout, or None."""
    return next((place for place in places(folder) if holds(place)), None)
