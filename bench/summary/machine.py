"""The machine in a few lines: what a reader needs to know beside the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench import units

PACKAGES: Final = ("torch", "onnxruntime", "transformers", "torchvision", "onnx")
"""Distributions whose versions decide the numbers."""


def machine_of(environment: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(label, value) pairs out of environment facts; what the facts lack is left out."""
    system = _mapping(environment, "system")
    python = environment.get("python")
    interpreter = _mapping(environment, "interpreter") or _mapping(environment, "python")
    pairs = (
        ("Processor", system.get("cpu_model")),
        ("Cores", _cores(system)),
        ("Memory", _memory(system)),
        ("GPU", _gpus(environment)),
        ("System", _join(system.get("distro"), system.get("kernel"), system.get("container"))),
        ("Python", interpreter.get("version") or (python if isinstance(python, str) else None)),
        *((name, version) for name, version in _versions(environment).items()),
        ("Commit", _commit(_mapping(environment, "repository") or _mapping(environment, "git"))),
        ("Fingerprint", environment.get("fingerprint")),
    )
    return tuple((label, str(value)) for label, value in pairs if value not in (None, "", 0))


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _join(*parts: object) -> str:
    return " · ".join(str(part) for part in parts if part)


def _cores(system: Mapping[str, Any]) -> str | None:
    cores = system.get("num_cores") or system.get("num_affinity") or system.get("num_cpus")
    shown = system.get("num_cpus")
    if not cores:
        return None
    return f"{cores} of {shown}" if shown and shown != cores else str(cores)


def _memory(system: Mapping[str, Any]) -> str | None:
    total = system.get("memory_limit") or system.get("memory_total")
    return units.num_bytes(total) if isinstance(total, (int, float)) and total else None


def _gpus(environment: Mapping[str, Any]) -> str:
    gpus = _list(environment.get("gpus")) or _list(_mapping(environment, "gpu").get("gpus"))
    names = [str(gpu.get("name", "?")) if isinstance(gpu, Mapping) else str(gpu) for gpu in gpus]
    return ", ".join(
        f"{names.count(name)} × {name}" if names.count(name) > 1 else name
        for name in dict.fromkeys(names)
    )


def _versions(environment: Mapping[str, Any]) -> dict[str, str]:
    packages = environment.get("packages")
    found = dict(packages) if isinstance(packages, Mapping) else {}
    for item in _list(environment.get("distributions")) or _list(packages):
        if isinstance(item, Mapping):
            found.setdefault(str(item.get("name")).lower(), item.get("version"))
    for build in _list(environment.get("builds")):  # has the local label, e.g. +cu132
        if isinstance(build, Mapping) and build.get("version"):
            found[str(build.get("package"))] = build["version"]
    torch = environment.get("torch")
    if isinstance(torch, Mapping) and torch.get("version"):
        found["torch"] = torch["version"]
    return {name: str(found[name]) for name in PACKAGES if found.get(name)}


def _commit(repository: Mapping[str, Any]) -> str | None:
    commit = repository.get("commit")
    if not commit:
        return None
    return f"{str(commit)[:10]}{', with changes' if repository.get('dirty') else ''}"
