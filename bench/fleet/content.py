"""Files that travel between driver and nodes: by the hash of their content, in parts, once to each node."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suite.source_files import files_read_by

PART_BYTES: Final = 16 << 20
"""Bytes of one part: what either side holds in memory of a file."""
KEPT_SECONDS: Final = 7 * 86400.0
"""Files that no run has used for that long are removed from a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file that a unit needs."""

    path: str
    """Where it lies: absolute on the driver's machine (an input), or relative to the run folder."""
    sha256: str
    size: int = 0

    @property
    def is_input(self) -> bool:
        """Whether it is a file of the user's and not one of the run."""
        return Path(self.path).is_absolute()


def sha256_of(path: Path) -> str:
    """Return the digest of the file's content; raise OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parts_of(path: Path) -> Iterator[bytes]:
    """Yield the file's content in parts; one empty part for an empty file."""
    with path.open("rb") as file:
        yield file.read(PART_BYTES)
        while part := file.read(PART_BYTES):
            yield part


@dataclass(frozen=True, slots=True)
class ContentStore:
    """Folder with files named after the hash of their content."""

    folder: Path

    def has(self, sha256: str) -> bool:
        """Return whether the content is here; a file that is used stays."""
        path = self.folder / sha256
        with contextlib.suppress(OSError):
            os.utime(path)
            return True
        return False

    def add(self, sha256: str, parts: Iterable[bytes]) -> None:
        """Write the content under its hash; raise ValueError if it has another."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_parts(self.folder / sha256, parts, sha256)

    def place(self, sha256: str, target: Path) -> None:
        """Make the content appear at `target`; a link where the file system has them, so that it costs no space."""
        target.parent.mkdir(parents=True, exist_ok=True)
        source = self.folder / sha256
        if target.exists():
            return
        try:
            os.link(source, target)
        except FileExistsError:
            return
        except OSError:
            shutil.copyfile(source, target)

    def clear_old(self, now: float | None = None) -> None:
        """Remove what no run has used lately."""
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if (now or time.time()) - path.stat().st_mtime > KEPT_SECONDS:
                    path.unlink(missing_ok=True)


def write_parts(path: Path, parts: Iterable[bytes], sha256: str) -> None:
    """Write a file atomically from its parts; raise ValueError if its content has another hash."""
    digest = hashlib.sha256()
    draft = path.with_name(f".{path.name}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        with draft.open("wb") as file:
            for part in parts:
                digest.update(part)
                file.write(part)
        if digest.hexdigest() != sha256:
            raise ValueError(f"{path.name}: the content that arrived is not the one that was sent")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def input_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that these inputs consist of, sorted.

    A folder's files are all sent, without hidden ones; of a Python file also those that it imports from its folder; of
    any other file those beside it that begin with its name or its stem, which is how ONNX keeps weights outside.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found |= {
                file
                for file in path.rglob("*")
                if file.is_file()
                and not any(part.startswith(".") for part in file.relative_to(path).parts)
            }
        elif path.suffix == ".py":
            found |= set(files_read_by(path))
        elif path.is_file():
            beside = (file for file in path.parent.iterdir() if file.name.startswith(path.stem))
            found |= {path, *(file for file in beside if file.is_file())}
    return sorted(found)


def placed(path: str, root: Path) -> Path:
    """Return where an input with that absolute path lies on a node: the same path below `root`."""
    return root / Path(path).relative_to(Path(path).anchor)
