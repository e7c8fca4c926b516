"""The one error of a graph file that cannot be read: which file, what was expected, what to do next."""

from __future__ import annotations

from pathlib import Path

from diagnostics.finding import Finding, Level
from diagnostics.model.inspection import inspect


class GraphError(ValueError):
    """A file is no graph that can be read."""


def explained(path: Path, problem: str) -> GraphError:
    """The error for a file in which `problem` was met, with what the doctor knows of the file."""
    try:
        found = [f for f in inspect(path) if f.level.rank >= Level.ERROR.rank]
    except OSError as error:
        return GraphError(f"{path}: {error.strerror or error}; expected an ONNX file")
    if not found:
        return GraphError(
            f"{path}: {problem}; expected an ONNX model. Next: python -m diagnostics model {path}"
        )
    return from_finding(path, found[0])


def from_finding(path: Path, finding: Finding) -> GraphError:
    """The error that a finding about the file amounts to."""
    steps = [fix.shell or " ".join(fix.argv) for fix in finding.fixes[:1]]
    next_step = steps[0] if steps else f"python -m diagnostics model {path}"
    return GraphError(
        f"{path}: {finding.summary} {finding.cause} Expected an ONNX model. Next: {next_step}"
    )
