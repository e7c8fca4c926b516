"""Rules about what torch requires, and about packages that need the same CUDA as torch."""

from __future__ import annotations

from diagnostics.finding import Level
from diagnostics.lint.plan import CONDA, Plan, Problem, Wish, candidates, is_open_ended
from diagnostics.requirement import applies, parse_requirement
from diagnostics.tables import torch_releases as table
from diagnostics.tables.drivers import cuda_of_variant
from diagnostics.tables.onnxruntime_gpu import SINCE, cuda_major
from diagnostics.tables.torch_releases import Python
from diagnostics.tables.torch_requirements import REQUIREMENTS
from diagnostics.tables.version import is_final
from diagnostics.version import allows


def torch_requirements(plan: Plan, python: Python) -> list[Problem]:
    """Return requirements that exclude what the wanted torch itself requires, such as its cuDNN."""
    torch = plan.wish("torch")
    if torch is None or plan.installer in CONDA or is_open_ended(torch):
        return []
    releases = [version for version in candidates(torch) if _is_default_variant(plan, version)]
    found = []
    for item in plan.wishes:
        if not item.ranges or item.name == "torch" or not releases:
            continue
        needs = [required_range(version, item.name, python) for version in releases]
        if any(need == "" or _meet(need, item) for need in needs):
            continue
        found.append(
            Problem(
                code="torch-pins-another",
                level=Level.ERROR,
                summary=f"{item.text} cannot be installed with torch {releases[-1]}.",
                cause=f"torch {releases[-1]} requires {item.name}{needs[-1]}. Leave the line out: "
                "torch brings what it needs.",
                wishes=(torch, item),
            )
        )
    return found


def required_range(release: str, name: str, python: Python) -> str:
    """Return what a torch release requires of a package, such as `==9.1.0.70`; empty for nothing."""
    known = {"python_version": f"{python[0]}.{python[1]}"}
    for line in REQUIREMENTS.get(release, ()):
        found = parse_requirement(line)
        if found and found.name == name and (not found.marker or applies(found.marker, known)):
            return found.ranges
    return ""


def _meet(need: str, item: Wish) -> bool:
    """Return False only when no version can be in both ranges."""
    if item.exact:
        return not is_final(item.exact) or allows(need, item.release)
    return not need.startswith("==") or allows(item.ranges, need[2:].strip())


def _is_default_variant(plan: Plan, release: str) -> bool:
    """Return True when the wheel is that of the package index, whose requirements are known."""
    row = table.release(release)
    torch = plan.wish("torch")
    wanted = torch_variant(plan, torch) if torch else ""
    return row is not None and (not wanted or wanted == row.default)


def torch_variant(plan: Plan, torch: Wish) -> str:
    """Return the variant that is asked for by label, index or backend; empty for the default."""
    return torch.variant or torch.index or plan.index_variant


def onnxruntime_cuda(plan: Plan, python: Python) -> list[Problem]:
    """Return an onnxruntime-gpu whose CUDA major version is not that of the wanted torch."""
    torch, runtime = plan.wish("torch"), plan.wish("onnxruntime-gpu")
    if torch is None or runtime is None or plan.has_foreign_index:
        return []
    mine, other = torch_cuda(plan), runtime_cuda(runtime)
    if mine is None or other is None or mine == other:
        return []
    return [
        Problem(
            code="ort-cuda-major",
            level=Level.WARN,
            summary=f"torch brings CUDA {mine}, but {runtime.text} wants CUDA {other}.",
            cause="Its CUDA provider does not find its libraries: sessions run on the CPU, and "
            "only a warning says so.",
            wishes=(torch, runtime),
        )
    ]


def torch_cuda(plan: Plan) -> int | None:
    """Return the CUDA major version of the torch that is installed; None when it is not known."""
    torch = plan.wish("torch")
    if torch is None:
        return None
    wanted = torch_variant(plan, torch)
    allowed = candidates(torch)
    row = table.NEWEST if is_open_ended(torch) else table.release(allowed[-1]) if allowed else None
    cuda = cuda_of_variant(wanted or (row.default if row else ""))
    return cuda[0] if cuda else None


def runtime_cuda(runtime: Wish) -> int | None:
    """Return the CUDA major version that a requirement of onnxruntime-gpu leads to."""
    if runtime.exact:
        return cuda_major(runtime.release)
    # The newest release wins; only an upper bound can keep it in an older row.
    rows = [major for first, major in SINCE if allows(runtime.ranges, f"{first}.99")]
    rows += [major for first, major in SINCE if allows(runtime.ranges, f"{first}.0")]
    return max(rows) if rows else None
