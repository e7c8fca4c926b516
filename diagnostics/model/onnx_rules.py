"""Rules about an ONNX file as a whole: damage, versions, domains, weights in other files, size."""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

from diagnostics.finding import Finding, Level
from diagnostics.model import limits
from diagnostics.model.onnx_file import External, OnnxFile, looks_like_onnx
from diagnostics.model.verdict import again, finding, look, pip
from diagnostics.model.wire import TWO_GIB
from diagnostics.tables.version import numbers

BROWSER_LIMIT = 3 * 10**9
"""Bytes above which browsers fail to hold a file (netron#549)."""

KNOWN_DOMAINS = frozenset(
    {
        "",
        "ai.onnx.ml",
        "ai.onnx.training",
        "com.microsoft",
        "com.microsoft.experimental",
        "com.microsoft.nchwc",
        "com.ms.internal.nhwc",
        "com.microsoft.dml",
        "org.pytorch.aten",
    }
)
"""Operator domains that ONNX Runtime registers itself."""

FROM_EXTENSIONS = frozenset({"ai.onnx.contrib", "com.microsoft.extensions"})
"""Domains of the package onnxruntime-extensions."""


def judge(path: Path, model: OnnxFile, size: int, runtime: str | None) -> list[Finding]:
    """Return the problems of a file; an empty list when readers should take it."""
    if model.damage or not looks_like_onnx(model):
        return [_damaged(path, model)]
    found = _versions(path, model, runtime)
    found += _domains(path, model)
    found += _external(path, model, runtime)
    found += _sizes(path, size)
    return found


def _damaged(path: Path, model: OnnxFile) -> Finding:
    if looks_like_onnx(model):
        return finding(
            "model-truncated",
            Level.ERROR,
            path,
            "The model is cut off or damaged.",
            f"The bytes end or break in the middle: {model.damage}.",
            again(),
        )
    started = model.ir_version is not None and bool(model.damage)
    detail = f": {model.damage}" if model.damage else ": it holds no graph"
    return finding(
        "model-truncated" if started else "model-not-onnx",
        Level.ERROR,
        path,
        "The model is cut off." if started else "The bytes are no ONNX model.",
        f"An ONNX file begins with its IR version and holds a graph{detail}.",
        again(),
    )


def _versions(path: Path, model: OnnxFile, runtime: str | None) -> list[Finding]:
    known = limits.of(runtime) if runtime else None
    ir, opset = known or (limits.NEWEST_IR, limits.NEWEST_OPSET)
    name = f"ONNX Runtime {runtime}" if known else "the newest ONNX Runtime in the table"
    level = Level.ERROR if known else Level.WARN
    upgrade = pip(sys.executable, "onnxruntime", why="reads newer models")
    found = []
    if (model.ir_version or 0) > ir:
        found.append(
            finding(
                "ort-ir-too-new",
                level,
                path,
                f"The IR version {model.ir_version} is too new: {name} reads up to {ir}.",
                "The file was written by a newer onnx.",
                upgrade,
                look(f"model.ir_version = {ir}; onnx.save(model, path)", "lowers the number"),
                value=f"ir_version {model.ir_version}",
            )
        )
    if model.opsets.get("", 0) > opset:
        found.append(
            finding(
                "opset-too-new",
                level,
                path,
                f"The opset {model.opsets['']} is too new: {name} supports up to {opset}.",
                "The model was exported for a newer ONNX.",
                upgrade,
                look(f"torch.onnx.export(..., opset_version={opset})", "exports for this one"),
                value=f"opset {model.opsets['']}",
            )
        )
    if model.operators and not model.opsets:
        found.append(
            finding(
                "onnx-no-opset",
                Level.ERROR,
                path,
                "The model does not say which opset it uses.",
                "The field opset_import is missing: the file was assembled by hand or cut.",
                look("helper.make_model(graph, opset_imports=[...])", "adds it"),
            )
        )
    return found


