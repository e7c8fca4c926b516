"""Worker side. What an export depends on, as data: the source files, the record, the weights,
the samples, the libraries.
"""

from __future__ import annotations

import hashlib
import inspect
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from suite.data.sources import Source
from suite.spec import ModelSpec
from suite.worker.protocol import Job

PACKAGES: Final = (
    "torch",
    "torchvision",
    "transformers",
    "onnx",
    "onnx-ir",
    "onnxscript",
    "onnxruntime",
    "onnxruntime-gpu",
    "segmentation-models-pytorch",
    "timm",
    "tokenizers",
    "scikit-learn",
    "numpy",
)
"""What changes a graph, its weights, or the samples that parity was checked on."""

SUITE: Final = Path(__file__).resolve().parents[2]
SHARED: Final = ("nets", "tasks", "data", "stages/export", "backends", "spec.py", "weights.py")
"""Parts of suite/ that go into every export."""


def ingredients_of(job: Job, spec: ModelSpec, source: Source) -> dict[str, Any]:
    """JSON-able; equal exactly when the export and its parity would come out the same."""
    assert job.cell is not None
    options = job.options
    own = Path(options["models_from"]) if options.get("models_from") else None
    size = spec.sizes[job.cell.size]
    return {
        "model": spec.name,
        "size": job.cell.size,
        "batch": job.cell.batch,
        "dtype": job.cell.dtype,
        "seed": int(options.get("seed", 0)),
        "threads": int(options.get("threads", 0)),
        "weights": weights_of(str(options.get("weights", "random"))),
        "data": source.as_dict(),
        "record": [repr(part) for part in (size, spec.outputs, spec.export, spec.tolerance)],
        "source": digest_of(source_files(spec, own)),
        "versions": versions(),
    }


def source_files(spec: ModelSpec, own: Path | None) -> dict[str, Path]:
    """Label -> file: of the record, of what it builds, of a user's file and its neighbours, and
    SHARED.

    Labels hold no folder outside of suite/, so that another clone of the same source has the same
    key.
    """
    files = {
        f"suite/{path.relative_to(SUITE).as_posix()}": path
        for part in SHARED
        for path in _python_files(SUITE / part)
    }
    for name, module in list(sys.modules.items()):
        if name.startswith("suite.models.") and spec in getattr(module, "MODELS", ()):
            files[name] = Path(str(module.__file__))
    if own is not None:
        files |= {f"own/{path.name}": path for path in (own, *sorted(own.parent.glob("*.py")))}
    build = inspect.unwrap(spec.build)
    build = getattr(build, "func", build)
    try:
        files["build"] = Path(inspect.getsourcefile(build) or "")
    except TypeError:  # a callable object: its class is the source
        files["build"] = Path(inspect.getsourcefile(type(build)) or "")
    return {label: path for label, path in files.items() if path.is_file()}


def digest_of(files: dict[str, Path]) -> str:
    """SHA-256 over labels and bytes."""
    digest = hashlib.sha256()
    for label, path in sorted(files.items()):
        digest.update(f"{label}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()


def weights_of(weights: str) -> Any:
    """`random` or `pretrained` as they are; a folder with name, size and time of change of what
    lies in it.
    """
    folder = Path(weights)
    if weights in ("random", "pretrained") or not folder.exists():
        return weights
    files = sorted(path for path in (folder, *folder.rglob("*")) if path.is_file())
    return [
        [path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns]
        for path in files
    ]


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Package -> installed version, and Python's; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _python_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))
