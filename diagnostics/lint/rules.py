"""What is impossible in a plan, as rules over the dated tables."""

from __future__ import annotations

import re
from collections.abc import Callable

from diagnostics.finding import Evidence, Finding, Fix, Level
from diagnostics.lint import dependency_rules, index_rules, variant_rules
from diagnostics.lint.correction import Target, corrections
from diagnostics.lint.plan import FAMILY, Plan, Problem, Wish, candidates, is_open_ended, padded
from diagnostics.tables import torch_releases as table
from diagnostics.tables.torch_releases import Python
from diagnostics.tables.version import is_final, numbers
from diagnostics.version import allows

Rule = Callable[[Plan, Python], list[Problem]]

CONDA = ("conda", "pixi")
"""Installers whose packages are not the wheels of the package index."""


def judge(plan: Plan, python: Python) -> list[Finding]:
    """Return the problems of a plan for one Python version, worst first, with the corrected line."""
    problems = [problem for rule in RULES for problem in rule(plan, python)]
    problems.sort(key=lambda item: -item.level.rank)
    if not problems:
        return []
    codes = frozenset(problem.code for problem in problems)
    fixes = corrections(Target(plan=plan, python=python, codes=codes))
    if problems[0].level.rank < Level.WARN.rank:
        fixes = ()
    # One line cures all of them: it stands under the first.
    return [
        as_finding(plan.source, item, () if index else fixes) for index, item in enumerate(problems)
    ]


def as_finding(source: str, problem: Problem, fixes: tuple[Fix, ...] = ()) -> Finding:
    """Return the finding for a problem; the requirements are its evidence."""
    evidence = [Evidence(source=w.where or source, value=w.text) for w in problem.wishes]
    evidence.append(Evidence(source="table", value=f"releases as of {table.DATED}"))
    return Finding(
        code=problem.code,
        area="versions",
        level=problem.level,
        summary=problem.summary,
        cause=problem.cause,
        evidence=tuple(evidence),
        fixes=fixes,
    )


def pairs(plan: Plan, python: Python) -> list[Problem]:
    """Return torchvision or torchaudio that was built for another torch."""
    torch = plan.wish("torch")
    found = []
    for name in FAMILY[1:]:
        partner = plan.wish(name)
        if torch is None or partner is None or can_pair(torch, partner):
            continue
        row = table.torch_for(name, partner.release) if partner.exact else None
        needs = f"{name} {partner.release} needs torch {row.torch}" if row else ""
        right = table.partner(torch.release, name) if torch.exact else None
        goes = f"torch {torch.release} goes with {name} {right}" if right else ""
        if torch.exact and not right and name == "torchaudio" and table.release(torch.release):
            goes = f"for torch {torch.release} no torchaudio was released"
        found.append(
            Problem(
                code="tutorial-pair" if torch.exact and partner.exact else "pair-impossible",
                level=Level.ERROR,
                summary=f"{torch.text} and {partner.text} cannot be installed together.",
                cause="; ".join(part for part in (needs, goes) if part)
                or "Each torchvision and torchaudio release is built for one torch.",
                wishes=(torch, partner),
            )
        )
    vision, audio = plan.wish("torchvision"), plan.wish("torchaudio")
    if torch is None and vision and audio and vision.exact and audio.exact:
        one = table.torch_for("torchvision", vision.release)
        two = table.torch_for("torchaudio", audio.release)
        if one and two and table.is_pair(one.torch, "torchaudio", audio.release) is False:
            found.append(
                Problem(
                    code="pair-impossible",
                    level=Level.ERROR,
                    summary=f"{vision.text} and {audio.text} cannot be installed together.",
                    cause=f"The first needs torch {one.torch}, the second torch {two.torch}.",
                    wishes=(vision, audio),
                )
            )
    return found


def can_pair(torch: Wish, partner: Wish) -> bool:
    """Return False only when every allowed combination is known to be impossible."""
    # A later release of one can only help when the other may be as new.
    if is_open_ended(torch) and is_open_ended(partner):
        return True
    torches = (torch.release,) if torch.exact else candidates(torch)
    partners = (partner.release,) if partner.exact else candidates(partner)
    if not torches or not partners:
        return True
    return any(
        table.is_pair(one, partner.name, two) is not False for one in torches for two in partners
    )


def replaced(plan: Plan, python: Python) -> list[Problem]:
    """Return what an earlier step installed and this plan takes away again, such as its torch."""
    found = []
    for before in plan.present:
        for name in FAMILY:
            now = plan.wish(name)
            if before.name not in FAMILY or now is None or plan.wish(before.name) is not None:
                continue
            torch, partner = (before, now) if before.name == "torch" else (now, before)
            if torch.name != "torch" or partner.name == "torch" or can_pair(torch, partner):
                continue
            found.append(
                Problem(
                    code="torch-replaced",
                    level=Level.WARN,
                    summary=f"{now.text} does not go with {before.text}, installed before it.",
                    cause="The installer replaces torch by the release that fits, or refuses.",
                    wishes=(before, now),
                )
            )
    return found


