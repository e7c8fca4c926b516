"""Reads lock files: uv.lock, poetry.lock, pdm.lock, pylock.toml and Pipfile.lock."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diagnostics.lint.plan import Plan, Reading, Wish, wish
from diagnostics.requirement import normalise


def _toml_lock(path: Path) -> Reading:
    """Return one plan per set of versions that are installed together.

    A lock can hold a package twice, for extras or platforms that exclude each other; the
    dependencies of torchvision then say which torch it goes with.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8", "replace"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    rows = data.get("package", data.get("packages"))
    if not isinstance(rows, list):
        raise ValueError(f"{path}: not read, it has no list of packages")
    entries = [row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in entries:
        by_name.setdefault(normalise(row["name"]), []).append(row)
    requires = str(data.get("requires-python", ""))
    if not requires and isinstance(data.get("metadata"), dict):
        requires = str(data["metadata"].get("python-versions", ""))
    single = [_wish(rows[0], path) for rows in by_name.values() if len(rows) == 1]
    several = {name: rows for name, rows in by_name.items() if len(rows) > 1}
    base = [item for item in single if item is not None]
    installer = "uv" if path.name == "uv.lock" else "poetry" if "poetry" in path.name else "pip"
    reading = Reading()
    for chosen in _combinations(several):
        items = [*base, *(item for row in chosen if (item := _wish(row, path)) is not None)]
        reading.plans.append(
            Plan(
                wishes=tuple(items),
                source=str(path),
                indexes=tuple(dict.fromkeys(_sources(entries))),
                installer=installer,
                requires_python=requires,
            )
        )
    return reading


def _combinations(several: dict[str, list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Return sets of entries that belong together: one per torch that occurs more than once."""
    torches = several.get("torch", [])
    partners = [row for name in ("torchvision", "torchaudio") for row in several.get(name, [])]
    if not torches and not partners:
        return [[]]
    found = []
    for torch in torches or [{}]:
        together = [row for row in partners if not torch or _goes_with(row, torch)]
        found += [[torch, row] if torch else [row] for row in together] or [[torch]]
    return found


def _goes_with(partner: dict[str, Any], torch: dict[str, Any]) -> bool:
    """Return True when the dependencies of a partner name this version of torch, or none."""
    for item in partner.get("dependencies", []):
        if isinstance(item, dict) and item.get("name") == "torch":
            version = item.get("version")
            if version is not None and version == torch.get("version"):
                return True
    named = [
        item
        for item in partner.get("dependencies", [])
        if isinstance(item, dict) and item.get("name") == "torch" and item.get("version")
    ]
    return not named


def _wish(row: dict[str, Any], path: Path) -> Wish | None:
    version = row.get("version")
    if not isinstance(version, str):
        return None
    return wish(f"{row['name']}=={version}", f"{path} {row['name']}")


def _sources(entries: list[dict[str, Any]]) -> list[str]:
    found = []
    for row in entries:
        source = row.get("source")
        address = source.get("registry") or source.get("url") if isinstance(source, dict) else None
        address = address or row.get("index")
        if isinstance(address, str) and normalise(row["name"]) in ("torch", "torchvision"):
            found.append(address)
    return found


def _pipfile_lock(path: Path) -> Reading:
    try:
        data = json.loads(path.read_text("utf-8", "replace"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("default"), dict):
        raise ValueError(f"{path}: not read, it has no section `default`")
    items = []
    for section in ("default", "develop"):
        for name, row in (data.get(section) or {}).items():
            version = row.get("version", "") if isinstance(row, dict) else ""
            item = wish(f"{name}{version}", f"{path} {name}")
            if item is not None:
                items.append(item)
    meta = data.get("_meta")
    sources = meta.get("sources", []) if isinstance(meta, dict) else []
    addresses = [str(source.get("url", "")) for source in sources if isinstance(source, dict)]
    return Reading(plans=[Plan(wishes=tuple(items), source=str(path), indexes=tuple(addresses))])


LOCKS: dict[str, Callable[[Path], Reading]] = {
    "uv.lock": _toml_lock,
    "poetry.lock": _toml_lock,
    "pdm.lock": _toml_lock,
    "pylock.toml": _toml_lock,
    "pipfile.lock": _pipfile_lock,
}
"""File name in lower case -> its reader."""
