"""Rules about inference engines that are installed beside torch: each release is built for one torch."""

from __future__ import annotations

import re

from diagnostics.finding import Level
from diagnostics.lint.dependency_rules import torch_cuda, torch_variant
from diagnostics.lint.plan import CONDA, FAMILY, Plan, Problem, Wish, candidates, is_open_ended
from diagnostics.lint.python_rules import dotted
from diagnostics.tables import engines as table
from diagnostics.tables import torch_releases
from diagnostics.tables.drivers import cuda_of_variant
from diagnostics.tables.torch_releases import Python
from diagnostics.tables.version import is_final
from diagnostics.version import allows


def pinned_engines(plan: Plan) -> list[tuple[Wish, str]]:
    """Return the engines that the plan pins, each with the range of torch that is known for it."""
    items = (item for item in plan.wishes if item.name in table.ENGINES and item.exact)
    return [(item, wanted) for item in items if (wanted := table.pin(item.name, item.release))]


def engine_torch(plan: Plan, python: Python) -> list[Problem]:
    """Return engines whose torch, or its partner, is excluded by the rest of the plan."""
    if plan.installer in CONDA:
        return []
    return [
        problem
        for engine, wanted in pinned_engines(plan)
        for problem in (
            _other_torch(plan, engine, wanted)
            or _other_partner(plan, engine, wanted)
            or _other_cuda(plan, engine, wanted)
        )
    ]


def engine_python(plan: Plan, python: Python) -> list[Problem]:
    """Return engines that have no wheel for this Python."""
    found = []
    for engine in plan.wishes:
        if engine.name not in table.ENGINES or not engine.exact or plan.installer in CONDA:
            continue
        supported = table.pythons(engine.name, engine.release)
        if supported and not allows(supported, dotted(python)):
            found.append(
                Problem(
                    code="engine-python",
                    level=Level.ERROR,
                    summary=f"{engine.text} does not support Python {dotted(python)}.",
                    cause=f"{engine.name} {engine.release} requires Python {supported}.",
                    wishes=(engine,),
                )
            )
    return found


def _other_torch(plan: Plan, engine: Wish, wanted: str) -> list[Problem]:
    torch = plan.wish("torch")
    if torch is None or not torch.ranges or _can_meet(torch, wanted):
        return []
    return [
        Problem(
            code="engine-torch",
            level=Level.ERROR,
            summary=f"{engine.text} and {torch.text} cannot be installed together.",
            cause=f"{engine.name} {engine.release} requires torch{wanted}: its compiled kernels fit one torch.",
            wishes=(engine, torch),
        )
    ]


def _can_meet(torch: Wish, wanted: str) -> bool:
    """Return False only where no known release of torch satisfies both."""
    if torch.exact:
        return not is_final(torch.exact) or allows(wanted, torch.release)
    if wanted.startswith("=="):
        return allows(torch.ranges, wanted.removeprefix("=="))
    fitting = candidates(torch)
    return not fitting or is_open_ended(torch) or any(allows(wanted, item) for item in fitting)


def _other_partner(plan: Plan, engine: Wish, wanted: str) -> list[Problem]:
    release = wanted.removeprefix("==")
    for name in FAMILY[1:]:
        partner = plan.wish(name)
        if partner is None or not partner.exact or not wanted.startswith("=="):
            continue
        if torch_releases.is_pair(release, name, partner.release) is False:
            return [
                Problem(
                    code="engine-torch",
                    level=Level.ERROR,
                    summary=f"{engine.text} and {partner.text} cannot be installed together.",
                    cause=f"{engine.name} {engine.release} requires torch{wanted}, "
                    f"which does not go with {name} {partner.release}.",
                    wishes=(engine, partner),
                )
            ]
    return []


def _other_cuda(plan: Plan, engine: Wish, wanted: str) -> list[Problem]:
    """Wheels of an engine are built for the CUDA of torch's wheel on the package index."""
    torch, row = plan.wish("torch"), torch_releases.release(wanted.removeprefix("=="))
    built = cuda_of_variant(row.default) if row else None
    # Only where a variant is named: else the engine's pin brings its own.
    mine = cuda_of_variant(torch_variant(plan, torch)) if torch else None
    if torch is None or built is None or mine is None or mine[0] == built[0]:
        return []
    return [
        Problem(
            code="engine-cuda-major",
            level=Level.WARN,
            summary=f"{engine.text} is built for CUDA {built[0]}, and this torch brings CUDA {mine[0]}.",
            cause=f"Its kernels ask for libcudart.so.{built[0]}, which is not installed then.",
            wishes=(engine, torch),
        )
    ]


def tensorrt_cuda(plan: Plan, python: Python) -> list[Problem]:
    """Return TensorRT packages that are named for another CUDA major version than torch brings."""
    mine, torch = torch_cuda(plan), plan.wish("torch")
    found = []
    for item in plan.wishes:
        named = re.fullmatch(
            r"tensorrt(?:-lean|-dispatch)?-cu(\d{2})(?:-bindings|-libs)?", item.name
        )
        if named is None or torch is None or mine is None or int(named[1]) == mine:
            continue
        found.append(
            Problem(
                code="engine-cuda-major",
                level=Level.WARN,
                summary=f"{item.text} is for CUDA {named[1]}, and this torch brings CUDA {mine}.",
                cause="Two CUDA runtimes in one process do not share memory or streams. "
                f"Take {item.name.replace(f'cu{named[1]}', f'cu{mine}')}.",
                wishes=(item, torch),
            )
        )
    return found
