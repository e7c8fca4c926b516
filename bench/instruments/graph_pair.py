"""Worker side. Comparison of two ONNX graphs in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.graph_diff.compare import compare
from bench.graph_diff.wording import changes_text, headline
from bench.instruments.exchange import options_of, output_with
from bench.onnx_graph.read import read

if TYPE_CHECKING:
    from suite.worker.protocol import Emit, Job

SHOWN: Final = 5


def run(job: Job, emit: Emit) -> dict[str, Any]:
    """Fact `lines`: how the graphs `options["before"]` and `options["after"]` differ; weights are not compared."""
    emit("phase", name="graphs")
    found = compare(read(Path(options_of(job)["before"])), read(Path(options_of(job)["after"])))
    lines = [headline(found)]
    counts = [f"{name} {before} → {after}" for name, before, after in found.operators[:SHOWN]]
    lines += [f"operators: {', '.join(counts)}"] if counts else []
    lines += [f"{change.after.key}: {changes_text(change)}" for change in found.changed[:SHOWN]]
    lines += [f"added {node.operator} {node.key}" for node in found.added[:SHOWN]]
    return output_with({"lines": lines, "is_empty": found.is_empty})
