"""Machine table of a report: the hardware and software facts that affect the numbers."""

from __future__ import annotations

from typing import Final

from diagnostics.environment import Environment
from diagnostics.records import Gpu, Interpreter, Repository, System
from suite import units
from suite.runs.machine import Machine

HEADLINE_PACKAGES: Final = ("torch", "onnxruntime")
"""Packages named in a report's first line."""
PACKAGES: Final = ("torch", "onnxruntime", "transformers", "torchvision", "onnx")
"""Distributions whose versions affect the numbers."""


def machine_of(machine: Machine | None) -> tuple[tuple[str, str], ...]:
    """Return (label, value) pairs; unknown facts are left out, and there are none without a machine."""
    if machine is None:
        return ()
    facts = machine.environment
    system = facts.system
    pairs = (
        ("Processor", system.cpu_model),
        ("Cores", _cores(system)),
        ("Memory", _memory(system)),
        ("GPU", _gpus(facts.gpus)),
        ("System", _join(system.distro, system.kernel, system.container)),
        ("Python", _python(facts.python)),
        *_versions(facts),
        ("Commit", _commit(facts.git)),
        ("Fingerprint", machine.fingerprint),
    )
    return tuple((label, value) for label, value in pairs if value)


def _join(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _cores(system: System) -> str:
    """Return `2 of 96`: the cores available to the process, of those that the kernel reports."""
    if not system.num_cpus:
        return ""
    if system.num_cores == system.num_cpus:
        return str(system.num_cores)
    return f"{system.num_cores} of {system.num_cpus}"


def _memory(system: System) -> str:
    total = system.memory_limit or system.memory_total
    return units.num_bytes(total) if total > 0 else ""


def _gpus(gpus: tuple[Gpu, ...]) -> str:
    """Return the GPUs as text, e.g. `2 × NVIDIA H200`."""
    names = [gpu.name for gpu in gpus]
    return ", ".join(
        f"{names.count(name)} × {name}" if names.count(name) > 1 else name
        for name in dict.fromkeys(names)
    )


def _python(interpreter: Interpreter) -> str:
    """Return the version; with the implementation if it is not CPython, and if the build is free-threaded."""
    if not interpreter.version:
        return ""
    name = "" if interpreter.implementation == "cpython" else interpreter.implementation
    lock = "free-threaded" if interpreter.free_threaded else ""
    return " ".join(part for part in (name, interpreter.version, lock) if part)


def _versions(facts: Environment) -> list[tuple[str, str]]:
    """Return (package, version); for a wheel with its local label, such as `2.15.0+cu132`."""
    known = facts.versions
    if "onnxruntime" not in known and "onnxruntime-gpu" in known:
        known = {**known, "onnxruntime": f"{known['onnxruntime-gpu']} (gpu)"}
    return [(name, known[name]) for name in PACKAGES if name in known]


def _commit(repository: Repository) -> str:
    changed = ", with changes" if repository.dirty else ""
    return f"{repository.commit[:10]}{changed}" if repository.commit else ""
