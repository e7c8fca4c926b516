"""Reads small files of /proc and /sys, which may be missing, unreadable or malformed."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH113, PTH123, PTH208

from __future__ import annotations

import os


def text(path: str, limit: int = 1 << 16) -> str:
    """Return the stripped text of the file, "" when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", errors="replace").strip()
    except OSError:
        return ""


def number(path: str, fallback: int = -1) -> int:
    """Return the first whole number of the file, `fallback` when there is none."""
    words = text(path).split()
    try:
        return int(words[0])
    except (IndexError, ValueError):
        return fallback


def fields(path: str) -> dict[str, int]:
    """Return {first word without colon: second word as a number}, such as /proc/meminfo or memory.stat."""
    found: dict[str, int] = {}
    for line in text(path).splitlines():
        words = line.replace(":", " ").split()
        if len(words) >= 2 and words[1].lstrip("-").isdigit():
            found[words[0]] = int(words[1])
    return found


def names(folder: str) -> tuple[str, ...]:
    """Return the sorted names in the folder, () when it cannot be listed."""
    try:
        return tuple(sorted(os.listdir(folder)))
    except OSError:
        return ()


def which(name: str, path: str | None = None) -> str:
    """Return the program of that name on the path (PATH when None), "" when there is none.

    `shutil.which` does more, and its module takes longer to import than all look-ups together.
    """
    if "/" in name:
        return name if os.access(name, os.X_OK) else ""
    search = os.environ.get("PATH", os.defpath) if path is None else path
    for folder in search.split(os.pathsep):
        candidate = f"{folder}/{name}" if folder else ""
        if name and candidate and os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    return ""
