"""Worker side. The export stage's runner: build, export, check, open, compare, keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

from suite import claims
from suite.axes import VARIANTS
from suite.built_model import source_of
from suite.catalog import spec_for
from suite.data.sources import Source
from suite.onnx_summary import files_of, summary_of
from suite.provenance import key_of
from suite.spec import ModelSpec
from suite.stages.export import cache as store
from suite.stages.export import quantized
from suite.stages.export.attempts import as_dicts, first_that_works
from suite.stages.export.cache_key import ingredients_of
from suite.stages.export.detection_matching import aligned
from suite.stages.export.flat import names_of_outputs, num_results
from suite.stages.export.parity import (
    FAILED,
    VACUOUS_BELOW,
    ShapeParity,
    Spread,
    broken,
    compare,
    spread_of,
    verdict_of,
)
from suite.stages.export.pt2 import life_claims
from suite.stages.export.recipes import Request, recipes_for
from suite.stages.export.variants import BATCH, Variant, axis_names, flat_axes, variants
from suite.states.store import module_of, state_key
from suite.tasks.batch import batch_for
from suite.worker.protocol import Emit, Job

MOST_OTHERS: Final = 4
"""Second batches that are looked at until one is answered otherwise than the example: a classifier may answer two texts
of one class alike, and parity on these would prove nothing."""


def run(job: Job, emit: Emit) -> dict[str, Any]:
    """Writes the cell's model to `options["output"]` as ONNX; returns measurements, artifacts and
    facts.

    facts: `onnx` (summary_of), `parity` (verdict_of), `attempts`, `recipe`, `data`, `tolerance`,
    `cache`. Phases: build, input, export, check, session, parity; or cache alone when
    `options["cache_dir"]` has it.

    A parity that failed or is vacuous does not raise: its numbers must survive. The caller reads
    `facts["parity"]["verdict"]` and lets the record fail on `failed`. Raises ExportError when no
    recipe works.
    """
    assert job.cell is not None
    spec = spec_for(job.cell.model, job.options.get("models_from", ""))
    source = source_of(job, spec)
    output = Path(job.options["output"])
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = job.options.get("cache_dir", "")
    variant = job.cell.variant
    if VARIANTS[variant].stage == "quantize":
        return _result(job, output, quantized.place(job, spec, source, output, emit))
    if not folder:
        return _result(job, output, _export(job, spec, source, output, emit))
    emit("phase", name="cache")
    state = "" if variant == "original" else state_key(job, spec, variant)
    key = key_of(ingredients_of(job, spec, source, state))
    stem = "-".join([spec.name, job.cell.size, *([] if variant == "original" else [variant])])
    entry = store.entry_of(Path(folder), stem, key)
    stored = store.load(entry, key, output)
    if stored is not None:
        return _result(job, output, {**stored, "cache": {"hit": True, "key": key}})
    facts = _export(job, spec, source, output, emit)
    kept = facts["parity"]["verdict"] != FAILED and len(files_of(output)) == 1
    if kept:
        emit("phase", name="cache")
        store.store(entry, key, output, facts)
        store.prune(Path(folder), int(job.options.get("cache_bytes", store.MAX_BYTES)))
    return _result(job, output, {**facts, "cache": {"hit": False, "key": key, "kept": kept}})


def _export(job: Job, spec: ModelSpec, source: Source, output: Path, emit: Emit) -> dict[str, Any]:
    """The export itself; its facts."""
    import torch

    from suite.backends.eager import use_threads
    from suite.backends.onnxruntime import open_session
    from suite.flat_tensors import flatten_inputs, flatten_outputs

    assert job.cell is not None
    cell, seed = job.cell, int(job.options.get("seed", 0))
    threads = int(job.options.get("threads", 0))
    use_threads(job)
    output.unlink(missing_ok=True)  # never written in place: it may be a link into the cache
    emit("phase", name="build")
    module = module_of(job, spec, cell.variant)
    assert not module.training, "module_of returns the module in eval mode"
    emit("phase", name="input")
    data: dict[str, Any] = {}

    @cache
    def draw(num_samples: int, which: int) -> Mapping[str, Any]:
        batch = batch_for(
            spec,
            cell.size,
            source,
            num_samples=num_samples,
            seed=seed + which,
            overrides=cell.overrides,
        )
        data.update(batch.facts)
        return batch.inputs

    def eager(inputs: Mapping[str, Any]) -> list[Any]:
        with torch.no_grad():
            return [t.detach().numpy() for t in flatten_outputs(module(**inputs))]

    # torch.export takes an extent of 1 for a constant, so a dynamic batch is traced with two.
    is_dynamic = BATCH in axis_names(spec)
    traced = draw(max(2, cell.batch) if is_dynamic else cell.batch, 0)
    result = eager(traced)
    names = names_of_outputs(spec.outputs, len(result), num_results(traced))
    request = Request(
        module=module,
        inputs=traced,
        output_names=names,
        dynamic=flat_axes(spec, traced),
        path=output,
    )
    # Forward passes that are known by the inputs' identity: draw keeps these alive.
    example, known = draw(cell.batch, 0), {id(traced): result}
    if example is not traced:
        known[id(example)] = eager(example)
    for second in range(1, MOST_OTHERS + 1):
        other = draw(cell.batch, second)
        known[id(other)] = eager(other)
        spread = spread_of(
            known[id(example)], known[id(other)], names=names, tolerance=spec.tolerance
        )
        if spread.tolerances >= VACUOUS_BELOW:
            break

    def drawn(num_samples: int, which: int) -> Mapping[str, Any]:
        return draw(num_samples, second if which else 0)

    def compare_with(session: Any) -> list[ShapeParity]:
        rows = []
        for variant in variants(spec, drawn, cell.batch):
            reference = known.get(id(variant.inputs)) or eager(variant.inputs)
            rows.append(_row(spec, names, variant, reference, spread, session))
        return rows

    made = first_that_works(
        recipes_for(spec, module),
        request,
        lambda path: open_session(path, "cpu", threads),
        compare_with,
        emit,
    )
    recipe = made.recipe
    proved: list[claims.Claim] = []
    if cell.variant != "original":
        emit("phase", name="archive")
        draws = [v.inputs for v in variants(spec, drawn, cell.batch)]
        proved = life_claims(job, spec, module, traced, draws, output, made.shapes)
    return {
        "claims": claims.as_dicts(proved),
        "onnx": summary_of(output, recipe.name),
        "parity": verdict_of(made.shapes),
        "recipe": {"name": recipe.name, "why": recipe.why},
        "attempts": as_dicts(made.attempts),
        "traced": {name: list(t.shape) for name, t in flatten_inputs(traced).items()},
        "static_reason": spec.export.static_reason,
        "tolerance": asdict(spec.tolerance),
        "provider": made.session.get_providers()[0],
        "data": data,
    }


def _row(
    spec: ModelSpec,
    names: Sequence[str],
    variant: Variant,
    reference: list[Any],
    spread: Spread,
    session: Any,
) -> ShapeParity:
    """One comparison; a graph that does not run on this input has failed it."""
    from suite.backends.onnxruntime import feeds_for

    try:
        actual = session.run(None, feeds_for(session, variant.inputs))
    except Exception as error:  # ONNX Runtime's errors have no common class
        return broken(variant.axis, variant.extent, f"{type(error).__name__}: {error}")
    if len(actual) == len(reference):
        actual = aligned(reference, actual, names=names, tolerance=spec.tolerance)
    return compare(
        variant.axis,
        variant.extent,
        reference,
        actual,
        spread,
        names=names,
        tolerance=spec.tolerance,
    )


def _result(job: Job, output: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """What the worker sends home."""
    run_dir = job.options.get("run_dir", "")
    summary = facts["onnx"]
    return {
        "measurements": [
            {"metric": "onnx_bytes", "unit": "B", "samples": [summary["num_bytes"]]},
            {"metric": "onnx_nodes", "unit": "1", "samples": [summary["num_nodes"]]},
        ],
        "artifacts": [
            {
                "kind": "onnx",
                "path": (path.relative_to(run_dir) if run_dir else path).as_posix(),
                "num_bytes": path.stat().st_size,
            }
            for path in files_of(output)
        ],
        "facts": facts,
    }
