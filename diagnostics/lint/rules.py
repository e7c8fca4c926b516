"""What is impossible in a plan, as rules over the dated tables."""

from __future__ import annotations

from collections.abc import Callable

from diagnostics.finding import Evidence, Finding, Fix, Level
from diagnostics.lint import variant_rules
from diagnostics.lint.correction import Target, corrections
from diagnostics.lint.errors import Problem
from diagnostics.lint.plan import FAMILY, Plan, Wish, candidates, is_open_ended
from diagnostics.tables import torch_releases as table
from diagnostics.tables.torch_releases import Python
from diagnostics.tables.version import is_final, numbers

Rule = Callable[[Plan, Python], list[Problem]]


def judge(plan: Plan, python: Python) -> list[Finding]:
    """The problems of a plan for one Python version, worst first, with the corrected line."""
    problems = [problem for rule in RULES for problem in rule(plan, python)]
    problems.sort(key=lambda item: -item.level.rank)
    if not problems:
        return []
    codes = frozenset(problem.code for problem in problems)
    fixes = corrections(Target(plan=plan, python=python, codes=codes))
    if problems[0].level.rank < Level.WARN.rank:
        fixes = ()
    # One line cures all of them: it stands under the first.
    return [_finding(plan, item, () if index else fixes) for index, item in enumerate(problems)]


def _finding(plan: Plan, problem: Problem, fixes: tuple[Fix, ...]) -> Finding:
    evidence = [Evidence(source=w.where or plan.source, value=w.text) for w in problem.wishes]
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
    """torchvision or torchaudio that was built for another torch."""
    torch = plan.wish("torch")
    found = []
    for name in FAMILY[1:]:
        partner = plan.wish(name)
        if torch is None or partner is None or _can_pair(torch, partner):
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
                    cause=f"the first needs torch {one.torch}, the second torch {two.torch}",
                    wishes=(vision, audio),
                )
            )
    return found


def _can_pair(torch: Wish, partner: Wish) -> bool:
    """False only when every allowed combination is known to be impossible."""
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


def unknown_versions(plan: Plan, python: Python) -> list[Problem]:
    """Versions that were never released, and ones that are newer than the table."""
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
        elif not _is_known(item):
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


def _is_known(item: Wish) -> bool:
    known = table.versions(item.name)
    return item.release in known or f"{item.release}.0" in known


def _near(item: Wish) -> list[str]:
    series = ".".join(item.release.split(".")[:2]) + "."
    same = [version for version in table.versions(item.name) if version.startswith(series)]
    return same or list(table.versions(item.name)[-3:])


def pythons(plan: Plan, python: Python) -> list[Problem]:
    """Releases without wheels for this Python."""
    found = []
    for item in plan.wishes:
        if item.name not in FAMILY or is_open_ended(item):
            continue
        allowed = candidates(item)
        if not allowed or any(table.has_wheel(item.name, v, python) is not False for v in allowed):
            continue
        bounds = table.python_bounds(item.name, allowed[-1])
        span = f"{_dotted(bounds[0])} to {_dotted(bounds[1])}" if bounds else "unknown"
        found.append(
            Problem(
                code="python-has-no-wheel",
                level=Level.ERROR,
                summary=f"{item.name} {allowed[-1]} has no wheel for Python {_dotted(python)}.",
                cause=f"There are wheels for Python {span}.",
                wishes=(item,),
            )
        )
    return found


def wrong_names(plan: Plan, python: Python) -> list[Problem]:
    """Names that are not what they seem, and packages that exclude each other."""
    found = []
    pytorch = plan.wish("pytorch")
    if pytorch is not None and plan.installer != "conda":
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
    torch = plan.wish("torch")
    if "pytorch" in plan.channels and torch and torch.exact and _after(torch.release, "2.5.1"):
        found.append(
            Problem(
                code="conda-channel-ended",
                level=Level.ERROR,
                summary=f"The conda channel `pytorch` has no torch {torch.release}.",
                cause="It ended with torch 2.5.1.",
                wishes=(torch,),
            )
        )
    return found


def _after(version: str, other: str) -> bool:
    return numbers(version) > numbers(other)


def _dotted(python: Python) -> str:
    return f"{python[0]}.{python[1]}"


RULES: tuple[Rule, ...] = (
    pairs,
    unknown_versions,
    variant_rules.variants,
    variant_rules.mixed_variants,
    pythons,
    wrong_names,
)
