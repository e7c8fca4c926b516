"""Looks at one model file and says why it cannot be loaded, or what it is."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from diagnostics.finding import Finding, Level
from diagnostics.model import (
    archive,
    graph,
    graph_rules,
    limits,
    onnx_file,
    onnx_rules,
    pickle_file,
    safetensors_file,
    text_format,
)
from diagnostics.model.content import NAMES, SUFFIXES, Content, other_protobuf, sniff
from diagnostics.model.fault import Fault
from diagnostics.model.runtime import ask
from diagnostics.model.verdict import again, checked, finding, lfs_pull, look
from diagnostics.model.wire import WireError

EXPECTED = {
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    ".pt2": "zip",
    ".pt": "zip",
    ".pth": "zip",
    ".ckpt": "zip",
    ".bin": "zip",
}
"""What the usual suffixes promise; older checkpoints are plain pickles."""

RAW_DATA = (".data", ".onnx_data", ".weight", ".weights")
"""Suffixes of the files in which exporters put an ONNX model's weights, without any header."""

STRUCTURE = "structure only; what is inside was not looked into"


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file that is looked at."""

    path: Path
    view: memoryview
    size: int
    runtime: str | None
    asks: bool


def inspect(path: Path, *, runtime: str | None = None, asks: bool = False) -> list[Finding]:
    """Return what is wrong with a model file, worst first; one finding that names it when nothing is.

    `runtime` is the version of ONNX Runtime that has to read it (None: not known). With `asks` the
    installed one is asked as well, in a process of its own, where nothing else was found. Raises
    OSError when the file cannot be read.
    """
    if path.is_dir():
        return [_folder(path)]
    size = path.stat().st_size
    with path.open("rb") as file:
        if size == 0:
            return [
                finding(
                    "model-empty",
                    Level.ERROR,
                    path,
                    "The file is empty.",
                    "A download or export was interrupted before its first byte.",
                    again(),
                )
            ]
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                found = _look(_File(path=path, view=view, size=size, runtime=runtime, asks=asks))
            finally:
                view.release()
    return sorted(found, key=lambda item: -item.level.rank)


def _look(file: _File) -> list[Finding]:
    path, view = file.path, file.view
    content = _refined(file, sniff(view[:4096], file.size))
    suffix = path.suffix.lower()
    expected = EXPECTED.get(suffix, "")
    foreign = _foreign(path, content)
    if foreign is not None:
        return [foreign]
    if content.kind == "onnx text":
        return [_onnx_text(file)]
    if content.kind == "zip" and expected != "onnx":
        return _zip(path)
    if content.kind == "pickle":
        return _pickle(path, view, expected)
    if expected == "safetensors" or content.kind == "safetensors":
        return _safetensors(path, view)
    if content.kind in NAMES:
        return [_other(path, content)]
    if expected == "zip":
        return [
            finding(
                "model-unknown",
                Level.ERROR,
                path,
                "The file is neither a zip archive nor a pickle.",
                "torch saves zip archives; these bytes are something else, or their "
                "beginning is missing.",
                again(),
            )
        ]
    if suffix in RAW_DATA:
        summary = (
            "The file has no header: raw data, such as the weights of an ONNX model beside it."
        )
        return [
            checked(
                finding("model-format", Level.INFO, path, summary),
                checked="nothing; look at the .onnx file that names it",
            )
        ]
    return _onnx(file)


def _refined(file: _File, content: Content) -> Content:
    """Return the kind of a file that only more than its first bytes can tell."""
    if content.kind == "json" and file.size <= text_format.LIMIT:
        data = text_format.parse_json(bytes(file.view))
        if text_format.is_onnx_json(data):
            return Content(kind="onnx json")
    if content.kind == "unknown":
        kind = other_protobuf(file.view)
        # Broken ONNX files and frozen TensorFlow graphs can look alike: only the suffix decides.
        if kind and (file.path.suffix.lower() != ".onnx" or kind == "coreml"):
            return Content(kind=kind)
    return content


def _foreign(path: Path, content: Content) -> Finding | None:
    note = f" ({content.note})" if content.note else ""
    if content.kind == "lfs":
        return finding(
            "lfs-pointer",
            Level.ERROR,
            path,
            f"The file is a Git LFS pointer, not the model{note}.",
            "The repository was cloned without Git LFS, or the download took the pointer.",
            *lfs_pull(path),
        )
    is_named_so = path.suffix.lower() in SUFFIXES.get(content.kind, ())
    if content.kind in ("web page", "json", "xml") and not is_named_so:
        return finding(
            "model-web-page",
            Level.ERROR,
            path,
            f"The file is {NAMES[content.kind]}, not a model{note}.",
            "The download saved an answer of the server (an error, a login page, a "
            "viewer) under the model's name.",
            again(),
        )
    if content.kind == "zeros":
        return finding(
            "model-zeros",
            Level.ERROR,
            path,
            "The file begins with nothing but zeros.",
            "Space was reserved, but the data never arrived: a full disk, a crash, or a "
            "sparse copy.",
            again(),
        )
    return None


def _other(path: Path, content: Content) -> Finding:
    """Return the name of a format that is not looked into; an error only under a false name."""
    suffix = path.suffix.lower()
    note = f", {content.note}" if content.note and content.kind != "json" else ""
    if suffix in EXPECTED and suffix not in SUFFIXES.get(content.kind, ()):
        return finding(
            "model-other-format",
            Level.ERROR,
            path,
            f"The file is {NAMES[content.kind]}{note}, although it is called {suffix}.",
            "Readers choose the format by name or content; here they disagree.",
            look("rename it, or unpack it first", "lets readers see what it is"),
        )
    named = finding("model-format", Level.INFO, path, f"The file is {NAMES[content.kind]}{note}.")
    return checked(named, checked="only what it is; this format is not looked into")


def _folder(path: Path) -> Finding:
    forms = {
        "saved_model.pb": "a TensorFlow SavedModel",
        "Manifest.json": "a Core ML package (.mlpackage)",
    }
    for name, form in forms.items():
        if (path / name).is_file():
            named = finding("model-format", Level.INFO, path, f"The folder is {form}.")
            return checked(named, checked="the file names only; this format is not looked into")
    inside = sorted(item.name for item in path.iterdir() if item.suffix in EXPECTED)[:5]
    names = f": {', '.join(inside)}" if inside else ""
    return finding(
        "model-folder",
        Level.ERROR,
        path,
        f"This is a folder{names}.",
        "A model file was expected.",
        look("name a file inside it", "is what is read"),
    )


ARCHIVES = {
    "program": "an exported program (.pt2)",
    "checkpoint": "a checkpoint of torch",
    "torchscript": "a TorchScript module",
    "lite": "a TorchScript module for the lite interpreter (.ptl)",
    "mar": "a model archive of TorchServe (.mar)",
    "keras": "a Keras model",
    "arrays": "an archive of NumPy arrays (.npz)",
    "other": "a zip archive that is not torch's",
}
"""Form of an archive -> its name in a sentence."""


def _zip(path: Path) -> list[Finding]:
    verdict = archive.read(path)
    if verdict.problem:
        return [
            finding(
                "model-zip-damaged",
                Level.ERROR,
                path,
                f"The archive is damaged: {verdict.problem}.",
                "A download, copy or save was interrupted.",
                again(),
            )
        ]
    is_promised = path.suffix.lower() in EXPECTED
    level = {"checkpoint": Level.OK, "other": Level.WARN if is_promised else Level.INFO}.get(
        verdict.form, Level.INFO
    )
    code = {Level.OK: "model-ok", Level.WARN: "model-other-format"}.get(level, "model-format")
    summary = f"The file is {ARCHIVES[verdict.form]} with {len(verdict.names)} parts, undamaged."
    return [checked(finding(code, level, path, summary), checked=STRUCTURE)]


def _pickle(path: Path, view: memoryview, expected: str) -> list[Finding]:
    problem = pickle_file.damage(view)
    if problem:
        return [
            finding(
                "model-pickle-damaged",
                Level.ERROR,
                path,
                f"The pickle is damaged: {problem}.",
                "It is cut off or altered.",
                again(),
            )
        ]
    is_promised = expected in ("onnx", "safetensors")
    return [
        finding(
            "model-pickle",
            Level.ERROR if is_promised else Level.INFO,
            path,
            "The file is a Python pickle (torch's old format, or another program's).",
            "It can run code when it is loaded; torch.load or pickle reads it.",
            look("torch.save(torch.load(path), path)", "writes today's format"),
        )
    ]


def _safetensors(path: Path, view: memoryview) -> list[Finding]:
    header = safetensors_file.read(view)
    if not header.problem:
        summary = f"A safetensors file with {header.num_tensors} tensors, complete."
        return [checked(finding("model-ok", Level.OK, path, summary), checked="header and sizes")]
    code = "safetensors-truncated" if header.is_short else "safetensors-header"
    return [
        finding(
            code,
            Level.ERROR,
            path,
            f"Not a readable safetensors file: {header.problem}.",
            "It is cut off, altered, or another format.",
            again(),
        )
    ]


def _onnx_text(file: _File) -> Finding:
    read = text_format.read_text(bytes(file.view[: text_format.LIMIT]).decode("utf-8", "replace"))
    if read.problem:
        return finding(
            "onnx-text-broken",
            Level.ERROR,
            file.path,
            f"An ONNX model as text that cannot be read: {read.problem}.",
            read.cause or "The text does not follow the messages of onnx.proto.",
            look("correct that line; onnx.load(path) reads .textproto", "makes it a model again"),
        )
    if file.path.suffix.lower() in EXPECTED:
        return _other(file.path, Content(kind="onnx text"))
    ir = f": IR {read.ir_version}, " if read.ir_version else ": "
    summary = f"The file is {NAMES['onnx text']}{ir}{read.num_nodes} nodes."
    return checked(
        finding("model-format", Level.INFO, file.path, summary),
        checked="the names of its messages and fields; onnx reads it, ONNX Runtime does not",
    )


def _onnx(file: _File) -> list[Finding]:
    path = file.path
    found = onnx_file.read(file.view)
    if found.damage or not onnx_file.looks_like_onnx(found):
        return onnx_rules.judge(path, found, file.size, file.runtime)
    problems = onnx_rules.judge(path, found, file.size, file.runtime)
    notes: dict[str, str] = {"checked": "structure only"}
    opset = found.opsets.get("", 0)
    if found.opsets and opset <= limits.NEWEST_OPSET:
        try:
            judged = graph_rules.judge(graph.read(file.view), found.opsets, file.runtime)
        except WireError as error:
            judged = graph_rules.Judged()
            notes["not checked"] = f"nodes and types: {error}"
        else:
            problems += [_fault(path, fault, file.runtime) for fault in judged.faults]
            notes.update(_extent(judged))
    if not any(item.level.rank >= Level.ERROR.rank for item in problems) and file.asks:
        problems += _asked(file, found, notes)
    if problems:
        return problems
    nodes = sum(found.operators.values())
    summary = (
        f"An ONNX model: IR {found.ir_version}, opset {opset}, {nodes} nodes, "
        f"{len(found.external)} tensors in other files"
        + (f", by {found.producer}." if found.producer else ".")
    )
    return [checked(finding("model-ok", Level.OK, path, summary), **notes)]


def _fault(path: Path, fault: Fault, runtime: str | None) -> Finding:
    is_guess = fault.code == "ort-no-kernel" and runtime is None
    cures = (look(fault.cure, "removes the cause"),) if fault.cure else ()
    return finding(
        fault.code,
        Level.WARN if is_guess else Level.ERROR,
        path,
        fault.summary,
        fault.cause,
        *cures,
        value=f"node {fault.node}" if fault.node else "",
    )


def _extent(judged: graph_rules.Judged) -> dict[str, str]:
    """Return what was checked of a graph and what was not, in words."""
    found = "structure, names, operators, attributes"
    open_nodes = judged.num_untyped
    left = ["that its results are right: it was not run"]
    if judged.says_types:
        found += ", the types of all nodes"
    else:
        left.append(f"the types of {open_nodes} of {judged.num_nodes} nodes, which cannot be told")
    if judged.witnesses:
        found += f", CPU kernels of ONNX Runtime {' and '.join(judged.witnesses)}"
    else:
        left.append("CPU kernels: this ONNX Runtime is not in the table")
    return {"checked": found, "not_checked": "; ".join(left)}


def _asked(file: _File, found: onnx_file.OnnxFile, notes: dict[str, str]) -> list[Finding]:
    """Return what the installed ONNX Runtime says of a file in which nothing was found."""
    weights = sum(item.length or 0 for item in found.external)
    answer = ask(file.path, file.size + weights)
    if not answer.version:
        notes["ONNX Runtime"] = f"was not asked: {answer.message}"
        return []
    notes[f"ONNX Runtime {answer.version}"] = "loads it" if answer.loads else "refuses it"
    if answer.loads:
        return []
    refused = finding(
        "ort-refuses",
        Level.ERROR,
        file.path,
        f"ONNX Runtime {answer.version} refuses the file.",
        "Its own words stand below; nothing else was found in the file.",
        value=answer.message[:600],
    )
    return [refused]
