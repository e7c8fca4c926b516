"""States on disk: a folder per key with its files and a manifest of their checksums, written atomically."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from suite.scratch_folder import remove_abandoned, scratch_folder

SCHEMA: Final = 2
"""2: `result` is an encoded StepOutput; entries of another schema are recomputed."""
UNFINISHED: Final = ".unfinished-"
"""Prefix of the folders of entries that are being made."""
MANIFEST: Final = "manifest.json"
MAX_BYTES: Final = 30 * 1024**3
"""The whole catalogue at base needs about a third."""
STALE: Final = 24 * 3600.0
"""Age in seconds beyond which an unfinished folder is taken to belong to a dead process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored state."""

    folder: Path
    key: str
    content: Mapping[str, Any]
    """What the function that created it returned, as JSON-able data: for a stage, its encoded StepOutput."""

    def file(self, name: str) -> Path:
        """Return the path of one of its files."""
        return self.folder / name


def find(store: Path, stem: str, key: str) -> Entry | None:
    """Return the entry of that key, its files checked by size and SHA-256; None if there is no valid one.

    A damaged entry is deleted and logged, so that it is recomputed.
    """
    folder = store / f"{stem}-{key[:24]}"
    try:
        held = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if held["schema"] != SCHEMA:
            return None
        content = dict(held["result"])
        sound = held["key"] == key and _is_whole(folder, held["files"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        print(f"state store: {folder.name} is damaged; it is made again")
        shutil.rmtree(folder, ignore_errors=True)
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / MANIFEST)  # records the last use, for `prune`
    return Entry(folder=folder, key=key, content=content)


def newest_parts(store: Path, stem: str) -> dict[str, str]:
    """Return the `parts` of the entry of that stem that was used last; empty if there is none."""
    found: list[tuple[float, dict[str, str]]] = []
    for folder in store.glob(f"{stem}-*"):
        if re.fullmatch(r"[0-9a-f]{24}", folder.name.removeprefix(f"{stem}-")):
            with contextlib.suppress(
                OSError, ValueError, TypeError, AttributeError, RecursionError
            ):
                manifest = folder / MANIFEST
                held = json.loads(manifest.read_text(encoding="utf-8"))
                found.append((manifest.stat().st_mtime, dict(held.get("parts", {}))))
    return max(found, default=(0.0, {}), key=lambda pair: pair[0])[1]


def keep(
    store: Path,
    stem: str,
    key: str,
    write: Callable[[Path], Mapping[str, Any]],
    parts: Mapping[str, str] | None = None,
) -> Entry:
    """Call `write(folder)` on an empty folder and store it, with the JSON-able return value, as the entry of `key`.

    `parts`, name -> digest, is what the key was made of, by which a later one can be told from it. When `write` raises
    or the process dies, no entry is left. Raises OSError when the disk is full.
    """
    store.mkdir(parents=True, exist_ok=True)
    with scratch_folder(UNFINISHED, store) as unfinished:
        result = dict(write(unfinished))
        files = {
            path.relative_to(unfinished).as_posix(): [path.stat().st_size, sha256_of(path)]
            for path in sorted(unfinished.rglob("*"))
            if path.is_file()
        }
        held = {
            "schema": SCHEMA,
            "key": key,
            "files": files,
            "parts": dict(parts or {}),
            "result": result,
        }
        (unfinished / MANIFEST).write_text(json.dumps(held, indent=1), encoding="utf-8")
        folder = store / f"{stem}-{key[:24]}"
        _put(unfinished, folder)
    return Entry(folder=folder, key=key, content=result)


def _put(unfinished: Path, folder: Path) -> None:
    """Rename the folder; another process may put the same entry there at the same time."""
    for last in (*[False] * 20, True):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            unfinished.replace(folder)
            return
        except OSError as error:
            if last or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


def prune(store: Path, max_bytes: int = MAX_BYTES) -> list[str]:
    """Delete the least recently used entries until the rest is within `max_bytes`; return the names of the deleted."""
    if not store.is_dir():
        return []
    remove_abandoned(store, UNFINISHED)
    now, found = time.time(), []
    for folder in store.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if folder.name.startswith("."):
                if now - folder.stat().st_mtime > STALE:
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            found.append(((folder / MANIFEST).stat().st_mtime, folder, size))
    total = sum(size for _, _, size in found)
    deleted = []
    for _, folder, size in sorted(found):
        if total <= max_bytes:
            break
        shutil.rmtree(folder, ignore_errors=True)
        deleted.append(folder.name)
        total -= size
    return deleted


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_whole(folder: Path, files: Mapping[str, Any]) -> bool:
    return all(
        (folder / name).stat().st_size == size and sha256_of(folder / name) == digest
        for name, (size, digest) in files.items()
    )
