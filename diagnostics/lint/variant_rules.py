"""Rules about CUDA variants: never built, ended, mixed."""

from __future__ import annotations

from diagnostics.finding import Level
from diagnostics.lint.errors import Problem
from diagnostics.lint.plan import FAMILY, Plan, Wish, candidates, is_open_ended
from diagnostics.tables import torch_releases as table
from diagnostics.tables.drivers import cuda_of_variant
from diagnostics.tables.torch_releases import Python

BEFORE_TABLE = frozenset({"cu75", "cu80", "cu90", "cu91", "cu92", "cu100", "cu101", "cu110"})
"""Variants that ended before the first row of the table."""


def cuda_of_variant_or_zero(variant: str) -> tuple[int, int]:
    """The CUDA version in a variant's name, for sorting."""
    return cuda_of_variant(variant) or (0, 0)


def variants(plan: Plan, python: Python) -> list[Problem]:
    """CUDA variants that were never built, by local label or by index."""
    found = []
    torch = plan.wish("torch")
    for item in plan.wishes:
        release = _torch_release(item)
        for variant, how in ((item.variant, "label"), (item.index or plan.index_variant, "index")):
            if item.name not in FAMILY or not variant or not release:
                continue
            if table.has_variant(release, variant) is False:
                row = table.release(release)
                built = ", ".join(row.variants) if row else ""
                found.append(
                    Problem(
                        code="variant-never-built",
                        level=Level.ERROR,
                        summary=f"{item.name} {item.release} was never built for {variant}.",
                        cause=f"Built for torch {release}: {built} and cpu."
                        + (" The index address names the variant." if how == "index" else ""),
                        wishes=(item,),
                    )
                )
    variant = plan.index_variant
    if torch is not None and not torch.exact and variant.startswith("cu"):
        found += _unpinned_variant(torch, variant)
    return found


def _torch_release(item: Wish) -> str:
    if item.name == "torch":
        return item.release
    row = table.torch_for(item.name, item.release) if item.name in FAMILY and item.exact else None
    return row.torch if row else ""


def _unpinned_variant(torch: Wish, variant: str) -> list[Problem]:
    allowed = candidates(torch)
    known = {v for row in table.RELEASES for v in (*row.variants, *row.unsure)}
    cuda = cuda_of_variant(variant)
    newest = max(c for v in known if (c := cuda_of_variant(v)) is not None)
    if variant in BEFORE_TABLE or cuda is None:
        return []
    if cuda > newest:
        return [
            Problem(
                code="variant-newer-than-table",
                level=Level.INFO,
                summary=f"{variant} is newer than this tool's table.",
                cause="It may exist by now; nothing is known about it here.",
                wishes=(torch,),
            )
        ]
    if variant not in known:
        near = sorted((v for v in known if v[:4] == variant[:4]), key=cuda_of_variant_or_zero)
        return [
            Problem(
                code="variant-never-built",
                level=Level.ERROR,
                summary=f"No release of torch was built for {variant}.",
                cause=f"There are {', '.join(near)}; each runs on any driver of its CUDA major, "
                "so the number that nvidia-smi shows need not be met exactly.",
                wishes=(torch,),
            )
        ]
    having = [version for version in allowed if table.has_variant(version, variant) is not False]
    if not having and not is_open_ended(torch):
        return [
            Problem(
                code="variant-never-built",
                level=Level.ERROR,
                summary=f"No torch in this range was built for {variant}.",
                cause=f"Allowed releases: {', '.join(allowed) or 'none known'}.",
                wishes=(torch,),
            )
        ]
    last = table.newest_with(variant)
    if last is not None and table.has_variant(table.NEWEST.torch, variant) is False:
        return [
            Problem(
                code="variant-ended",
                level=Level.INFO,
                summary=f"{variant} ended with torch {last.torch}: the index gives no newer one.",
                cause=f"The newest torch, {table.NEWEST.torch}, has other variants.",
                wishes=(torch,),
            )
        ]
    return []


def mixed_variants(plan: Plan, python: Python) -> list[Problem]:
    """Packages of different variants, and labels that no index of the command serves."""
    family = [item for item in plan.wishes if item.name in FAMILY]
    labels = {item.variant for item in family if item.variant}
    named = {item.index for item in family if item.index}
    found = []
    if len(labels) > 1 or (len(named) > 1 and len(named) == len([i for i in family if i.index])):
        names = ", ".join(sorted(labels or named))
        found.append(
            Problem(
                code="variants-differ",
                level=Level.ERROR,
                summary=f"The packages belong to different variants: {names}.",
                cause="Their compiled parts do not work together.",
                wishes=tuple(family),
            )
        )
    index = plan.index_variant
    if len(labels) == 1 and index and index not in labels:
        found.append(
            Problem(
                code="variants-differ",
                level=Level.ERROR,
                summary=f"The label {next(iter(labels))} is not on the index of {index}.",
                cause="Each index holds one variant.",
                wishes=tuple(item for item in family if item.variant),
            )
        )
    if labels and not plan.indexes and not named and plan.installer != "conda":
        found.append(
            Problem(
                code="label-needs-index",
                level=Level.WARN,
                summary="Versions with a label such as +cu118 are not on the package index.",
                cause="Only the PyTorch index has them; no index is named here.",
                wishes=tuple(item for item in family if item.variant),
            )
        )
    return found
