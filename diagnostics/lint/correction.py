"""The corrected line of a plan."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from diagnostics.finding import Fix, Safety
from diagnostics.lint.dependency_rules import required_range, torch_cuda
from diagnostics.lint.engine_rules import pinned_engines
from diagnostics.lint.index_rules import is_elsewhere
from diagnostics.lint.plan import CONDA, FAMILY, PYTORCH_INDEX, Plan, Wish, candidates
from diagnostics.tables import torch_releases as table
from diagnostics.tables.drivers import cuda_of_variant
from diagnostics.tables.onnxruntime_gpu import range_for
from diagnostics.tables.torch_releases import Python, Release
from diagnostics.tables.version import numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What has to be corrected."""

    plan: Plan
    python: Python
    codes: frozenset[str]
    """Codes of the problems that were found."""


def corrections(target: Target) -> tuple[Fix, ...]:
    """Return lines that can be installed: the wanted release first, then one for this Python."""
    if target.plan.installer in CONDA:
        return _conda(target)
    wanted = _engines_torch(target) or _anchor(target.plan)
    if wanted is None:
        return _renamed(target)
    if target.codes & {"index-is-a-page", "nightly-variant-ended"}:
        return (_readdressed(target),)
    if not _is_known(target.plan):
        return ()
    fixes = []
    if _fits(wanted, target):
        fixes.append(_line(target, wanted, "versions that were built for each other"))
    else:
        oldest, newest = wanted.python
        line = _line(
            target,
            wanted,
            f"on Python {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}, for which torch "
            f"{wanted.torch} has wheels",
        )
        other = _nearest_for(wanted, target)
        if other is not None:
            version = f"{target.python[0]}.{target.python[1]}"
            fixes.append(_line(target, other, f"the nearest release for Python {version}"))
        fixes.append(line)
    return tuple(fixes)


def _engines_torch(target: Target) -> Release | None:
    """Return the release that an inference engine pins, where it excludes what is asked for."""
    if "engine-torch" not in target.codes:
        return None
    rows = (table.release(wanted.removeprefix("==")) for _, wanted in pinned_engines(target.plan))
    return next((row for row in rows if row is not None), None)


def _is_known(plan: Plan) -> bool:
    """Return False when the wanted torch is outside of the table: nothing is proposed then."""
    torch = plan.wish("torch")
    if torch is None or not torch.exact:
        return True
    outside = table.is_older_than_table("torch", torch.release)
    return not outside and not table.is_newer_than_table("torch", torch.release)


def _anchor(plan: Plan) -> Release | None:
    """Return the release that the plan means: that of torch, else that of a partner."""
    before = next((item for item in plan.present if item.name == "torch" and item.exact), None)
    if before is not None and plan.wish("torch") is None:
        # The torch that is there already decides.
        return table.release(before.release)
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
    """Return the newest release with a variant of the same CUDA major: a newer needs a new driver."""
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


def _line(target: Target, row: Release, why: str) -> Fix:
    plan = target.plan
    variant = _variant(plan, row)
    keeps_main_index = bool(variant) and any(is_elsewhere(item) for item in plan.wishes)
    # With the package index beside PyTorch's, only the label says which build is meant.
    label = f"+{variant}" if keeps_main_index and not plan.backend else ""
    changed = {
        item: _corrected(item, row, label, target) for item in plan.wishes if not item.is_constraint
    }
    index: list[str] = []
    if variant and plan.backend:
        index = ["--torch-backend", variant]
    elif variant:
        index = [_index_option(plan, keeps_main_index), f"{PYTORCH_INDEX}{variant}"]
    if plan.is_command:
        words = [word for word in dict.fromkeys(changed.values()) if word]
        return Fix(argv=(*(plan.head or ("pip", "install")), *plan.kept, *words, *index), why=why)
    # Of a file only the lines are shown that matter.
    shown = [
        word
        for item, word in changed.items()
        if word and (item.name in FAMILY or word != item.text)
    ]
    text = f"write: {' '.join(dict.fromkeys(shown))}"
    if index:
        is_lines = plan.installer == "pip"
        text += f" and {' '.join(index)}" if is_lines else f" from the index {index[-1]}"
    if "requires-python-too-wide" in target.codes and (oldest := table.oldest_python(row.torch)):
        text += f' and requires-python = ">={oldest[0]}.{oldest[1]}"'
    return Fix(argv=(), shell=text, why=why, safety=Safety.MANUAL)


