"""Rules about Pythons: wheels that a Python lacks, and what a project promises."""

from __future__ import annotations

import re

from diagnostics.finding import Level
from diagnostics.lint.plan import CONDA, FAMILY, Plan, Problem, candidates, is_open_ended
from diagnostics.tables import torch_releases as table
from diagnostics.tables.torch_releases import Python
from diagnostics.version import allows


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


def dotted(python: Python) -> str:
    """Return (3, 12) as `3.12`."""
    return f"{python[0]}.{python[1]}"