def unknown_versions(plan: Plan, python: Python) -> list[Problem]:
    """Return versions that were never released, and ones that are newer than the table."""
    found = []
    for item in plan.wishes:
        if item.name not in FAMILY or not item.exact or not is_final(item.exact):
            continue
        if table.is_newer_than_table(item.name, item.release):
            torch = plan.wish("torch")
            ended = (
                item.name == "torchaudio"
                and torch is not None
                and table.release(torch.release) is not None
            )
            found.append(
                Problem(
                    code="version-newer-than-table",
                    level=Level.WARN if ended else Level.INFO,
                    summary=f"{item.name} {item.release} is newer than this tool's table.",
                    cause="It may exist by now; nothing is known about it here."
                    + (" No torchaudio had been released for this torch." if ended else ""),
                    wishes=(item,),
                )
            )
        elif table.is_older_than_table(item.name, item.release):
            found.append(
                Problem(
                    code="version-older-than-table",
                    level=Level.INFO,
                    summary=f"{item.name} {item.release} is older than this tool's table.",
                    cause=f"The table begins with {item.name} {table.versions(item.name)[0]}; "
                    "whether there are wheels for this Python is not known here.",
                    wishes=(item,),
                )
            )
        elif not candidates(item) and not plan.has_foreign_index:
            found.append(
                Problem(
                    code="version-never-released",
                    level=Level.ERROR,
                    summary=f"There is no {item.name} {item.release} on the package index.",
                    cause=f"Known releases near it: {', '.join(_near(item))}.",
                    wishes=(item,),
                )
            )
    return found


def _near(item: Wish) -> list[str]:
    series = ".".join(item.release.split(".")[:2]) + "."
    same = [version for version in table.versions(item.name) if version.startswith(series)]
    return same or list(table.versions(item.name)[-3:])


def pythons(plan: Plan, python: Python) -> list[Problem]:
    """Return releases without wheels for this Python, and wheels of another Python."""
    if plan.installer in CONDA:
        return []
    found = []
    for item in plan.wishes:
        tag = item.tags[0]
        if tag.startswith("cp") and item.tags[1] and tag != f"cp{python[0]}{python[1]}":
            if "abi3" in item.text:
                continue
            found.append(
                Problem(
                    code="wheel-for-another-python",
                    level=Level.ERROR,
                    summary=f"The wheel of {item.name} is for Python {tag[2]}.{tag[3:]}, "
                    f"not {dotted(python)}.",
                    cause=f"Its tag is {tag}; an installer refuses it on any other Python.",
                    wishes=(item,),
                )
            )
        if re.match(r"win|macosx", item.tags[1]):
            found.append(
                Problem(
                    code="wheel-for-another-system",
                    level=Level.WARN,
                    summary=f"The wheel of {item.name} is for {item.tags[1]}, not for Linux.",
                    cause="Everything here is judged for Linux on x86-64.",
                    wishes=(item,),
                )
            )
        if item.name not in FAMILY or tag or is_open_ended(item):
            continue
        allowed = candidates(item)
        if not allowed or any(table.has_wheel(item.name, v, python) is not False for v in allowed):
            continue
        bounds = table.python_bounds(item.name, allowed[-1])
        span = f"{dotted(bounds[0])} to {dotted(bounds[1])}" if bounds else "unknown"
        found.append(
            Problem(
                code="python-has-no-wheel",
                level=Level.ERROR,
                summary=f"{item.name} {allowed[-1]} has no wheel for Python {dotted(python)}.",
                cause=f"There are wheels for Python {span}.",
                wishes=(item,),
            )
        )
    return found


def declared_pythons(plan: Plan, python: Python) -> list[Problem]:
    """Return a torch that does not exist for every Python in the range that a project declares."""
    torch = plan.wish("torch")
    lowest = lowest_python(plan.requires_python)
    if torch is None or lowest is None or is_open_ended(torch):
        return []
    bounds = [oldest for v in candidates(torch) if (oldest := table.oldest_python(v)) is not None]
    if not bounds or min(bounds) <= lowest:
        return []
    needed = dotted(min(bounds))
    consequence = (
        "uv and poetry look for a solution for every Python of the range, and there is none."
        if plan.resolves_for_all
        else f"On Python {dotted(lowest)} the project cannot be installed."
    )
    return [
        Problem(
            code="requires-python-too-wide",
            level=Level.ERROR if plan.resolves_for_all else Level.WARN,
            summary=f"requires-python is {plan.requires_python}, but {torch.text} needs "
            f">={needed}.",
            cause=f'{consequence} Write requires-python = ">={needed}".',
            wishes=(torch,),
        )
    ]


def lowest_python(ranges: str) -> Python | None:
    """Return the oldest Python 3 in a range such as `>=3.9`; None when it has no lower bound."""
    if not any(sign in ranges for sign in (">", "=", "~")):
        return None
    minors = [minor for minor in range(5, 30) if _has_minor(ranges, minor)]
    return (3, minors[0]) if minors and minors[0] > 5 else None


def _has_minor(ranges: str, minor: int) -> bool:
    return allows(ranges, f"3.{minor}.0") or allows(ranges, f"3.{minor}.90")


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


def dotted(python: Python) -> str:
    """Return (3, 12) as `3.12`."""
    return f"{python[0]}.{python[1]}"


RULES: tuple[Rule, ...] = (
    pairs,
    replaced,
    unknown_versions,
    variant_rules.variants,
    variant_rules.mixed_variants,
    dependency_rules.torch_requirements,
    dependency_rules.onnxruntime_cuda,
    index_rules.indexes,
    pythons,
    declared_pythons,
    wrong_names,
    repeated,
)
