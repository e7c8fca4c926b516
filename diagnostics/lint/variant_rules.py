"""Rules about variants (CUDA, ROCm): never built, ended, mixed."""

from __future__ import annotations

from diagnostics.finding import Level
from diagnostics.lint.plan import CONDA, FAMILY, Plan, Problem, Wish, candidates, is_open_ended
from diagnostics.tables import torch_releases as table
from diagnostics.tables.drivers import cuda_of_variant
from diagnostics.tables.torch_releases import Python

BEFORE_TABLE = frozenset({"cu75", "cu80", "cu90", "cu91", "cu92", "cu100", "cu101", "cu110"})
"""Variants that ended before the first row of the table."""


def cuda_of_variant_or_zero(variant: str) -> tuple[int, int]:
    """Return the CUDA version in a variant's name, for sorting."""
    return cuda_of_variant(variant) or (0, 0)


def variants(plan: Plan, python: Python) -> list[Problem]:
    """Return variants that were never built, by local label, by index, or by uv's backend."""
    if plan.installer in CONDA:
        return []
    found = []
    for item in plan.wishes:
        release = _torch_release(item)
        if item.name not in FAMILY or not release or item.tags[0]:
            continue
        index = item.index or plan.index_variant
        for variant, is_label in ((item.variant, True), ("" if item.variant else index, False)):
            if not variant or table.has_variant(release, variant) is not False:
                continue
            # Another index may hold builds of its own.
            if is_label and plan.has_foreign_index:
                continue
            found.append(_never_built(plan, item, release, variant, is_label))
    torch = plan.wish("torch")
    variant = (torch.index if torch else "") or plan.index_variant
    if torch is not None and not torch.exact and variant.startswith("cu"):
        found += _unpinned_variant(torch, variant)
    return found


def _never_built(plan: Plan, item: Wish, release: str, variant: str, is_label: bool) -> Problem:
    row = table.release(release)
    kind = table.rocm_variants(release) if variant.startswith("rocm") else ()
    built = ", ".join([*(kind or (row.variants if row else ())), "cpu"])
    # pip takes any index that has the version; uv stays with the first that has the package.
    falls_back = (
        not is_label
        and plan.has_main_index
        and not item.index
        and not plan.backend
        and plan.installer != "uv"
    )
    how = ""
    if falls_back:
        how = " The package index has this version, so its default build is installed instead."
    elif not is_label:
        how = " The index names the variant."
    return Problem(
        code="variant-never-built",
        level=Level.WARN if falls_back else Level.ERROR,
        summary=f"{item.name} {item.release} was never built for {variant}.",
        cause=f"Built for torch {release}: {built}.{how}",
        wishes=(item,),
    )


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
    """Return packages of different variants, and labels that no index of the command serves."""
    # A wheel that is named by its address needs no index.
    family = [item for item in plan.wishes if item.name in FAMILY and not item.tags[0]]
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
    index = "" if plan.has_main_index and len(plan.indexes) > 1 else plan.index_variant
    if len(labels) == 1 and index and index not in labels and not plan.has_foreign_index:
        found.append(
            Problem(
                code="variants-differ",
                level=Level.ERROR,
                summary=f"The label {next(iter(labels))} is not on the index of {index}.",
                cause="Each index holds one variant.",
                wishes=tuple(item for item in family if item.variant),
            )
        )
    has_source = plan.indexes or plan.pages or plan.backend or named
    if labels and not has_source and plan.installer not in CONDA:
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
