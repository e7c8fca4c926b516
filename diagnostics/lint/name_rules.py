"""Rules about names: packages that are not what they seem, and ones that exclude each other."""

from __future__ import annotations

from diagnostics.finding import Level
from diagnostics.lint.plan import CONDA, Plan, Problem, Wish, candidates, padded
from diagnostics.tables import torch_releases as table
from diagnostics.tables.torch_releases import Python
from diagnostics.tables.version import numbers
from diagnostics.version import allows


def wrong_names(plan: Plan, python: Python) -> list[Problem]:
    """Return names that are not what they seem, and packages that exclude each other."""
    found = []
    pytorch = plan.wish("pytorch")
    if pytorch is not None and plan.installer not in CONDA:
        found.append(
            Problem(
                code="pytorch-is-torch",
                level=Level.ERROR,
                summary="The package is called torch.",
                cause="`pytorch` on the package index is an empty placeholder that fails.",
                wishes=(pytorch,),
            )
        )
    both = [plan.wish(name) for name in ("onnxruntime", "onnxruntime-gpu")]
    present = tuple(item for item in both if item is not None)
    if len(present) == 2:
        found.append(
            Problem(
                code="ort-both",
                level=Level.ERROR,
                summary="onnxruntime and onnxruntime-gpu cannot be installed together.",
                cause="They share their files: the last one wins, and the GPU is lost.",
                wishes=present,
            )
        )
    return [*found, *_conda(plan)]


def _conda(plan: Plan) -> list[Problem]:
    torch = plan.wish("torch")
    if plan.installer not in CONDA or torch is None:
        return []
    found = []
    if torch.text.rpartition("::")[2].startswith("torch"):
        found.append(
            Problem(
                code="torch-is-pytorch",
                level=Level.WARN,
                summary="conda calls the package pytorch.",
                cause="`torch` is its name on the Python package index alone.",
                wishes=(torch,),
            )
        )
    allowed = candidates(torch)
    after = [version for version in allowed if numbers(version) > numbers("2.5.1")]
    if "pytorch" in plan.channels and allowed and len(after) == len(allowed):
        found.append(
            Problem(
                code="conda-channel-ended",
                level=Level.ERROR,
                summary=f"The conda channel `pytorch` has no torch {torch.release or allowed[0]}.",
                cause="It ended with torch 2.5.1; conda-forge has the later ones.",
                wishes=(torch,),
            )
        )
    cuda = plan.wish("pytorch-cuda")
    variant = f"cu{cuda.ranges.lstrip('=').removesuffix('.*').replace('.', '')}" if cuda else ""
    older = [version for version in allowed if version not in after]
    unbuilt = all(table.has_variant(version, variant) is False for version in older)
    if cuda and variant[2:].isdigit() and older and not after and unbuilt:
        row = table.release(older[-1])
        found.append(
            Problem(
                code="variant-never-built",
                level=Level.ERROR,
                summary=f"torch {older[-1]} was never built for {cuda.text}.",
                cause=f"Built variants: {', '.join(row.variants) if row else 'unknown'}.",
                wishes=(torch, cuda),
            )
        )
    return found


def repeated(plan: Plan, python: Python) -> list[Problem]:
    """Return requirements of one package that exclude each other."""
    found = []
    by_name: dict[str, list[Wish]] = {}
    for item in plan.wishes:
        by_name.setdefault(item.name, []).append(item)
    for name, items in by_name.items():
        pinned = [item for item in items if item.exact]
        other = next(
            (
                item
                for pin in pinned[:1]
                for item in items
                if item is not pin and item.ranges and not _agree(pin, item)
            ),
            None,
        )
        if name and other is not None:
            found.append(
                Problem(
                    code="requirements-conflict",
                    level=Level.ERROR,
                    summary=f"{pinned[0].text} and {other.text} exclude each other.",
                    cause="One environment holds one version of a package.",
                    wishes=(pinned[0], other),
                )
            )
    return found


def _agree(pin: Wish, other: Wish) -> bool:
    if other.exact:
        same = padded(pin.release) == padded(other.release) or pin.exact == other.exact
        return same and (not pin.variant or not other.variant or pin.variant == other.variant)
    return allows(other.ranges, pin.exact)
