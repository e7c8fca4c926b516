"""Lists the installed distributions, read from their metadata folders."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH112, PTH119, PTH123

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from diagnostics.facts.procfs import text
from diagnostics.records import CondaPackage, Distribution
from diagnostics.requirement import normalise
from diagnostics.version import version_key

_HEAD_BYTES = 8192


def installed(sites: tuple[str, ...], pythonpath: tuple[str, ...] = ()) -> tuple[Distribution, ...]:
    """Return every distribution on the given folders, in search order, duplicates kept.

    Of the folders of PYTHONPATH, only what an installer put there counts: a checkout's
    `.egg-info` is no installation.
    """
    found: list[Distribution] = []
    for folder in pythonpath:
        entries = (e for e in _metadata_folders(folder) if e.name.endswith(".dist-info"))
        found += [_read(entry.path) for entry in entries]
    for folder in sites:
        rows = [_read(entry.path) for entry in _metadata_folders(folder)]
        # A record that an upgrade has left behind is no answer: of one folder, the newest counts.
        if len({row.name for row in rows}) < len(rows):
            rows.sort(key=lambda row: version_key(row.version), reverse=True)
        found += rows
    return tuple(found)


def versions(sites: tuple[str, ...]) -> dict[str, str]:
    """Return {normalised name: version} from the names of the metadata folders alone, without a read."""
    found: dict[str, str] = {}
    for folder in reversed(sites):
        for entry in _metadata_folders(folder):
            name, _, version = entry.name.rsplit(".", 1)[0].partition("-")
            found[normalise(name)] = version.split("-py")[0]
    return found


def leftovers(sites: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders that an interrupted pip has left behind: their name begins with `~`."""
    found: list[str] = []
    for folder in sites:
        if Path(folder).is_dir():
            found += [entry.path for entry in os.scandir(folder) if entry.name.startswith("~")]
    return tuple(sorted(found))


def _metadata_folders(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith((".dist-info", ".egg-info")) and not entry.name.startswith("~"):
            yield entry


def _read(folder: str) -> Distribution:
    stem, _, suffix = os.path.basename(folder).rpartition(".")
    name, _, version = stem.partition("-")
    is_wheel = suffix == "dist-info"
    is_folder = os.path.isdir(folder)
    metadata = f"{folder}/{'METADATA' if is_wheel else 'PKG-INFO'}" if is_folder else folder
    fields, flaw = _headers(metadata)
    direct = _json(f"{folder}/direct_url.json") if is_wheel else {}
    about = direct.get("dir_info")
    return Distribution(
        name=normalise((fields.get("name") or [name])[0]),
        version=(fields.get("version") or [version.split("-py")[0]])[0],
        directory=folder,
        installer=_installer(f"{folder}/INSTALLER"),
        requires=tuple(fields.get("requires-dist", ())),
        requires_python=(fields.get("requires-python") or [""])[0],
        tags=tuple(_headers(f"{folder}/WHEEL")[0].get("tag", ())),
        editable=(isinstance(about, dict) and bool(about.get("editable"))) or not is_folder,
        flaw=flaw,
    )


def _headers(path: str) -> tuple[dict[str, list[str]], str]:
    """({lower-case header: values}, flaw): the part before the first empty line."""
    name = os.path.basename(path)
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(_HEAD_BYTES)
            # Most of a METADATA file is a README, which nobody here reads.
            while b"\n\n" not in head and (more := file.read(_HEAD_BYTES)):
                head += more
    except OSError as error:
        return {}, f"{name}: {error.strerror or type(error).__name__}"
    lines = head.partition(b"\n\n")[0].decode("utf-8", errors="replace").splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and not line.startswith((" ", "\t")):
            found.setdefault(key.lower(), []).append(value.strip())
    if name in ("METADATA", "PKG-INFO") and not ({"name", "version"} <= found.keys()):
        return found, f"{name} has no Name or no Version"
    return found, ""


def _installer(path: str) -> str:
    """The tool in lower case without its version: Poetry writes `Poetry 1.8.3`."""
    words = text(path).split()
    return words[0].lower()[:40] if words else ""


def _json(path: str) -> dict[str, object]:
    try:
        with open(path, "rb") as file:
            data = json.load(file)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _channel(value: object) -> str:
    """The channel's name: the record holds a name or an address such as `.../conda-forge/linux-64`."""
    parts = [part for part in str(value or "").split("/") if part]
    if parts and parts[-1].startswith(("linux-", "osx-", "win-", "noarch")):
        parts.pop()
    return parts[-1] if parts else ""


def conda_packages(prefix: str) -> tuple[tuple[CondaPackage, ...], frozenset[str]]:
    """Return what conda installed in the prefix, and the paths of its files below the prefix."""
    found: list[CondaPackage] = []
    files: set[str] = set()
    for path in sorted(Path(prefix, "conda-meta").glob("*.json")):
        data = _json(str(path))
        stem = path.stem.rsplit("-", 2)
        padded = [*stem, "", ""]
        own = data.get("files")
        if isinstance(own, list):
            files.update(item for item in own if isinstance(item, str))
        found.append(
            CondaPackage(
                name=str(data.get("name") or padded[0]),
                version=str(data.get("version") or padded[1]),
                build=str(data.get("build") or padded[2]),
                channel=_channel(data.get("channel")),
            )
        )
    return tuple(found), frozenset(files)
