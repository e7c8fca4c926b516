"""Worker side. Search of a graph file's bytes for absolute paths of the build machine."""

from __future__ import annotations

import mmap
import os
import re
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path


class PathLeakError(RuntimeError):
    """Error raised if a graph contains an absolute path of this machine."""


def machine_paths() -> tuple[str, ...]:
    """Return folders whose names must not be in a graph: source, home, site-packages, temporary and current folder."""
    folders = (
        str(Path(__file__).resolve().parents[3]),
        str(Path.home()),
        sysconfig.get_paths()["purelib"],
        tempfile.gettempdir(),
        str(Path.cwd()),
    )
    return tuple(dict.fromkeys(f for f in folders if Path(f) != Path(Path(f).anchor)))


def find_paths(file: Path, folders: Iterable[str]) -> list[str]:
    """Return the paths below `folders` that occur in the file's bytes, each once.

    A match needs a separator and three more printable characters: five bytes like `/tmp/` alone occur by chance in half
    a gigabyte of weights.
    """
    found: dict[str, None] = {}
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for folder in folders:
            needle = (folder.rstrip(os.sep) + os.sep).encode()
            at = data.find(needle)
            while at >= 0:
                rest = re.match(
                    rb"[\x20-\x7e]{3,200}", data[at + len(needle) : at + len(needle) + 200]
                )
                if rest:
                    found[(needle + rest[0]).decode()] = None
                at = data.find(needle, at + len(needle))
    return list(found)


def refuse_paths(file: Path, folders: Iterable[str] | None = None) -> None:
    """Raise PathLeakError naming the paths of this machine inside the file."""
    if found := find_paths(file, machine_paths() if folders is None else folders):
        raise PathLeakError(
            f"{file.name} holds {len(found)} absolute paths of this machine, e.g. {found[0]!r}; expected none:"
            " add the metadata key that carries them to suite.stages.export.dynamo.LEAKS"
        )
