"""Checks that inference engines match the installed torch: vLLM, SGLang, TensorRT, xFormers."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.accelerator import counted_as
from diagnostics.dependencies import markers
from diagnostics.environment import Environment
from diagnostics.finding import Finding, Fix, Level
from diagnostics.finding_builders import finding
from diagnostics.install_commands import install
from diagnostics.records import Distribution
from diagnostics.registry import Skipped, check, need
from diagnostics.requirement import applies, parse_requirement
from diagnostics.tables import engines as table
from diagnostics.tables import torch_releases
from diagnostics.version import allows, parse


@check("engine-torch", "Inference engines match this torch", "versions")
def engine_torch(environment: Environment) -> Iterator[Finding]:
    """An inference engine or its kernels (vLLM, SGLang, TensorRT-LLM, Torch-TensorRT, xFormers) require another torch
    than the installed one.

    Why: its compiled kernels fit one release of torch: `undefined symbol` on import, or its next
    install replaces torch under everything else. Cure: install the torch that it pins, or the
    release of the engine that was built for the installed torch.
    """
    torch = need(environment.torch, "torch is not installed")
    found = [item for item in _installed(environment) if item.name in table.ENGINES]
    if not found:
        raise Skipped("no inference engine is installed")
    for engine in found:
        wanted = declared(engine, environment) or table.pin(engine.name, engine.version)
        if not wanted or any(allows(wanted, version) for version in counted_as(torch.version)):
            continue
        yield finding(
            Level.ERROR,
            f"{engine.name} {engine.version} was built for torch{wanted}; {torch.version} is installed",
            subject=engine.name,
            cause="its compiled kernels fit one release of torch",
            evidence={
                "torch/version.py": torch.version,
                f"{engine.name} Requires-Dist": f"torch{wanted}",
            },
            fixes=tuple(_cures(environment, engine, wanted, torch.version)),
            explains=(
                "dependency-unmet:torch",
                "dependency-unmet:torchvision",
                "dependency-unmet:torchaudio",
                f"dependency-unmet:{engine.name}",
                f"extension-other-torch:{engine.name}",
                f"library-missing:{engine.name}",
                f"deep-import:{engine.name}",
            ),
        )


def _installed(environment: Environment) -> Iterator[Distribution]:
    seen: set[str] = set()
    for item in environment.distributions:
        if item.name not in seen:
            seen.add(item.name)
            yield item


def declared(engine: Distribution, environment: Environment, name: str = "torch") -> str:
    """Return the range of a package that an engine's metadata require, "" for none.

    Of an extra only what pins a version counts: older SGLang keeps its torch in the extra `srt`.
    """
    known = markers(environment)
    optional = ""
    for line in engine.requires:
        found = parse_requirement(line)
        if found is None or found.name != name or not found.ranges:
            continue
        if applies(found.marker, known | {"extra": ""}):
            return found.ranges.replace(" ", "")
        if found.ranges.strip().startswith("==") and "extra" in found.marker:
            optional = optional or found.ranges.replace(" ", "")
    return optional


def _cures(
    environment: Environment, engine: Distribution, wanted: str, torch: str
) -> Iterator[Fix]:
    pinned = _release(wanted)
    if pinned:
        row = torch_releases.release(pinned)
        partners = {"torchvision": row.torchvision, "torchaudio": row.torchaudio} if row else {}
        together = [f"torch=={pinned}"]
        for name in ("torchvision", "torchaudio"):
            if name in environment.packages:
                own = declared(engine, environment, name)
                version = own.removeprefix("==") if own.startswith("==") else partners.get(name)
                together += [f"{name}=={version}"] if version else []
        yield install(
            environment,
            *together,
            why=f"brings the torch that {engine.name} {engine.version} was built for, and its partners",
        )
    other = table.newest_for(engine.name, parse(torch).public.text)
    if other:
        yield install(
            environment,
            f"{engine.name}=={other}",
            f"torch=={parse(torch).public.text}",
            why=f"or takes the release of {engine.name} that was built for the installed torch",
        )


def _release(wanted: str) -> str:
    """Return the release that a range pins or, of a range, the newest known one in it."""
    if wanted.startswith("==") and "," not in wanted and "*" not in wanted:
        return wanted.removeprefix("==")
    fitting = [row.torch for row in torch_releases.RELEASES if allows(wanted, row.torch)]
    return fitting[-1] if fitting else ""
