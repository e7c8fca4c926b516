"""Worker side. Cache key of an export: the source files, the record, the weights, the samples and the libraries."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from suite.data.sources import Source
from suite.provenance import described, source_digest, versions, weights_of
from suite.spec import ModelSpec
from suite.worker.protocol import CellJob

PARTS: Final = (
    "nets",
    "tasks",
    "data",
    "stages/export",
    "backends",
    "flat_tensors.py",
    "onnx_summary.py",
    "results/export.py",
    "spec.py",
    "tolerance.py",
    "weights.py",
)
"""Parts of suite/ on which every export depends."""


def ingredients_of(
    job: CellJob, spec: ModelSpec, source: Source, state: str = ""
) -> dict[str, Any]:
    """Return JSON-able data that is equal exactly if the export and its parity would be the same.

    `state` is the key of the trained or pruned state whose weights are exported; empty for the model as built.
    """
    options = job.options
    own = Path(options.models_from) if options.models_from else None
    size = spec.sizes[job.cell.size]
    return {
        "model": spec.name,
        "size": job.cell.size,
        "batch": job.cell.batch,
        "length": job.cell.length,
        "dtype": job.cell.dtype,
        "seed": options.seed,
        "threads": options.threads,
        "weights": state or weights_of(options.weights),
        "data": source.as_dict(),
        "record": [
            described(spec.build),
            *(repr(part) for part in (size.build, size.inputs, spec.outputs)),
            described(asdict(replace(spec.export, translations={}))),
            sorted(spec.export.translations),
            repr(spec.tolerance),
        ],
        "source": source_digest(spec, own, PARTS),
        "versions": versions(),
    }
