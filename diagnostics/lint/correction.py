"""The corrected line of a plan."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from diagnostics.finding import Fix, Safety
from diagnostics.lint.plan import FAMILY, Plan, Wish, candidates
from diagnostics.tables import torch_releases as table
from diagnostics.tables.drivers import cuda_of_variant
from diagnostics.tables.torch_releases import Python, Release
from diagnostics.tables.version import numbers

INDEX = "https://download.pytorch.org/whl/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What has to be corrected."""

    plan: Plan
    python: Python
    codes: frozenset[str]
    """Codes of the problems that were found."""


def corrections(target: Target) -> tuple[Fix, ...]:
    """Lines that can be installed: the wanted release first, then one for this Python."""
    wanted = _anchor(target.plan)
    if wanted is None:
        return _renamed(target)
    fixes = []
    if _fits(wanted, target):
        fixes.append(_line(target.plan, wanted, "versions that were built for each other"))
    else:
        oldest, newest = wanted.python
        line = _line(
            target.plan,
            wanted,
            f"on Python {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}, for which torch "
            f"{wanted.torch} has wheels",
        )
        other = _nearest_for(wanted, target)
        if other is not None:
            version = f"{target.python[0]}.{target.python[1]}"
            fixes.append(_line(target.plan, other, f"the nearest release for Python {version}"))
        fixes.append(line)
    return tuple(fixes)


def _anchor(plan: Plan) -> Release | None:
    """The release that the plan means: that of torch, else that of a partner."""
    for name in FAMILY:
        item = plan.wish(name)
        if item is None:
            continue
        if item.exact:
            known = table.release(item.release) if name == "torch" else None
            known = known or (table.torch_for(name, item.release) if name != "torch" else None)
        else:
            newest = candidates(item)[-1:] if item.ranges else ()
            known = (
                (table.release(newest[0]) if name == "torch" else table.torch_for(name, newest[0]))
                if newest
                else None
            )
        if known is not None:
            return known
    if not any(plan.wish(name) for name in FAMILY):
        return None
    return _newest_of_major(_wanted_variant(plan)) or table.NEWEST


def _newest_of_major(variant: str) -> Release | None:
    """The newest release with a variant of the same CUDA major: a newer one needs a new driver."""
    cuda = cuda_of_variant(variant)
    rows = [
        row
        for row in table.RELEASES
        for name in row.variants
        if cuda is not None and (cuda_of_variant(name) or (0, 0))[0] == cuda[0]
    ]
    return rows[-1] if rows else None


def _fits(row: Release, target: Target) -> bool:
    asked = [name for name in FAMILY if target.plan.wish(name)]
    versions = {"torch": row.torch, "torchvision": row.torchvision, "torchaudio": row.torchaudio}
    return all(
        table.has_wheel(name, version, target.python) is not False
        for name in asked
        if (version := versions[name])
    )


def _nearest_for(wanted: Release, target: Target) -> Release | None:
    fitting = [row for row in table.RELEASES if _fits(row, target)]
    later = [row for row in fitting if numbers(row.torch) >= numbers(wanted.torch)]
    return later[0] if later else fitting[-1] if fitting else None


def _line(plan: Plan, row: Release, why: str) -> Fix:
    variant = _variant(plan, row)
    wishes = [_corrected(item, row) for item in plan.wishes]
    words = [word for word in dict.fromkeys(wishes) if word]
    if plan.installer == "conda":
        # The project's own channel ended; the wheels are the way that always exists.
        words = [word for word in words if not word.startswith(("pytorch-cuda", "cudatoolkit"))]
    index = ["--index-url", f"{INDEX}{variant}"] if variant else []
    head = ["uv", "pip", "install"] if plan.installer == "uv" else ["pip", "install"]
    argv = (*head, *words, *index)
    if plan.is_command:
        return Fix(argv=argv, why=why)
    text = f"write: {' '.join(words)}" + (f" and {' '.join(index)}" if index else "")
    return Fix(argv=(), shell=text, why=why, safety=Safety.MANUAL)


def _corrected(item: Wish, row: Release) -> str:
    """The requirement with the version of the row; empty when it has to go."""
    versions = {
        "torch": row.torch,
        "pytorch": row.torch,
        "torchvision": row.torchvision,
        "torchaudio": row.torchaudio,
    }
    if item.name not in versions:
        return "" if item.name == "onnxruntime-gpu" else item.text
    version = versions[item.name]
    name = "torch" if item.name == "pytorch" else item.name
    return f"{name}=={version}" if version else ""


def _variant(plan: Plan, row: Release) -> str:
    """The variant to name in the index: the wanted one, or the nearest that was built."""
    wanted = _wanted_variant(plan)
    if not wanted:
        return ""
    if table.has_variant(row.torch, wanted) is not False:
        return wanted
    return nearest_variant(wanted, row)


def _wanted_variant(plan: Plan) -> str:
    labels = [item.variant or item.index for item in plan.wishes if item.name in FAMILY]
    return next((label for label in labels if label), plan.index_variant)


def nearest_variant(wanted: str, row: Release) -> str:
    """The variant of a release that comes nearest to one that was not built.

    Within the same CUDA major the nearest minor (any driver of that major runs it), else the
    newest of the nearest major.
    """
    cuda = cuda_of_variant(wanted)
    built = [(cuda_of_variant(name), name) for name in row.variants]
    known = [(version, name) for version, name in built if version is not None]
    if cuda is None or not known:
        return row.default
    major = min({version[0] for version, _ in known}, key=lambda item: abs(item - cuda[0]))
    same = [(version, name) for version, name in known if version[0] == major]
    if major == cuda[0]:
        return min(same, key=lambda item: abs(item[0][1] - cuda[1]))[1]
    return max(same)[1]


def _renamed(target: Target) -> tuple[Fix, ...]:
    """The line for plans without torch: names corrected, the rest as it is."""
    if not target.codes & {"pytorch-is-torch", "ort-both"}:
        return ()
    words = [
        "torch" if item.name == "pytorch" else item.text
        for item in target.plan.wishes
        if not (item.name == "onnxruntime" and "ort-both" in target.codes)
    ]
    why = "the names that can be installed together"
    if target.plan.is_command:
        return (Fix(argv=("pip", "install", *words), why=why),)
    return (Fix(argv=(), shell=shlex.join(words), why=why, safety=Safety.MANUAL),)
