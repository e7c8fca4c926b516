"""The machine and the examined Python as one record: saved, replayed, fingerprinted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Self

from diagnostics.codec import decode_as, encode
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