def _index_option(plan: Plan, keeps_main_index: bool) -> str:
    if plan.installer == "poetry":
        return "--source"
    if plan.installer == "uv" and "add" in plan.head:
        return "--index"
    return "--extra-index-url" if keeps_main_index else "--index-url"


def _corrected(item: Wish, row: Release, label: str, target: Target) -> str:
    """Return the requirement with the version of the row; empty when it has to go."""
    versions = {
        "torch": row.torch,
        "pytorch": row.torch,
        "torchvision": row.torchvision,
        "torchaudio": row.torchaudio,
    }
    if item.name in versions:
        version = versions[item.name]
        name = "torch" if item.name == "pytorch" else item.name
        return f"{name}=={version}{label}" if version else ""
    if item.name == "onnxruntime" and "ort-both" in target.codes:
        return ""
    cuda = torch_cuda(target.plan)
    if item.name == "onnxruntime-gpu" and "ort-cuda-major" in target.codes and cuda:
        return f"onnxruntime-gpu{range_for(cuda)}"
    if "torch-pins-another" in target.codes:
        needed = required_range(row.torch, item.name, target.python)
        return f"{item.name}{needed}" if needed else item.text
    return item.text


def _variant(plan: Plan, row: Release) -> str:
    """Return the variant to name in the index: the wanted one, or the nearest that was built."""
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
    """Return the variant of a release that comes nearest to one that was not built.

    Within the same CUDA major the nearest minor (any driver of that major runs it), else the
    newest of the nearest major; for ROCm the newest of the release.
    """
    if wanted.startswith("rocm"):
        return (table.rocm_variants(row.torch) or (row.default,))[-1]
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


def _readdressed(target: Target) -> Fix:
    """Return the line with its versions, and addresses that are what their option says."""
    plan = target.plan
    words = [item.text for item in plan.wishes]
    addresses: list[str] = []
    for address in plan.indexes:
        if address.endswith((".html", ".htm")):
            addresses += ["--find-links", address]
        elif "/nightly/" in address and "nightly-variant-ended" in target.codes:
            newest = f"{PYTORCH_INDEX}nightly/{table.NIGHTLY_VARIANTS[-1]}"
            addresses += ["--extra-index-url" if plan.has_main_index else "--index-url", newest]
        else:
            addresses += ["--extra-index-url" if plan.has_main_index else "--index-url", address]
    why = "the same versions from an address that has them"
    line = (*(plan.head or ("pip", "install")), *plan.kept, *words, *addresses)
    if plan.is_command:
        return Fix(argv=line, why=why)
    return Fix(argv=(), shell=f"write: {shlex.join(addresses)}", why=why, safety=Safety.MANUAL)


def _conda(target: Target) -> tuple[Fix, ...]:
    """Return the line for conda-forge, which has every release and picks the CUDA build itself."""
    plan = target.plan
    if not target.codes & {"conda-channel-ended", "torch-is-pytorch", "variant-never-built"}:
        return ()
    dropped = ("pytorch-cuda", "cudatoolkit", "cpuonly")
    words = [
        item.text.replace("torch", "pytorch", 1)
        if item.name == "torch" and not item.text.rpartition("::")[2].startswith("pytorch")
        else item.text.rpartition("::")[2]
        for item in plan.wishes
        if item.name not in dropped
    ]
    why = "conda-forge builds every release, with CUDA where the machine has a driver"
    if plan.is_command:
        channel = () if plan.installer == "pixi" else ("-c", "conda-forge")
        return (Fix(argv=(*plan.head, *plan.kept, *channel, *words), why=why),)
    text = f"write: channels [conda-forge] and {' '.join(words)}"
    return (Fix(argv=(), shell=text, why=why, safety=Safety.MANUAL),)


def _renamed(target: Target) -> tuple[Fix, ...]:
    """Return the line for plans without torch: names corrected, the rest as it is."""
    if not target.codes & {"pytorch-is-torch", "ort-both"}:
        return ()
    words = [
        "torch" if item.name == "pytorch" else item.text
        for item in target.plan.wishes
        if not (item.name == "onnxruntime" and "ort-both" in target.codes)
    ]
    why = "the names that can be installed together"
    if target.plan.is_command:
        head = target.plan.head or ("pip", "install")
        return (Fix(argv=(*head, *target.plan.kept, *words), why=why),)
    return (Fix(argv=(), shell=shlex.join(words), why=why, safety=Safety.MANUAL),)