def _domains(path: Path, model: OnnxFile) -> list[Finding]:
    own = {domain for domain, _ in model.functions}
    unknown = sorted({d for d, _ in model.operators if d not in KNOWN_DOMAINS and d not in own})
    if not unknown:
        return []
    names = sorted(f"{d}:{op}" for d, op in model.operators if d in unknown)[:5]
    needs_extensions = set(unknown) <= FROM_EXTENSIONS
    fix = (
        pip(sys.executable, "onnxruntime-extensions", why="brings these operators")
        if needs_extensions
        else look("options.register_custom_ops_library(path)", "loads the library with them")
    )
    return [
        finding(
            "ort-unknown-op",
            Level.WARN,
            path,
            f"Operators that ONNX Runtime does not bring: {', '.join(names)}.",
            "They come from a library that must be loaded with the session; Netron shows them all "
            "the same.",
            fix,
            value=", ".join(unknown),
        )
    ]


def _external(path: Path, model: OnnxFile, runtime: str | None) -> list[Finding]:
    by_location: dict[str, list[External]] = {}
    for item in model.external:
        by_location.setdefault(item.location, []).append(item)
    found = []
    for location, items in sorted(by_location.items()):
        problem = _location_problem(path, location, items, runtime)
        if problem is None:
            continue
        code, summary, cause = problem
        found.append(
            finding(
                code,
                Level.ERROR,
                path,
                summary,
                cause,
                look("copy both files into one folder, with their names", "makes them a pair"),
                look("torch.onnx.export(..., external_data=False)", "writes one file below 2 GB"),
                value=f"{len(items)} tensors, such as {items[0].tensor or 'one without a name'}",
            )
        )
    return found


def _location_problem(
    path: Path, location: str, items: list[External], runtime: str | None
) -> tuple[str, str, str] | None:
    folder = path.parent
    outside = "external-data-outside"
    if not location:
        return "external-data-missing", "Tensors have no data and name no file.", "It was cut off."
    if PurePosixPath(location).is_absolute() or PureWindowsPath(location).drive:
        return (
            outside,
            f"The weights are expected at the absolute path {location}.",
            "Readers accept only files inside the model's folder.",
        )
    target = folder / location
    if "\0" in location or ".." in PurePosixPath(location.replace("\\", "/")).parts:
        return (
            outside,
            f"The weights are expected outside the model's folder: {location!r}.",
            "Readers refuse that for safety.",
        )
    if not target.is_file():
        return (
            "external-data-missing",
            f"The weights file {location} is not beside the model.",
            "Large models keep their weights in a second file; it was not copied, or renamed.",
        )
    allowed = [folder] if refuses_hub_links(runtime) else [folder, _resolved(path).parent]
    if not any(_is_inside(place, target) for place in allowed):
        if refuses_hub_links(runtime) and _is_inside(_resolved(path).parent, target):
            return (
                outside,
                f"ONNX Runtime {runtime} refuses links that leave the folder, as those of the Hub's "
                f"cache do: {location!r}.",
                "1.24.0 and 1.24.1 do that; earlier and later versions follow them. Upgrade, or "
                "download into a folder (hf download --local-dir).",
            )
        return (
            outside,
            f"The weights file {location!r} is a link out of the model's folder.",
            "Newer versions of ONNX Runtime refuse that for safety.",
        )
    have = target.stat().st_size
    need = max(item.offset + (item.length or 0) for item in items)
    if have < need:
        return (
            "external-data-short",
            f"The weights file {location} has {have:,} bytes, the model needs {need:,}.",
            "It is cut off, a pointer, or belongs to another export.",
        )
    return None


def refuses_hub_links(runtime: str | None) -> bool:
    """Return True for the versions that take the links of the Hub's cache for an escape.

    Measured with 1.23.2 (follows every link), 1.24.1 (refuses) and 1.32.0 (allows the folder of the
    link and that of the file behind it).
    """
    return runtime is not None and numbers(runtime)[:3] in ((1, 24), (1, 24, 0), (1, 24, 1))


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path


def _is_inside(folder: Path, target: Path) -> bool:
    try:
        return target.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return False


def _sizes(path: Path, size: int) -> list[Finding]:
    if size <= TWO_GIB:
        return []
    return [
        finding(
            "onnx-too-large",
            Level.ERROR,
            path,
            f"The file has {size / 1e9:.1f} GB; a protobuf message can have 2 GiB.",
            "The weights must lie in a second file"
            + ("; browsers cannot hold it either." if size > BROWSER_LIMIT else "."),
            look("onnx.save(model, path, save_as_external_data=True)", "moves the weights out"),
        )
    ]
