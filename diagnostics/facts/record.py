"""RECORD of every distribution against the disk: what is missing, cut short or claimed twice."""

# Plain os calls start faster than pathlib and take most of the second that a look may last.
# ruff: noqa: PTH114, PTH120

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from diagnostics.records import Damage, Distribution, Files, Loss, Overlap

WATCHED = frozenset({"torch", "torchvision", "torchaudio", "onnx", "onnxruntime", "numpy", "cv2"})
NUM_EXAMPLES = 6
_ISREG = stat.S_ISREG


@dataclass(slots=True)
class _Survey:
    """What has been seen while the RECORDs are read."""

    claims: dict[str, tuple[str, str]] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    overlaps: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)
    owners: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    libraries: dict[str, str] = field(default_factory=dict)
    num_files: int = 0


def survey(distributions: tuple[Distribution, ...]) -> tuple[Files, dict[str, str]]:
    """(the files that differ from RECORD, {path of a shared library: its distribution}).

    Existence and size only, `.pyc` skipped: no hashing, so 50,000 files take under half a second.
    """
    seen = _Survey()
    for distribution in distributions:
        if distribution.directory.endswith(".dist-info"):
            _compare(distribution, seen)
    overlaps = tuple(
        Overlap(first=pair[0], second=pair[1], num_files=count, example=seen.examples[pair])
        for pair, count in seen.overlaps.items()
    )
    files = Files(
        num_files=seen.num_files,
        losses=tuple(seen.losses),
        damages=tuple(seen.damages),
        overlaps=overlaps,
        owners={name: tuple(sorted(found)) for name, found in seen.owners.items()},
    )
    return files, seen.libraries


def _compare(distribution: Distribution, seen: _Survey) -> None:
    root = os.path.dirname(distribution.directory) + "/"
    try:
        text = Path(distribution.directory, "RECORD").read_bytes().decode("utf-8", "replace")
    except OSError:
        return
    name, claims, examine = distribution.name, seen.claims, os.stat
    found: list[Damage] = []
    num_files = missing = changed = 0
    for line in text.splitlines():
        try:
            path, digest, size = line.rsplit(",", 2)
        except ValueError:
            continue
        # Scripts outside of the site folder are rewritten when an environment is moved.
        if path.endswith(".pyc") or not path or path.startswith("../"):
            continue
        if path[0] == '"':
            path = path[1:-1].replace('""', '"')
        num_files += 1
        full = path if path[0] == "/" else root + path
        if path.endswith(".so") or ".so." in path:
            seen.libraries[full] = name
        before = claims.get(full)
        if before is None:
            claims[full] = (name, digest)
        elif before[0] != name and before[1] != digest:
            seen.overlaps[(before[0], name)] += 1
            seen.examples.setdefault((before[0], name), path)
        top = path.partition("/")[0]
        if top in WATCHED:
            seen.owners[top].add(name)
        try:
            state = examine(full)
        except OSError as error:
            missing += 1
            kind = "dangling" if os.path.islink(full) else "missing"
            if isinstance(error, PermissionError):
                kind = "unreadable"
            if len(found) < NUM_EXAMPLES or path.endswith(".so") or ".so." in path:
                found.append(Damage(distribution=name, path=full, kind=kind))
            continue
        if size.isdigit() and state.st_size != int(size) and _ISREG(state.st_mode):
            changed += 1
            if len(found) < NUM_EXAMPLES or path.endswith(".so") or ".so." in path:
                found.append(
                    Damage(
                        distribution=name,
                        path=full,
                        kind="size",
                        expected=int(size),
                        found=state.st_size,
                    )
                )
    seen.num_files += num_files
    if missing or changed:
        seen.losses.append(
            Loss(distribution=name, num_files=num_files, num_missing=missing, num_changed=changed)
        )
        found.sort(key=lambda damage: ".so" not in damage.path)
        seen.damages += found[:NUM_EXAMPLES]
