"""What is impossible in a plan, as rules over the dated tables."""

from __future__ import annotations

from collections.abc import Callable

from diagnostics.finding import Evidence, Finding, Fix, Level
from diagnostics.lint import (
    dependency_rules,
    engine_rules,
    index_rules,
    name_rules,
    python_rules,
    variant_rules,
)
from diagnostics.lint.correction import Target, corrections
from diagnostics.lint.plan import FAMILY, Plan, Problem, Wish, candidates, is_open_ended
from diagnostics.tables import torch_releases as table
from diagnostics.tables.torch_releases import Python
from diagnostics.tables.version import is_final

WITHOUT_LINE = frozenset({"engine-cuda-major", "engine-python"})
"""Problems of which a corrected line for torch and its partners would say nothing."""
Rule = Callable[[Plan, Python], list[Problem]]


def judge(plan: Plan, python: Python) -> list[Finding]:
    """Return the problems of a plan for one Python version, worst first, with the corrected line."""
    problems = [problem for rule in RULES for problem in rule(plan, python)]
    problems.sort(key=lambda item: -item.level.rank)
    if not problems:
        return []
    codes = frozenset(problem.code for problem in problems)
    fixes = corrections(Target(plan=plan, python=python, codes=codes))
    if problems[0].level.rank < Level.WARN.rank or codes <= WITHOUT_LINE:
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


RULES: tuple[Rule, ...] = (
    pairs,
    replaced,
    unknown_versions,
    variant_rules.variants,
    variant_rules.mixed_variants,
    dependency_rules.torch_requirements,
    dependency_rules.onnxruntime_cuda,
    engine_rules.engine_torch,
    engine_rules.engine_python,
    engine_rules.tensorrt_cuda,
    index_rules.indexes,
    python_rules.pythons,
    python_rules.declared_pythons,
    name_rules.wrong_names,
    name_rules.repeated,
)
