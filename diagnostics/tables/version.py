"""The release part of a version as numbers, for look-ups in the tables."""

from __future__ import annotations

import re

_RELEASE = re.compile(r"\s*v?(?:\d+!)?(\d+(?:\.\d+)*)")


def numbers(version: str) -> tuple[int, ...]:
    """Return the release numbers of a version: `2.15.0+cu132` -> (2, 15, 0); () when there are none."""
    match = _RELEASE.match(version)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def release_of(version: str) -> str:
    """Return the version without a local label: `2.15.0+cu132` -> `2.15.0`."""
    return version.partition("+")[0].strip()


def variant_of(version: str) -> str:
    """Return the local label: `2.15.0+cu132` -> `cu132`; empty when there is none."""
    return version.partition("+")[2].strip()


def is_final(version: str) -> bool:
    """Return True for a plain release, False for development, pre- and post-releases."""
    return re.fullmatch(r"\s*v?\d+(\.\d+)*\s*", release_of(version)) is not None
