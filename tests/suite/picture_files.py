"""Small picture files for the tests of folder data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_picture(path: Path, *, height: int = 24, width: int = 32, seed: int = 0) -> Path:
    """A picture of noise, JPEG or PNG by the file's suffix; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def truncate(path: Path) -> Path:
    """The first half of the file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def damage(path: Path) -> Path:
    """Both ends stay, what lies between does not decode."""
    data = path.read_bytes()
    path.write_bytes(data[:2] + bytes(len(data) - 4) + data[-2:])
    return path
