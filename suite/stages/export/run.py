"""Worker side. Runner of the export stage: build, export, check, open, compare, store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from suite.axes import BUILD, CPU, ORIGINAL, QUANTIZE, VARIANTS
from suite.built_model import source_of
from suite.claims import Claim
from suite.data.sources import Source
from suite.measurement import Artifact, Measurement
from suite.onnx_summary import files_of, summary_of
from suite.origins.find import files_facts, own_file, spec_of
from suite.provenance import described, key_of, source_digest, versions, weights_of
from suite.results.export import FAILED, CacheUse, ExportRecipe, ExportResult
from suite.results.step_output import StepOutput, decode_output, encode_output
from suite.results.step_result import DataSet
from suite.spec import ModelSpec
from suite.stages.export import cache as store
from suite.stages.export import quantized
from suite.stages.export.attempts import first_that_works
from suite.stages.export.comparison import Comparison
from suite.stages.export.dynamo import translation_table
from suite.stages.export.failures import refuse_unsteady
from suite.stages.export.own_graph import graph_file, place
from suite.stages.export.parity import verdict_of
from suite.stages.export.pt2 import life_claims
from suite.stages.export.recipes import ExportRequest, recipes_for
from suite.stages.export.reference import Reference
from suite.states.store import module_of, state_key
from suite.tasks.task_of import batch_for
from suite.tracing.dynamic_axes import BATCH, axis_names, flat_axes
from suite.tracing.flat import names_of_outputs, num_results
from suite.worker.protocol import CellJob, Emit


def run(job: CellJob, emit: Emit) -> StepOutput[ExportResult]:
    """Write the cell's model to `job.options.output` as ONNX and measure the file's bytes and nodes.

    Phases: build, input, export, check, session, parity; or only cache if `job.options.cache_dir` has the graph.

    A parity that failed or is vacuous does not raise: its numbers are kept, and the record fails on the verdict. Raises
    ExportError if no recipe works or two equal calls of the module give different outputs.
    """
    spec = spec_of(job)
    source = source_of(job, spec)
    output = Path(job.options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = job.options.cache_dir
    variant = job.cell.variant
    if (graph := graph_file(job.options, spec.name, variant)) is not None:
        return _output(
            job, output, StepOutput(result=place(job, spec, source, graph, output, emit))
        )
    if VARIANTS[variant].stage == QUANTIZE:
        placed = quantized.place(job, spec, source, output, emit)
        return _output(job, output, StepOutput(result=placed))
    if not folder:
        return _output(job, output, _export(job, spec, source, output, emit))
    emit("phase", name="cache")
    state = "" if variant == ORIGINAL else state_key(job, spec, variant)
    key = key_of(ingredients_of(job, spec, source, state))
    stem = "-".join([spec.name, job.cell.size, *([] if variant == ORIGINAL else [variant])])
    entry = store.entry_of(Path(folder), stem, key)
    stored = store.load(entry, key, output)
    if stored is not None:
        return _output(
            job, output, decode_output(ExportResult, stored), CacheUse(hit=True, key=key)
        )
    made = _export(job, spec, source, output, emit)
    parity = made.result.parity
    kept = parity is not None and parity.verdict != FAILED and len(files_of(output)) == 1
    if kept:
        emit("phase", name="cache")
        store.store(entry, key, output, encode_output(made))
        store.prune(
            Path(folder),
            store.MAX_BYTES if job.options.cache_bytes is None else job.options.cache_bytes,
        )
    return _output(job, output, made, CacheUse(hit=False, key=key, kept=kept))


def _export(
    job: CellJob, spec: ModelSpec, source: Source, output: Path, emit: Emit
) -> StepOutput[ExportResult]:
    """Run the export; return the result and the data set of its inputs."""
    from suite.backends.eager import use_threads
    from suite.backends.onnxruntime import open_session
    from suite.flat_tensors import flatten_inputs

    cell, seed = job.cell, job.options.seed
    threads = job.options.threads
    use_threads(job)
    output.unlink(missing_ok=True)  # never written in place: it may be a link into the cache
    emit("phase", name=BUILD)
    module = module_of(job, spec, cell.variant)
    assert not module.training, "module_of returns the module in eval mode"
    emit("phase", name="input")
    drawn_from: list[DataSet] = []

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
        if batch.data is not None:
            drawn_from.append(batch.data)
        return batch.inputs

    # torch.export treats an extent of 1 as constant, so a dynamic batch is traced with two.
    is_dynamic = BATCH in axis_names(spec)
    traced = draw(max(2, cell.batch) if is_dynamic else cell.batch, 0)
    reference = Reference(module, spec.outputs)
    example = draw(cell.batch, 0)
    reference.know(example, *refuse_unsteady(module, example, reference.flatten))
    names = names_of_outputs(spec.outputs, len(reference.eager(traced)), num_results(traced))
    request = ExportRequest(
        module=module,
        inputs=traced,
        output_names=names,
        outputs=spec.outputs,
        translations=spec.export.translations,
        dynamic=flat_axes(spec, traced),
        path=output,
    )
    translation_table(spec.export.translations)  # raises on a mistake in the record
    comparison = Comparison(
        spec=spec, names=names, reference=reference, draw=draw, batch=cell.batch, graph=output
    )
    comparison.prepare()
    made = first_that_works(
        recipes_for(spec, module),
        request,
        lambda path: open_session(path, CPU, threads),
        comparison.rows,
        emit,
    )
    recipe = made.recipe
    proved: list[Claim] = []
    if cell.variant != ORIGINAL:
        emit("phase", name="archive")
        draws = [v.inputs for v in comparison.cases if v.is_asked]
        proved = life_claims(job, spec, module, traced, draws, output, made.shapes)
    result = ExportResult(
        claims=tuple(proved),
        onnx=summary_of(output, recipe.name),
        parity=verdict_of(made.shapes),
        recipe=ExportRecipe(name=recipe.name, why=recipe.why),
        attempts=tuple(made.attempts),
        traced={name: tuple(t.shape) for name, t in flatten_inputs(traced).items()},
        static_reason=spec.export.static_reason,
        tolerance=spec.tolerance,
        provider=made.session.get_providers()[0],
    )
    return StepOutput(result=result, data=drawn_from[-1] if drawn_from else None)


def _output(
    job: CellJob, output: Path, made: StepOutput[ExportResult], cache: CacheUse | None = None
) -> StepOutput[ExportResult]:
    """Return the step's output with the graph's files, their measurements and the use of the cache."""
    run_dir, summary = job.options.run_dir, made.result.onnx
    assert summary is not None, "every export summarizes its graph"
    return replace(
        made,
        result=replace(made.result, cache=cache),
        measurements=tuple(
            Measurement(metric=metric, unit=unit, samples=(value,))
            for metric, unit, value in (
                ("onnx_bytes", "B", summary.num_bytes),
                ("onnx_nodes", "1", summary.num_nodes),
            )
            if value is not None
        ),
        artifacts=tuple(
            Artifact(
                kind="onnx",
                path=(path.relative_to(run_dir) if run_dir else path).as_posix(),
                num_bytes=path.stat().st_size,
            )
            for path in files_of(output)
        ),
    )


# Cache key of an export: the source files, the record, the weights, the samples and the libraries.

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
    own = own_file(options, spec.name)
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
        "files": files_facts(options, spec.name),
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
