"""The machine and the examined Python as one record: gathered, saved, replayed, fingerprinted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

from diagnostics.codec import decode_as, encode
from diagnostics.facts import (
    builds,
    distributions,
    frame,
    gpu,
    hub,
    interpreter,
    linkage,
    measurement_noise,
    ports,
    record,
    repository,
    shadows,
    storage,
    system,
    toolchain,
    variables,
)
from diagnostics.facts.loader import Loader
from diagnostics.facts.timed_collector import Slot, collect
from diagnostics.records import (
    Build,
    CondaPackage,
    Disk,
    Distribution,
    Driver,
    Files,
    Frame,
    Gpu,
    Hub,
    Interpreter,
    Linkage,
    Ports,
    Quiet,
    Repository,
    Shadow,
    System,
    Toolchain,
    Trial,
)

SCHEMA = 1
"""Of the saved facts. 1: first."""
BESIDE_THE_POINT = frozenset({"git"})
"""Collectors that no check reads."""
KEY_PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxscript",
    "transformers",
    "triton",
    "torchao",
)
"""Packages whose version changes what a benchmark measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """All facts that the checks read; JSON-able."""

    schema: int = SCHEMA
    gathered_at: str = ""
    """UTC, ISO 8601."""
    quick: bool = False
    """True when the walks over files and libraries were left out."""
    python: Interpreter
    system: System = field(default_factory=System)
    gpus: tuple[Gpu, ...] = ()
    driver: Driver | None = None
    packages: dict[str, str] = field(default_factory=dict)
    """Normalised name -> version, as installed first on the path."""
    distributions: tuple[Distribution, ...] = ()
    conda: tuple[CondaPackage, ...] = ()
    leftovers: tuple[str, ...] = ()
    """Folders that an interrupted pip has left, such as `~orch`."""
    builds: dict[str, Build] = field(default_factory=dict)
    files: Files | None = None
    linkage: Linkage | None = None
    variables: dict[str, str] = field(default_factory=dict)
    shadows: tuple[Shadow, ...] = ()
    frame: Frame | None = None
    disks: tuple[Disk, ...] = ()
    toolchain: Toolchain | None = None
    hub: Hub | None = None
    ports: Ports | None = None
    quiet: Quiet | None = None
    git: Repository = field(default_factory=Repository)
    trials: tuple[Trial, ...] = ()
    """Filled by the deep tier."""
    errors: dict[str, str] = field(default_factory=dict)
    """Collector -> why its facts are missing."""

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Return the record that `as_dict()` wrote; other keys of the document are ignored.

        Raises ValueError, with the field, for a document of another shape or of a newer schema.
        """
        schema = data.get("schema", SCHEMA) if isinstance(data, dict) else SCHEMA
        if isinstance(schema, int) and schema > SCHEMA:
            raise ValueError(
                f"Environment.schema: expected at most {SCHEMA}, got schema {schema};"
                " made by a newer version"
            )
        return decode_as(cls, data)

    @property
    def unknown(self) -> dict[str, str]:
        """Collectors whose facts the checks lack, with the reason."""
        return {name: why for name, why in self.errors.items() if name not in BESIDE_THE_POINT}

    @property
    def versions(self) -> dict[str, str]:
        """Versions by package name, with the build's label where one is known: `2.15.0+cu132`."""
        return self.packages | {name: build.version for name, build in self.builds.items()}

    @property
    def torch(self) -> Build | None:
        """How torch was built, None when it is not installed."""
        return self.builds.get("torch")

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON-able data."""
        found: dict[str, Any] = encode(self)
        return found

    def fingerprint(self) -> str:
        """Return 12 hex digits over what makes results comparable: the machine and the key versions.

        Load, free memory and time do not enter it.
        """
        import hashlib

        versions = {name: self.packages[name] for name in KEY_PACKAGES if name in self.packages}
        versions |= {name: build.version for name, build in self.builds.items()}
        key = {
            "system": (self.system.system, self.system.kernel.split("-")[0], self.system.machine),
            "cpu": (self.system.cpu_model, self.system.num_cpus, self.system.num_affinity),
            "quota": self.system.quota,
            # Kernels of one machine differ by a few MiB in what they reserve.
            "memory": round(self.system.memory_total / (1 << 30)),
            "gpus": [(gpu.name, gpu.memory_total >> 30, gpu.driver) for gpu in self.gpus],
            "python": (self.python.implementation, self.python.version.split(".")[:2]),
            "versions": versions,
        }
        return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]


def gather(python: str | None = None, *, quick: bool = False, commit: bool = True) -> Environment:
    """Collect the facts about this machine and about `python` (this interpreter when None).

    `quick` leaves out the walks over RECORDs and libraries and takes under 150 ms; without `commit`
    git is not asked about the current folder, which no check reads. A collector
    that fails or is late leaves its default and a line in `errors`. Raises
    `facts.interpreter.NotAPython` when `python` names no interpreter.
    """
    errors: dict[str, str] = {}
    path = interpreter.locate(python) if python else None
    chosen = collect("variables", variables.watched, {}, errors)
    loader = Loader(library_path=_library_path(chosen))
    probe = gpu.Probe(loader, quick=quick)
    describe_commit = repository.describe if commit else Repository
    beside = {
        "gpu": _slot("gpu", partial(gpu.devices, probe), seconds=gpu.LONGEST_SECONDS),
        "git": _slot("git", describe_commit, seconds=3.0),
        "quiet": _slot("quiet", measurement_noise.describe, seconds=2.0),
    }
    subject = _python(path, errors)
    facts: dict[str, Any] = {"python": subject, "variables": chosen}
    facts["system"] = collect("system", system.describe, System(), errors)
    installed = partial(distributions.installed, subject.site_packages, subject.pythonpath)
    if quick:
        named = partial(distributions.versions, subject.site_packages)
        facts["packages"] = collect("packages", named, {}, errors)
    else:
        facts["distributions"] = collect("packages", installed, (), errors, seconds=10.0)
        facts["packages"] = {d.name: d.version for d in reversed(facts["distributions"])}
        conda = partial(distributions.conda_packages, subject.prefix)
        facts["conda"], conda_files = collect("conda", conda, ((), frozenset()), errors)
        facts |= _walks(subject, facts["distributions"], conda_files, loader, errors)
        around = partial(frame.describe, subject, facts["distributions"], chosen, loader)
        facts["frame"] = collect("frame", around, None, errors)
    gpus, driver = beside["gpu"].result(((), Driver()), errors)
    facts |= {"gpus": gpus, "driver": driver}
    build = partial(
        builds.describe,
        (*subject.pythonpath, *subject.site_packages),
        loader,
        architectures=bool(gpus),
    )
    facts["builds"] = collect("builds", build, {}, errors)
    facts |= _surroundings(subject, chosen, facts["packages"], errors, quick=quick)
    facts["git"] = beside["git"].result(Repository(), errors)
    facts["quiet"] = beside["quiet"].result(None, errors)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Environment(gathered_at=now, quick=quick, errors=errors, **facts)


def _slot(name: str, collector: Callable[[], Any], *, seconds: float) -> Slot[Any]:
    return Slot(name, collector, seconds=seconds)


def _python(path: str | None, errors: dict[str, str]) -> Interpreter:
    unknown = Interpreter(executable=path or "", version="")
    subject: Interpreter
    subject, failure = collect(
        "python",
        partial(interpreter.describe, path),
        (unknown, ""),
        errors,
        seconds=interpreter.LONGEST_SECONDS,
    )
    if failure:
        errors["python"] = failure
    return subject


def _library_path(chosen: dict[str, str]) -> tuple[str, ...]:
    return tuple(part for part in chosen.get("LD_LIBRARY_PATH", "").split(":") if part)


def _walks(
    subject: Interpreter,
    found: tuple[Distribution, ...],
    conda_files: frozenset[str],
    loader: Loader,
    errors: dict[str, str],
) -> dict[str, Any]:
    """RECORD against the disk, then the libraries that the RECORDs name."""
    survey = collect(
        "files", partial(record.survey, found, conda_files), None, errors, seconds=30.0
    )
    if survey is None:
        return {}
    files, libraries = survey
    walk = partial(linkage.walk, libraries, subject, loader, found)
    return {"files": files, "linkage": collect("linkage", walk, None, errors, seconds=30.0)}


def _surroundings(
    subject: Interpreter,
    chosen: dict[str, str],
    packages: dict[str, str],
    errors: dict[str, str],
    *,
    quick: bool,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "disks": collect("disks", partial(storage.disks, subject, chosen), (), errors),
    }
    if quick:
        return found
    find = partial(shadows.shadows, subject, chosen)
    tools = partial(toolchain.describe, subject, chosen)
    bind = partial(ports.describe, chosen, netron="netron" in packages)
    leftovers = partial(distributions.leftovers, subject.site_packages)
    return found | {
        "shadows": collect("shadows", find, (), errors),
        "toolchain": collect("toolchain", tools, None, errors),
        "hub": collect("hub", partial(hub.describe, chosen), None, errors),
        "ports": collect("ports", bind, None, errors),
        "leftovers": collect("leftovers", leftovers, (), errors),
    }
