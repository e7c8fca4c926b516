"""Removal of control codes: names and messages of others must not steer the terminal that shows them."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TextIO, TypeVar

T = TypeVar("T")

_CODES: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""C0 and C1 but tab and newline, and the codes that reverse the order of what follows."""


def without_codes(text: str) -> str:
    """Return the text without control codes; tabs and line ends stay."""
    return _CODES.sub("", text)


def calmed(value: T) -> T:
    """Return a copy of the frozen dataclass, or of what holds some, with control codes removed from every text."""
    return _calmed(value)  # type: ignore[no-any-return]


def _calmed(value: Any) -> Any:
    if isinstance(value, str):
        # A member of an enumeration is one of our own words.
        return without_codes(value) if type(value) is str else value
    if isinstance(value, tuple):
        return tuple(map(_calmed, value))
    if isinstance(value, list):
        return [_calmed(item) for item in value]
    if isinstance(value, dict):
        return {_calmed(key): _calmed(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _calmed(getattr(value, f.name)) for f in fields(value)})
    return value


@contextlib.contextmanager
def calm_errors() -> Iterator[None]:
    """Let no control code reach standard error in the block: an error may quote a name out of a file of others."""
    before = sys.stderr
    sys.stderr = _CalmStream(before)
    try:
        yield
    finally:
        sys.stderr = before


class _CalmStream:
    """A stream that takes everything but control codes."""

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner

    def write(self, text: str) -> int:
        self._inner.write(without_codes(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
