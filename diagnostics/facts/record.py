"""Compare the RECORD of every distribution with the disk: what is missing, cut short or claimed twice."""

# Plain os calls start faster than pathlib and take most of the second that a run may take.
# ruff: noqa: PTH114, PTH116, PTH120, PTH123

from __future__ import annotations

import base64
import os
import stat
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from diagnostics.records import Damage, Distribution, Files, Loss, Overlap

NUM_EXAMPLES = 6
LARGEST_HASHED = 8 << 20
"""Bytes of a file that is hashed to see whose it is, where sizes are equal."""
_ISREG = stat.S_ISREG


class _Claim(NamedTuple):
    """One line of a RECORD."""

    name: str
    digest: str
    size: str


@dataclass(slots=True)
class _Survey:
    """What has been seen while the RECORDs are read."""

    conda_files: frozenset[str]
    """Paths of conda's own records; empty outside of conda."""
    claims: dict[str, dict[str, tuple[str, str, str]]] = field(default_factory=dict)
    """Site folder -> path below it -> the first claim of it: name, digest, size."""
    contested: dict[str, list[_Claim]] = field(default_factory=dict)
    """Path -> its claims, where two distributions promise different contents."""
    num_files: dict[str, int] = field(default_factory=dict)
    missing: dict[str, list[Damage]] = field(default_factory=dict)
    changed: dict[str, list[Damage]] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)


def survey(
    distributions: tuple[Distribution, ...], conda_files: frozenset[str] = frozenset()
) -> tuple[Files, dict[str, str]]:
    """Return the files that differ from RECORD, and {path of a shared library: its distribution}.

    Existence and size only, `.pyc` skipped: no hashing, so 50,000 files take under half a second.
    What conda installed is compared with conda's records: it moves and patches files after the
    wheel's RECORD was written, so that neither absence nor size tells anything by itself.
    """
    seen = _Survey(conda_files)
    for distribution in distributions:
        if distribution.directory.endswith(".dist-info"):
            _compare(distribution, seen)
    found_by = {path: _owner_on_disk(path, claims) for path, claims in seen.contested.items()}
    _forget_contested(seen, found_by)
    files = Files(
        num_files=sum(seen.num_files.values()),
        losses=tuple(_losses(seen)),
        damages=tuple(_examples(seen)),
        overlaps=tuple(_overlaps(seen, found_by)),
    )
    return files, seen.libraries


def _owner_on_disk(path: str, claims: list[_Claim]) -> str:
    """The claimant whose file is there, "" when it is nobody's or cannot be told."""
    try:
        size = os.stat(path).st_size
    except OSError:
        return ""
    fitting = [claim for claim in claims if claim.size == str(size)]
    if len(fitting) == 1:
        return fitting[0].name
    if not fitting or size > LARGEST_HASHED:
        return ""
    import hashlib

    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).digest()
    mine = "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return next((claim.name for claim in fitting if claim.digest == mine), "")


def _forget_contested(seen: _Survey, found_by: dict[str, str]) -> None:
    """A file that holds what another owner promises was replaced, not damaged."""
    for name, damages in seen.changed.items():
        kept = [d for d in damages if found_by.get(d.path, name) in ("", name)]
        seen.changed[name] = kept


def _losses(seen: _Survey) -> Iterator[Loss]:
    for name in dict.fromkeys((*seen.missing, *seen.changed)):
        missing, changed = len(seen.missing.get(name, ())), len(seen.changed.get(name, ()))
        if missing or changed:
            yield Loss(
                distribution=name,
                num_files=seen.num_files[name],
                num_missing=missing,
                num_changed=changed,
            )


def _examples(seen: _Survey) -> Iterator[Damage]:
    for name in dict.fromkeys((*seen.missing, *seen.changed)):
        found = [*seen.missing.get(name, ()), *seen.changed.get(name, ())]
        found.sort(key=lambda damage: ".so" not in damage.path)
        yield from found[:NUM_EXAMPLES]


def _overlaps(seen: _Survey, found_by: dict[str, str]) -> Iterator[Overlap]:
    shared: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, claims in seen.contested.items():
        for one, other in combinations(claims, 2):
            if one.digest != other.digest:
                shared[(one.name, other.name)].append(path)
    for (first, second), paths in shared.items():
        winners = {found_by[path] for path in paths}
        libraries = [path for path in paths if _is_library(path)]
        code = [path for path in paths if path.endswith(".py") and not _is_beside(path)]
        yield Overlap(
            first=first,
            second=second,
            num_files=len(paths),
            example=(*libraries, *code, *paths)[0],
            num_libraries=len(libraries),
            on_disk=winners.pop() if len(winners) == 1 else "",
        )


def _is_library(path: str) -> bool:
    return path.endswith(".so") or ".so." in path


def _is_beside(path: str) -> bool:
    """True for what careless wheels put beside their package: two of them harm nobody."""
    parts = path.split("/")
    return bool({"tests", "test", "docs", "examples", "benchmarks", "scripts"} & set(parts[-3:-1]))


def _compare(distribution: Distribution, seen: _Survey) -> None:
    site = os.path.dirname(distribution.directory)
    root = site + "/"
    try:
        text = Path(distribution.directory, "RECORD").read_bytes().decode("utf-8", "replace")
    except OSError:
        return
    name, examine = distribution.name, os.stat
    claim = seen.claims.setdefault(site, {}).setdefault
    by_conda = distribution.installer == "conda" or (
        not distribution.installer and seen.conda_files
    )
    num_files = 0
    missing: list[Damage] = []
    changed: list[Damage] = []
    for line in text.splitlines():
        try:
            path, digest, size = line.rsplit(",", 2)
        except ValueError:
            continue
        # Scripts outside of the site folder are rewritten when an environment is moved.
        if not path or path[-4:] == ".pyc" or path[:3] == "../":
            continue
        if path[0] == '"':
            path = path[1:-1].replace('""', '"')
        num_files += 1
        if ".so" in path and _is_library(path):
            seen.libraries[path if path[0] == "/" else root + path] = name
        mine = (name, digest, size)
        first = claim(path, mine)
        if first is not mine and first[0] != name and first[1] != digest:
            seen.contested.setdefault(root + path, [_Claim(*first)]).append(_Claim(*mine))
        try:
            state = examine(path if path[0] == "/" else root + path)
        except OSError as error:
            full = path if path[0] == "/" else root + path
            if by_conda and not _promised_by_conda(full, seen.conda_files):
                continue
            kind = "dangling" if os.path.islink(full) else "missing"
            if isinstance(error, PermissionError):
                kind = "unreadable"
            missing.append(Damage(distribution=name, path=full, kind=kind))
            continue
        # Comparing texts is cheaper than reading a number 30,000 times.
        if size == str(state.st_size) or not size.isdigit() or not _ISREG(state.st_mode):
            continue
        if (by_conda and state.st_size) or int(size) == state.st_size:
            continue
        changed.append(
            Damage(
                distribution=name,
                path=path if path[0] == "/" else root + path,
                kind="size",
                expected=int(size),
                found=state.st_size,
            )
        )
    seen.num_files[name] = seen.num_files.get(name, 0) + num_files
    if missing:
        seen.missing.setdefault(name, []).extend(missing)
    if changed:
        seen.changed.setdefault(name, []).extend(changed)


def _promised_by_conda(path: str, files: frozenset[str]) -> bool:
    """True when conda's record has the file: its paths begin below the prefix, at `lib/`."""
    _, lib, rest = path.rpartition("/lib/python")
    return bool(lib) and f"lib/python{rest}" in files
