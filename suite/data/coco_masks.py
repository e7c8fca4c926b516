"""Masks from COCO's segmentations: polygons, and run lengths as numbers or as COCO's compressed text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def mask(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask [height, width] of one object."""
    if isinstance(segmentation, list):
        return polygons(segmentation, height, width)
    counts = segmentation["counts"]
    return run_lengths(unpack(counts) if isinstance(counts, str) else counts, height, width)


def polygons(rings: list[list[float]], height: int, width: int) -> NDArray[np.bool_]:
    """Return the union of the polygons [x1, y1, x2, y2, ...], drawn by Pillow, borders included."""
    import numpy as np
    from PIL import Image, ImageDraw

    xs = [value for ring in rings for value in ring[::2]]
    ys = [value for ring in rings for value in ring[1::2]]
    # Draw only the polygons' bounding box: most objects are a small part of their picture.
    left, top = (max(0, int(min(values, default=0)) - 1) for values in (xs, ys))
    right, bottom = (
        min(size, int(max(values, default=0)) + 3) for size, values in ((width, xs), (height, ys))
    )
    result = np.zeros((height, width), dtype=np.bool_)
    if left < right and top < bottom:
        canvas = Image.new("L", (right - left, bottom - top))
        draw = ImageDraw.Draw(canvas)
        for ring in rings:
            corners = [(x - left, y - top) for x, y in zip(ring[::2], ring[1::2], strict=True)]
            draw.polygon(corners, fill=1, outline=1)
        result[top:bottom, left:right] = np.asarray(canvas).view(np.bool_)
    return result


def run_lengths(counts: list[int], height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask of alternating column-major runs, outside first; missing pixels at the end are outside.

    Raise ValueError if the runs are longer than the picture.
    """
    import numpy as np

    values = np.arange(len(counts)) % 2 == 1
    flat = np.repeat(values, counts)
    if len(flat) > height * width:
        raise ValueError(f"run lengths cover {len(flat)} pixels of {height * width}")
    return np.pad(flat, (0, height * width - len(flat))).reshape(width, height).T


def unpack(text: str) -> list[int]:
    """Decode the run lengths in COCO's compressed text.

    Each character minus '0' has five bits, low ones first, and a sixth that flags more; values are signed; from
    the fourth on, each is the difference to the value two before (cocoapi, common/maskApi.c, rleFrString).
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts
