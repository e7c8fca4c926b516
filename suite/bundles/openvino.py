"""Worker side. A graph file with its weights, run by OpenVINO's CPU plugin with the settings that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.backends.openvino import PLUGIN, settings_of
from suite.backends.runnable import Runnable
from suite.bundles.graph import FILE, copy_graph
from suite.bundles.package import Package
from suite.spec import ModelSpec
from suite.worker.protocol import CellJob


def write(
    job: CellJob, spec: ModelSpec, subject: Runnable, inputs: Mapping[str, Any], folder: Path
) -> Package:
    """Copy the job's graph to `folder`."""
    copy_graph(Path(job.options.graph), folder)
    settings = settings_of(job.cell.dtype, job.options.threads)
    return Package(
        imports=("import openvino as ov",),
        lines=(
            f'model = ov.Core().compile_model(here / "{FILE}", "{PLUGIN}", {settings})',
            "request = model.create_infer_request()",
            "feeds = {name: inputs[name] for name in (port.get_any_name() for port in model.inputs)}",
            "def call():",
            "    return request.infer(feeds, share_inputs=True)",
            "def arrays(answer):",
            "    return [answer[port] for port in model.outputs]",
        ),
        libraries=("openvino", "numpy"),
    )
