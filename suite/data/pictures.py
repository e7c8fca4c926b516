"""Picture files: detecting truncated ones with the standard library, and decoding (worker side)."""

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
    # kind, first bytes, end marker
    ("JPEG", b"\xff\xd8", b"\xff\xd9"),
    ("PNG", b"\x89PNG\r\n\x1a\n", b"IEND"),
)

MOST_PIXELS: Final = 2000
"""Pixels that a byte of a file may stand for. Photographs have 2 to 50; a damaged header claims any number, and the
memory for it would be taken before the damage is noticed.
"""

TAIL: Final = 1024
"""Bytes at the end that must hold the end marker; cameras and editors append a little to a whole picture."""


def places(folder: Path) -> Iterator[Path]:
    """Yield the folders where a data set may be: the folder itself, then its subfolders by name."""
    yield folder
    yield from sorted(child for child in folder.iterdir() if child.is_dir())


def is_picture(path: Path) -> bool:
    """Return whether the file is visible and has a picture's suffix."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def check_picture(path: Path) -> None:
    """Raise DataError if the file is missing, empty, not JPEG or PNG, or lacks its end marker.

    Reads only the first and last bytes: a hundred thousand files take seconds.
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
    """Return the picture [height, width, 3] in RGB; raise DataError if it does not decode."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MOST_PIXELS * path.stat().st_size:
                raise ValueError(f"{width} x {height} pixels in {path.stat().st_size} bytes")
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path}: does not decode as a picture ({error}); replace the file or remove it"
        ) from error


def first(folder: Path, holds: Callable[[Path], bool]) -> Path | None:
    """Return the first of `places(folder)` for which `holds` is true, or None."""
    return next((place for place in places(folder) if holds(place)), None)
