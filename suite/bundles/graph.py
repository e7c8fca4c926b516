"""Worker side. A graph file with its weights, run by ONNX Runtime."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from suite.backends.runnable import Runnable
from suite.bundles.package import Package
from suite.onnx_summary import files_of
from suite.spec import ModelSpec
from suite.worker.protocol import CellJob

FILE: Final = "model.onnx"


def copy_graph(graph: Path, folder: Path) -> None:
    """Copy the graph to `folder` as model.onnx; a file with its weights keeps its name, which the graph holds."""
    first, *others = files_of(graph)
    shutil.copyfile(first, folder / FILE)
    for other in others:
        shutil.copyfile(other, folder / other.name)


def write(
    job: CellJob, spec: ModelSpec, subject: Runnable, inputs: Mapping[str, Any], folder: Path
) -> Package:
    """Copy the job's graph to `folder`; it runs on the provider that it was measured on."""
    import onnxruntime as ort

    copy_graph(Path(job.options.graph), folder)
    names = ("onnxruntime-gpu", "onnxruntime")
    providers = [*dict.fromkeys((subject.setup.provider, "CPUExecutionProvider"))]
    return Package(
        imports=("import onnxruntime as ort",),
        lines=(
            "options = ort.SessionOptions()",
            f"options.intra_op_num_threads = {job.options.threads}",
            f'session = ort.InferenceSession(here / "{FILE}", options, providers={providers})',
            "feeds = {node.name: inputs[node.name] for node in session.get_inputs()}",
            "def call():",
            "    return session.run(None, feeds)",
            "arrays = list",
        ),
        libraries=(_installed(names, ort.__version__), "numpy"),
    )


def _installed(names: tuple[str, ...], version: str) -> str:
    """Return which of the distributions has that version here; the last one if none says so."""
    from importlib import metadata

    for name in names:
        try:
            if metadata.version(name).startswith(version):
                return name
        except metadata.PackageNotFoundError:
            continue
    return names[-1]
