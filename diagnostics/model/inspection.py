"""Looks at one model file and says why it cannot be loaded."""

from __future__ import annotations

import mmap
from pathlib import Path

from diagnostics.finding import Finding, Level
from diagnostics.model import archive, onnx_file, onnx_rules, pickle_file, safetensors_file
from diagnostics.model.content import NAMES, Content, sniff
from diagnostics.model.verdict import again, finding, lfs_pull, look

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


def inspect(path: Path, *, runtime: str | None = None) -> list[Finding]:
    """What is wrong with a model file, worst first; one `ok` finding when nothing is.

    `runtime` is the version of ONNX Runtime that has to read it (None: not known). Raises
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
                found = _look(path, view, size, runtime)
            finally:
                view.release()
    return sorted(found, key=lambda item: -item.level.rank)


def _look(path: Path, view: memoryview, size: int, runtime: str | None) -> list[Finding]:
    content = sniff(view[:4096], size)
    expected = EXPECTED.get(path.suffix.lower(), "")
    foreign = _foreign(path, content)
    if foreign is not None:
        return [foreign]
    if content.kind == "zip" and expected != "onnx":
        return _zip(path)
    if content.kind == "pickle":
        return _pickle(path, view, expected)
    if expected == "safetensors" or content.kind == "safetensors":
        return _safetensors(path, view)
    if content.kind in NAMES and content.kind != "safetensors":
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
    return _onnx(path, view, size, runtime)


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
    if content.kind in ("web page", "json", "xml") and path.suffix.lower() != ".json":
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
    return finding(
        "model-other-format",
        Level.ERROR,
        path,
        f"The file is {NAMES[content.kind]}, although it is called {path.suffix or path.name}.",
        "Readers choose the format by name or content; here they disagree.",
        look("rename it, or unpack it first", "lets readers see what it is"),
    )


def _folder(path: Path) -> Finding:
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
    forms = {
        "program": "an exported program",
        "checkpoint": "a checkpoint of torch",
        "torchscript": "a TorchScript module",
        "other": "a zip archive that is not torch's",
    }
    level = Level.WARN if verdict.form == "other" else Level.OK
    return [
        finding(
            "model-ok" if level is Level.OK else "model-other-format",
            level,
            path,
            f"The file is {forms[verdict.form]} with {len(verdict.names)} parts, undamaged.",
        )
    ]


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
    level = Level.INFO if expected == "zip" else Level.ERROR
    return [
        finding(
            "model-pickle",
            level,
            path,
            "The file is a Python pickle (torch's old format).",
            "It can run code when it is loaded; only torch.load reads it.",
            look("torch.save(torch.load(path), path)", "writes today's format"),
        )
    ]


def _safetensors(path: Path, view: memoryview) -> list[Finding]:
    header = safetensors_file.read(view)
    if not header.problem:
        return [
            finding(
                "model-ok",
                Level.OK,
                path,
                f"A safetensors file with {header.num_tensors} tensors, complete.",
            )
        ]
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


def _onnx(path: Path, view: memoryview, size: int, runtime: str | None) -> list[Finding]:
    found = onnx_file.read(view)
    problems = onnx_rules.judge(path, found, size, runtime)
    if problems:
        return problems
    opset = found.opsets.get("", 0)
    nodes = sum(found.operators.values())
    return [
        finding(
            "model-ok",
            Level.OK,
            path,
            f"An ONNX model: IR {found.ir_version}, opset {opset}, {nodes} nodes, "
            f"{len(found.external)} tensors in other files"
            + (f", by {found.producer}." if found.producer else "."),
        )
    ]
