"""Error of a graph file that cannot be read: names the file, what was expected, and the next step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diagnostics.finding import Finding


class GraphError(ValueError):
    """Error raised if a file is not a readable graph."""


def explained(path: Path, problem: str) -> GraphError:
    """Return the error for a file with this `problem`, including the doctor's findings about the file."""
    # The whole doctor: only where something is wrong.
    from diagnostics.finding import Level
    from diagnostics.model.inspection import inspect

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
    """Return the error for a finding about the file."""
    steps = [fix.shell or " ".join(fix.argv) for fix in finding.fixes[:1]]
    next_step = steps[0] if steps else f"python -m diagnostics model {path}"
    return GraphError(
        f"{path}: {finding.summary} {finding.cause} Expected an ONNX model. Next: {next_step}"
    )
