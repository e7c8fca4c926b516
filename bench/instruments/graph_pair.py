"""Worker side. Comparison of two ONNX graphs in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.graph_diff.compare import compare
from bench.graph_diff.wording import changes_text, headline
from bench.instruments.options import GraphPairOptions
from bench.instruments.results import GraphPairResult
from bench.onnx_graph.read import read
from suite.results.step_output import StepOutput
from suite.worker.protocol import Emit, Job

SHOWN: Final = 5


def run(job: Job, emit: Emit) -> StepOutput[GraphPairResult]:
    """Compare the two graphs of GraphPairOptions without their weights."""
    emit("phase", name="graphs")
    asked = job.read(GraphPairOptions)
    found = compare(read(Path(asked.before)), read(Path(asked.after)))
    lines = [headline(found)]
    counts = [f"{name} {before} → {after}" for name, before, after in found.operators[:SHOWN]]
    lines += [f"operators: {', '.join(counts)}"] if counts else []
    lines += [f"{change.after.key}: {changes_text(change)}" for change in found.changed[:SHOWN]]
    lines += [f"added {node.operator} {node.key}" for node in found.added[:SHOWN]]
    return StepOutput(result=GraphPairResult(lines=tuple(lines), is_empty=found.is_empty))
