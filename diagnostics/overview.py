"""The text in brackets behind each area of the overview."""

from __future__ import annotations

from collections.abc import Callable

from diagnostics.environment import Environment
from diagnostics.finding_builders import gib
from diagnostics.torch_build_choice import driver_version


def detail(environment: Environment, area: str) -> str:
    """Return a few words on what was examined, "" when there are none."""
    say = _DETAILS.get(area)
    return say(environment) if say else ""


def _python(environment: Environment) -> str:
    python = environment.python
    return f"{python.version}, {len(environment.packages)} packages, {python.executable}"


def _driver(environment: Environment) -> str:
    if environment.gpus:
        names = sorted({gpu.name for gpu in environment.gpus})
        count = f"{len(environment.gpus)} x " if len(environment.gpus) > 1 else ""
        return f"{count}{', '.join(names)}, driver {driver_version(environment) or 'unknown'}"
    return "no GPU in use" if environment.driver else "not probed"


def _versions(environment: Environment) -> str:
    shown = (
        f"{name} {environment.builds[name].version}"
        for name in ("torch", "torchvision", "torchaudio")
        if name in environment.builds
    )
    return ", ".join(shown) or "torch is not installed"


def _files(environment: Environment) -> str:
    return f"{environment.files.num_files:,} files" if environment.files else "not compared"


def _libraries(environment: Environment) -> str:
    walked = environment.linkage
    return f"{walked.num_libraries} libraries" if walked else "not walked"


def _memory(environment: Environment) -> str:
    system = environment.system
    return (
        f"{system.num_cores} cores, {gib(system.memory_available)} of "
        f"{gib(system.memory_total)} free"
    )


def _package(*names: str) -> Callable[[Environment], str]:
    def say(environment: Environment) -> str:
        found = (f"{n} {environment.packages[n]}" for n in names if n in environment.packages)
        return ", ".join(found) or "not installed"

    return say


def _storage(environment: Environment) -> str:
    free = [disk.free for disk in environment.disks if disk.purpose == "environment"]
    return f"{gib(free[0])} free" if free and free[0] >= 0 else ""


def _toolchain(environment: Environment) -> str:
    tools = environment.toolchain
    return (tools.cxx or "no C++ compiler") if tools else "not examined"


def _trials(environment: Environment) -> str:
    passed = sum(trial.outcome == "passed" for trial in environment.trials)
    return f"{passed} of {len(environment.trials)} passed" if environment.trials else "--deep"


def _quiet(environment: Environment) -> str:
    return f"{environment.system.cpu_model}, load {environment.system.load:g}"


_DETAILS: dict[str, Callable[[Environment], str]] = {
    "python": _python,
    "driver": _driver,
    "versions": _versions,
    "files": _files,
    "libraries": _libraries,
    "memory": _memory,
    "onnx": _package("onnx", "onnxscript"),
    "onnxruntime": _package("onnxruntime", "onnxruntime-gpu"),
    "netron": _package("netron"),
    "transformers": _package("transformers", "huggingface-hub"),
    "storage": _storage,
    "toolchain": _toolchain,
    "deep": _trials,
    "quiet": _quiet,
}
