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
    claims: dict[str, dict[str, Distribution]] = field(default_factory=dict)
    """Site folder -> path below it -> the first distribution that claims it."""
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
    """Compare one RECORD with the disk.

    The loop over its lines is most of what a visit costs: whatever holds for nearly every line (a plain name, the
    promised size) is decided in it, all else in `_damage` and over whole sets of names.
    """
    site = os.path.dirname(distribution.directory)
    root = site + "/"
    name, examine = distribution.name, os.stat
    rows: dict[str, str] = {}
    odd: list[tuple[str, str, os.stat_result | OSError]] = []
    for line in _record_lines(distribution):
        if line[-6:] == ".pyc,,":
            continue
        try:
            path, _, size = line.rsplit(",", 2)
        except ValueError:
            continue
        # Scripts outside of the site folder are rewritten when an environment is moved.
        if not path or path[-4:] == ".pyc" or path[:3] == "../":
            continue
        if path[0] == '"':
            path = path[1:-1].replace('""', '"')
        rows[path] = line
        try:
            state = examine(path if path[0] == "/" else root + path)
        except OSError as error:
            odd.append((path, size, error))
            continue
        # Comparing texts is cheaper than reading a number 30,000 times.
        if size != str(state.st_size):
            odd.append((path, size, state))
    libraries = [path for path in rows if ".so" in path and _is_library(path)]
    seen.libraries |= {_below(root, path): name for path in libraries}
    seen.num_files[name] = seen.num_files.get(name, 0) + len(rows)
    _note_contested(distribution, rows, seen)
    by_conda = distribution.installer == "conda" or (
        not distribution.installer and bool(seen.conda_files)
    )
    for path, size, seen_there in odd:
        conda_files = seen.conda_files if by_conda else None
        damage = _damage(name, _below(root, path), size, seen_there, conda_files)
        if damage is not None:
            kept = seen.changed if damage.kind == "size" else seen.missing
            kept.setdefault(name, []).append(damage)


def _record_lines(distribution: Distribution) -> list[str]:
    try:
        data = Path(distribution.directory, "RECORD").read_bytes()
    except OSError:
        return []
    return data.decode("utf-8", "replace").splitlines()


def _below(root: str, path: str) -> str:
    return path if path[0] == "/" else root + path


def _damage(
    name: str,
    path: str,
    size: str,
    state: os.stat_result | OSError,
    conda_files: frozenset[str] | None,
) -> Damage | None:
    """Return what is wrong with a file that is not there or has another size, None when nothing is.

    `conda_files` holds the paths of conda's records where conda installed the distribution.
    """
    if isinstance(state, OSError):
        if conda_files is not None and not _promised_by_conda(path, conda_files):
            return None
        kind = "dangling" if os.path.islink(path) else "missing"
        if isinstance(state, PermissionError):
            kind = "unreadable"
        return Damage(distribution=name, path=path, kind=kind)
    if not size.isdigit() or not _ISREG(state.st_mode):
        return None
    if (conda_files is not None and state.st_size) or int(size) == state.st_size:
        return None
    return Damage(
        distribution=name, path=path, kind="size", expected=int(size), found=state.st_size
    )


def _note_contested(distribution: Distribution, rows: dict[str, str], seen: _Survey) -> None:
    """Keep the paths that an earlier distribution of the same folder promises with other contents."""
    site = os.path.dirname(distribution.directory)
    claims = seen.claims.setdefault(site, {})
    shared = [] if claims.keys().isdisjoint(rows.keys()) else [p for p in rows if p in claims]
    # The lines of the earlier RECORD are not kept for this: few are ever asked for again.
    owners = {claims[path].directory: claims[path] for path in shared}
    earlier = {folder: _lines_by_path(owner) for folder, owner in owners.items()}
    claims |= dict.fromkeys(rows, distribution) | {path: claims[path] for path in shared}
    for path in shared:
        owner = claims[path]
        first = _claim(owner.name, earlier[owner.directory][path])
        mine = _claim(distribution.name, rows[path])
        if first.name != mine.name and first.digest != mine.digest:
            seen.contested.setdefault(_below(site + "/", path), [first]).append(mine)


def _lines_by_path(distribution: Distribution) -> dict[str, str]:
    pairs = ((line.rsplit(",", 2)[0], line) for line in _record_lines(distribution))
    return {
        path[1:-1].replace('""', '"') if path[:1] == '"' else path: line for path, line in pairs
    }


def _claim(name: str, line: str) -> _Claim:
    _, digest, size = line.rsplit(",", 2)
    return _Claim(name, digest, size)


def _promised_by_conda(path: str, files: frozenset[str]) -> bool:
    """True when conda's record has the file: its paths begin below the prefix, at `lib/`."""
    _, lib, rest = path.rpartition("/lib/python")
    return bool(lib) and f"lib/python{rest}" in files
