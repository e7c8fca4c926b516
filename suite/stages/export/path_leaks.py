"""Worker side. Whether a graph file tells where it was built: a search of its bytes for the
machine's own paths.
"""

from __future__ import annotations

import mmap
import os
import re
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path


class PathLeakError(RuntimeError):
    """An absolute path of this machine is inside a graph."""


def machine_paths() -> tuple[str, ...]:
    """Folders whose names must not get into a graph: our source, the home, site-packages,
    temporary files, where we are.
    """
    folders = (
        str(Path(__file__).resolve().parents[3]),
        str(Path.home()),
        sysconfig.get_paths()["purelib"],
        tempfile.gettempdir(),
        str(Path.cwd()),
    )
    return tuple(dict.fromkeys(f for f in folders if Path(f) != Path(Path(f).anchor)))


def find_paths(file: Path, folders: Iterable[str]) -> list[str]:
    """The paths below `folders` that occur in the file's bytes, each once.

    A hit needs a separator and three more printable characters: five bytes like `/tmp/` alone turn
    up by chance in half a gigabyte of weights.
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
    """Raises PathLeakError naming the paths of this machine inside the file."""
    if found := find_paths(file, machine_paths() if folders is None else folders):
        raise PathLeakError(
            f"{file.name} holds {len(found)} absolute paths of this machine, e.g. {found[0]!r}; expected none:"
            " add the metadata key that carries them to suite.stages.export.dynamo.LEAKS"
        )
