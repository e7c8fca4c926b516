"""Worker side. Archive: the module as a `.pt2` program, saved, loaded and compared; and the claims of a state's
export.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from suite.axes import VARIANTS
from suite.claims import Claim
from suite.onnx_summary import files_of
from suite.results.export import PASSED, ShapeParity
from suite.spec import ModelSpec
from suite.tracing.program import program_of
from suite.worker.protocol import CellJob

CLOSE: Final = 1e-4
"""Largest difference of a loaded program from its module, relative to an output's magnitude: the same kernels
reordered.
"""


def life_claims(
    job: CellJob,
    spec: ModelSpec,
    module: Any,
    traced: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]],
    graph: Path,
    shapes: Sequence[ShapeParity],
) -> list[Claim]:
    """Return the claims about the export of a trained or pruned state."""
    agrees = Claim(
        name="the graph agrees with the module on real input",
        holds=all(shape.verdict == PASSED for shape in shapes) and len(shapes) > 1,
        evidence=", ".join(
            f"{s.axis} {s.extent or ''}: {s.verdict}".replace(" :", ":") for s in shapes
        ),
    )
    claims = [agrees, archive_claim(spec, module, traced, inputs)]
    parent = VARIANTS[job.cell.variant].parent
    before = job.options.parent_graph
    if VARIANTS[parent].is_exported and before:
        claims.append(smaller_claim(Path(before), graph, parent))
    return claims


def smaller_claim(before: Path, after: Path, parent: str) -> Claim:
    """Return the claim that the graph has fewer bytes than that of its parent state."""
    sizes = [sum(p.stat().st_size for p in files_of(path)) for path in (before, after)]
    return Claim(
        name=f"the graph is smaller than the {parent} one",
        holds=0 < sizes[1] < sizes[0],
        evidence=f"{sizes[0]:,} B -> {sizes[1]:,} B",
    )


def archive_claim(
    spec: ModelSpec, module: Any, traced: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]
) -> Claim:
    """Return the claim that the module, saved as `.pt2` by `torch.export` and loaded again, answers as before at every
    shape.
    """
    import torch

    from suite.flat_tensors import flatten_inputs, flatten_outputs

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt2")
        torch.export.save(program_of(spec, module, traced), path)
        num_bytes = path.stat().st_size
        loaded: Any = torch.export.load(path).module()
    worst = 0.0
    for values in inputs:
        with torch.no_grad():
            torch.manual_seed(0)
            expected = flatten_outputs(module(**values), spec.outputs)
            torch.manual_seed(0)
            answered = flatten_outputs(loaded(*flatten_inputs(values).values()))
        worst = max(worst, *map(_difference, expected, answered))
    return Claim(
        name="a .pt2 program that was saved and loaded answers as the module",
        holds=worst <= CLOSE,
        evidence=f"{num_bytes:,} B, {len(inputs)} inputs, largest difference {worst:.2g} of an output's magnitude;"
        f" expected up to {CLOSE:g}",
    )


def _difference(expected: Any, answered: Any) -> float:
    """Return the largest difference, relative to the expected output's magnitude; infinite for another shape."""
    if expected.shape != answered.shape:
        return float("inf")
    if not expected.numel() or not expected.is_floating_point():
        return 0.0 if bool((expected == answered).all()) else float("inf")
    return float((expected - answered).abs().max()) / max(float(expected.abs().max()), 1e-6)
