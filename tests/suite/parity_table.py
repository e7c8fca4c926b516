"""Parity of every model under older instruction sets, one and two threads, batch 1, 2 and 5: a table in Markdown.

    python tests/suite/parity_table.py [--size tiny] [--models 'bert*,mlp'] > table.md

Graphs are exported once; each setting is a process of its own, because the libraries read their switches when they are
loaded. A number is the largest error of the graph over outputs, slices and batches, in errors of eager float32 against
float64; `exact` says that the graph, computed in float64, was right and only ONNX Runtime's kernels inexact.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Final

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "native, 2 threads": {"threads": 2},
    "native, 1 thread": {"threads": 1},
    "AVX2, 2 threads": {
        "threads": 2,
        "environment": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    },
    "AVX2, 1 thread": {
        "threads": 1,
        "environment": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    },
    "SSE4.1, 2 threads, ONNX Runtime unoptimized": {
        "threads": 2,
        "environment": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
        "is_plain": True,
    },
}
"""Name -> switches. ONNX Runtime has none for its instruction set; without its graph optimizations it runs other
kernels."""

BATCHES: Final = (1, 2, 5)


def main() -> int:
    """Prints the table; exit code 1 when a graph failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--models", default="*")
    parser.add_argument("--settings", default="*")
    parser.add_argument("--child", default="")
    options = parser.parse_args()
    if options.child:
        child(**json.loads(options.child))
        return 0
    from suite.catalog import builtin_specs

    names = [
        spec.name
        for spec in builtin_specs()
        if options.size in spec.sizes
        and any(fnmatch(spec.name, pattern) for pattern in options.models.split(","))
    ]
    chosen = [name for name in SETTINGS if fnmatch(name, options.settings)]
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for setting in chosen:
            found[setting] = run_setting(setting, names, options.size, folder)
    print("| model | " + " | ".join(chosen) + " |")
    print("|---|" + "--:|" * len(chosen))
    for name in names:
        cells = [found[setting].get(name, {"text": "no answer"})["text"] for setting in chosen]
        print(f"| `{name}` | " + " | ".join(cells) + " |")
    lost = [
        f"{name} ({setting}): {found[setting].get(name, {}).get('reason', 'no answer')}"
        for setting in chosen
        for name in names
        if not found[setting].get(name, {}).get("passed")
    ]
    print(f"\n{len(names) * len(chosen) - len(lost)} of {len(names) * len(chosen)} passed.")
    print("\n".join(lost))
    return 1 if lost else 0


def run_setting(setting: str, names: list[str], size: str, folder: str) -> dict[str, Any]:
    """Model -> text of its cell, whether it passed, reason; from one process with the setting's switches."""
    row = SETTINGS[setting]
    job = {
        "names": names,
        "size": size,
        "folder": folder,
        "threads": row["threads"],
        "is_plain": row.get("is_plain", False),
    }
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, **row.get("environment", {})}
    answer = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(job)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    results = {}
    for line in answer.stdout.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            result = json.loads(line)
            results[result["model"]] = result
            print(f"{setting}: {result['model']} {result['text']}", file=sys.stderr, flush=True)
    return results


def child(names: list[str], size: str, folder: str, threads: int, is_plain: bool) -> None:
    """Writes one JSON document a model to stdout."""
    import torch

    torch.set_num_threads(threads)
    for name in names:
        try:
            result = measure(name, size, Path(folder), threads, is_plain)
        except Exception as error:
            result = {
                "passed": False,
                "text": "error",
                "reason": f"{type(error).__name__}: {error}",
            }
        print(json.dumps({"model": name, **result}), flush=True)


def measure(name: str, size: str, folder: Path, threads: int, is_plain: bool) -> dict[str, Any]:
    """The parity of one model; its graph is exported where the folder does not have it."""
    import onnxruntime as ort
    import torch

    from suite.axes import TASKS
    from suite.catalog import spec_for
    from suite.data.sources import sources_in
    from suite.stages.export.comparison import Comparison
    from suite.stages.export.recipes import ExportRequest, recipes_for
    from suite.stages.export.reference import Reference
    from suite.stages.export.variants import Variant
    from suite.tasks.task_of import batch_for
    from suite.tracing.dynamic_axes import BATCH, axis_names, flat_axes
    from suite.tracing.flat import names_of_outputs, num_results
    from suite.weights import module_for

    spec = spec_for(name, "")
    module = module_for(spec, size, seed=0)
    weights = folder / f"{name}-{size}.pt"
    if weights.exists():
        # The same seed draws other normal numbers, in their last bits, on another instruction set.
        module.load_state_dict(torch.load(weights))
    else:
        torch.save(module.state_dict(), weights)
    source = sources_in(None)[TASKS[spec.task].input]

    @cache
    def draw(num_samples: int, which: int) -> Any:
        batch = batch_for(spec, size, source, num_samples=num_samples, seed=which)
        return batch.inputs

    is_dynamic = BATCH in axis_names(spec)
    traced = draw(2 if is_dynamic else 1, 0)
    reference = Reference(module, spec.outputs)
    names = names_of_outputs(spec.outputs, len(reference.eager(traced)), num_results(traced))
    graph = folder / f"{name}-{size}.onnx"
    if not graph.exists():
        recipes_for(spec, module)[0].export(
            ExportRequest(
                module=module,
                inputs=traced,
                output_names=names,
                outputs=spec.outputs,
                dynamic=flat_axes(spec, traced),
                path=graph,
            )
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if is_plain:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    comparison = Comparison(
        spec=spec, names=names, reference=reference, draw=draw, batch=1, graph=graph
    )
    extents = BATCHES if is_dynamic else (1,)
    with contextlib.redirect_stdout(sys.stderr):
        comparison.prepare([Variant(axis="batch", extent=b, inputs=draw(b, 0)) for b in extents])
        rows = comparison.rows(session, {})
    bad = [row for row in rows if row.verdict != "passed"]
    times = max(float("inf") if row.times_eager is None else row.times_eager for row in rows)
    exact = ", exact" if any("the graph is right" in row.reason for row in rows) else ""
    text = f"{times:.1f}{exact}" if not bad else f"**{bad[0].verdict}**"
    return {"passed": not bad, "text": text, "reason": bad[0].reason if bad else ""}


if __name__ == "__main__":
    sys.exit(main())
