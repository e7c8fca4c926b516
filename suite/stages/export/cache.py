"""Worker side. Export cache: entries are keyed by all inputs of an export and verified before use.

An entry is `<stem>-<key>.onnx` and `<stem>-<key>.json`. Both are written under a temporary name and renamed; the JSON
is written last and holds the size and SHA-256 of the graph, so an incomplete or altered entry is never used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from suite.scratch_folder import PARTIAL, remove_abandoned, scratch_folder

SCHEMA: Final = 2
"""Version of the data stored with a graph; entries of other versions are replaced."""
MAX_BYTES: Final = 20 * 1024**3
"""Four times the size of the whole catalogue at base size."""

STALE: Final = 3600.0
"""Seconds after which a graph without its JSON is considered abandoned."""


def entry_of(folder: Path, stem: str, key: str) -> Path:
    """Return the path of the entry's JSON file, whether it exists or not; the graph has the same name with .onnx."""
    return folder / f"{stem}-{key[:24]}.json"


def load(entry: Path, key: str, output: Path) -> dict[str, Any] | None:
    """Place the entry's graph at `output` and return the data stored with it, or None without a valid entry.

    A damaged entry is deleted, so that the next export replaces it. The graph is a hard link if the file system allows
    it, else a copy.
    """
    graph = entry.with_suffix(".onnx")
    try:
        held = json.loads(entry.read_text(encoding="utf-8"))
        if held["schema"] != SCHEMA:
            print(f"export cache: {entry.name} is of another version; exporting again")
            remove(entry)
            return None
        # Other processes may replace or delete the entry at any moment: what is placed is what is checked.
        put(graph, output)
        stored = dict(held["stored"])
        sound = (
            held["key"] == key
            and held["num_bytes"] == output.stat().st_size
            and held["sha256"] == sha256_of(output)
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        sound = False
    if not sound:
        print(f"export cache: {entry.name} is damaged; exporting again")
        remove(entry)
        output.unlink(missing_ok=True)
        return None
    with contextlib.suppress(OSError):  # deleted meanwhile, or a cache that may only be read
        os.utime(entry)  # time of last use, for prune
    return stored


def store(entry: Path, key: str, graph: Path, stored: Mapping[str, Any]) -> None:
    """Store `graph` and the JSON-able `stored` as this entry. Raises OSError if the disk is full."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    held = {
        "schema": SCHEMA,
        "key": key,
        "num_bytes": graph.stat().st_size,
        "sha256": sha256_of(graph),
        "stored": dict(stored),
    }
    put(graph, entry.with_suffix(".onnx"))
    with _temporary(entry) as path:
        path.write_text(json.dumps(held, indent=1), encoding="utf-8")
        path.replace(entry)


def prune(folder: Path, max_bytes: int = MAX_BYTES) -> list[str]:
    """Delete the least recently used entries until the rest is within `max_bytes`; return the deleted names.

    What killed processes have left, and stale graphs without their JSON, is deleted too.
    """
    if not folder.is_dir():
        return []
    remove_abandoned(folder, PARTIAL)
    now = time.time()
    for path in folder.iterdir():
        orphan = path.suffix == ".onnx" and not path.with_suffix(".json").exists()
        with contextlib.suppress(FileNotFoundError):
            if (orphan or path.suffix == ".partial") and now - path.stat().st_mtime > STALE:
                path.unlink()
    entries = []
    for entry in folder.glob("*.json"):
        with contextlib.suppress(FileNotFoundError):
            graph = entry.with_suffix(".onnx").stat()
            held = entry.stat()
            entries.append((held.st_mtime, entry, graph.st_size + held.st_size))
    total = sum(size for _, _, size in entries)
    deleted = []
    for _, entry, size in sorted(entries):
        if total <= max_bytes:
            break
        remove(entry)
        deleted.append(entry.stem)
        total -= size
    return deleted


def remove(entry: Path) -> None:
    """Delete an entry, the JSON first, so that it never refers to a missing graph."""
    entry.unlink(missing_ok=True)
    entry.with_suffix(".onnx").unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file's bytes in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def put(source: Path, target: Path) -> None:
    """Atomically replace `target` with a hard link to `source`, or with a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(target) as path:
        try:
            os.link(source, path)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, path)
        path.replace(target)


@contextlib.contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """Yield the path of a file to write, on the file system of `target`; it is deleted unless it is renamed."""
    with scratch_folder(PARTIAL, target.parent) as folder:
        yield folder / target.name
