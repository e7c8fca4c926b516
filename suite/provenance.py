"""Worker side. Provenance of an artifact as data: source files, record, weights, samples, libraries."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from suite.source_files import files_read_by
from suite.spec import ModelSpec

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
    "torch-pruning",
    "torchao",
    "peft",
)
"""Packages that affect a graph, its weights, or the samples used to check it."""

SUITE: Final = Path(__file__).resolve().parent


def key_of(ingredients: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of JSON-able ingredients in any order."""
    text = json.dumps(ingredients, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def source_digest(spec: ModelSpec, own: Path | None, parts: Iterable[str]) -> str:
    """Return the SHA-256 over the sources of `spec`: `parts` of suite/ (files or folders) and the file of its record.

    A user's file counts with those that it imports from its folder. Files of records count without their MODELS, so
    changes to other records or fields do not alter the digest. Labels name no folder outside suite/, so another clone
    of the same source has the same digest.
    """
    digest = hashlib.sha256()
    for label, own_digest in source_digests(spec, own, parts).items():
        digest.update(f"{label}\0{own_digest}\0".encode())
    return digest.hexdigest()


def source_digests(spec: ModelSpec, own: Path | None, parts: Iterable[str]) -> dict[str, str]:
    """Return label -> SHA-256 of the sources of `source_digest`; a user's files by their names."""
    return {
        label: hashlib.sha256(content).hexdigest()
        for label, content in sorted(_sources(spec, own, parts).items())
    }


def _sources(spec: ModelSpec, own: Path | None, parts: Iterable[str]) -> dict[str, bytes]:
    found = {
        f"suite/{path.relative_to(SUITE).as_posix()}": path.read_bytes()
        for part in parts
        for path in _python_files(SUITE / part)
    }
    for name, module in list(sys.modules.items()):
        if name.startswith("suite.models.") and spec in getattr(module, "MODELS", ()):
            found[name] = without_records(Path(str(module.__file__)).read_bytes())
    if own is not None:
        found["own"] = without_records(own.read_bytes())
        for path in files_read_by(own):
            if path != own.resolve():
                found[f"own/{path.relative_to(own.resolve().parent).as_posix()}"] = (
                    path.read_bytes()
                )
    if (build := builder_file(spec)) is not None and "site-packages" in build.parts:
        found["build"] = build.read_bytes()
    return found


def builder_file(spec: ModelSpec) -> Path | None:
    """Return the file of the function or class that builds the model, or None."""
    build = inspect.unwrap(spec.build)
    build = getattr(build, "func", build)
    for candidate in (build, type(build)):
        try:
            file = inspect.getsourcefile(candidate)
        except TypeError:  # a callable object: its class is the source
            continue
        return Path(file) if file else None
    return None


def without_records(source: bytes) -> bytes:
    """Return the syntax tree, as text, of a file of records without comments and `MODELS = ...`."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if "MODELS" not in _assigned(node)]
    return ast.dump(tree).encode()


def _assigned(node: ast.stmt) -> set[str]:
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return {target.id for target in targets if isinstance(target, ast.Name)}


def described(value: Any) -> Any:
    """Return a part of a record as stable, JSON-able data: callables by name, with their bound arguments."""
    if isinstance(value, Mapping):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value]
    if hasattr(value, "func"):  # functools.partial
        return [described(value.func), described(value.args), described(value.keywords)]
    if inspect.isfunction(value):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [f"{value.__module__}:{value.__qualname__}", described(cells)]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def weights_of(weights: str) -> Any:
    """Return `random` or `pretrained` unchanged; for a folder, the name, size and modification time of its files."""
    folder = Path(weights)
    if weights in ("random", "pretrained") or not folder.exists():
        return weights
    files = sorted(path for path in (folder, *folder.rglob("*")) if path.is_file())
    return [
        [path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns]
        for path in files
    ]


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return package -> installed version, and Python's; packages not installed are left out."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _python_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))
