"""Facts of a record as what they should be: a value of another kind is as good as none, and never an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def number(value: object) -> float | None:
    """The finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def whole(value: object) -> int | None:
    """The finite number without its fraction, or None."""
    found = number(value)
    return None if found is None else int(found)


def numbers(value: object) -> tuple[float, ...]:
    """The numbers of a sequence, NaN and infinities among them; empty for anything else."""
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(
        float(item)
        for item in value
        if isinstance(item, (int, float)) and not isinstance(item, bool)
    )


def seconds(value: object) -> tuple[float, ...]:
    """The times of a sequence; empty when one of them is none."""
    found = numbers(value)
    return found if found and all(math.isfinite(s) and s > 0 for s in found) else ()


def mapping(value: object) -> Mapping[str, Any]:
    """The mapping, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def entries(value: object) -> Sequence[Mapping[str, Any]]:
    """The mappings of a sequence."""
    if not isinstance(value, (list, tuple)):
        return ()
    return [item for item in value if isinstance(item, Mapping)]


def text(value: object) -> str:
    """The text; of a number its digits; empty for None and for collections."""
    return "" if value is None or isinstance(value, (list, tuple, Mapping)) else str(value)


def texts(value: object) -> tuple[str, ...]:
    """The texts of a sequence."""
    return (
        tuple(text(item) for item in value if text(item))
        if isinstance(value, (list, tuple))
        else ()
    )


def counts(value: object) -> dict[str, int]:
    """Name -> count, most frequent first."""
    found = {str(k): n for k, v in mapping(value).items() if (n := whole(v)) is not None}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))
