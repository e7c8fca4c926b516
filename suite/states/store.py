"""Worker side. The state store: computes a state's key, creates the state once, and loads it as a module."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from suite.axes import FINETUNE, LEARNED, ORIGINAL, PARALLEL, QUANTIZE, TASKS, VARIANTS
from suite.axes.stages import STAGE_ROWS
from suite.claims import Claim
from suite.data.sources import Source, second_source, source_for
from suite.origins.find import files_facts, own_file, spec_of
from suite.provenance import (
    described,
    key_of,
    source_digest,
    source_digests,
    versions,
    weights_of,
)
from suite.results.step_output import StepOutput, decode_output, encode_output
from suite.results.step_result import KeptState, StageResult
from suite.spec import ModelSpec
from suite.states import entries
from suite.states.entries import Entry
from suite.weights import module_for
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob, Emit

S = TypeVar("S", bound=StageResult)

WEIGHTS: Final = "weights.safetensors"
STRUCTURE: Final = "structure.json"

COMMON: Final = ("nets", "tasks", "data", "training", "quality.py", "weights.py")
"""Parts of suite/ that the states of all stages depend on."""


class StateMissing(RuntimeError):
    """A stage's input state is missing, or claims of the stage that created it do not hold."""


def made(
    job: CellJob,
    emit: Emit,
    make: Callable[[CellJob, ModelSpec, Path, Emit], StepOutput[S]],
    kind: type[S],
) -> StepOutput[S]:
    """Return the result of the stage of the job's cell: from the store if the same state exists, else computed now.

    `make(job, spec, folder, emit)` fills `folder`. A state with broken claims is stored for its numbers, but recomputed
    on the next request. The result's `state` has the key, and whether the state was reused.
    """
    spec = spec_of(job)
    emit("phase", name="lookup")
    key, store, stem = state_key(job, spec, job.cell.variant), store_of(job), stem_of(job)
    entry = entries.find(store, stem, key)
    reused = entry is not None and not broken_claims(entry)
    changed: tuple[str, ...] = ()
    if entry is None or not reused:
        parts = parts_of(job, spec, job.cell.variant)
        changed = differing(entries.newest_parts(store, stem), parts)
        entry = entries.keep(
            store, stem, key, lambda folder: encode_output(make(job, spec, folder, emit)), parts
        )
        limit = job.options.state_bytes
        entries.prune(store, entries.MAX_BYTES if limit is None else limit)
    output = decode_output(kind, entry.content)
    kept = KeptState(key=key, reused=reused, changed=changed)
    return replace(output, result=replace(output.result, state=kept))


NAMES: Final = {
    "parent": "the state that it starts from",
    "record": "the record",
    "data": "the data",
    "second": "the second data",
    "versions": "versions of libraries",
    "own": "the models file",
}
"""Ingredient of a key -> how it is called where it changed; others by their own name."""


def parts_of(job: CellJob, spec: ModelSpec, variant: str) -> dict[str, str]:
    """Return name -> digest of what the state's key is made of, the sources file by file."""
    held = ingredients_of(job, spec, variant)
    del held["source"]
    digests = {NAMES.get(name, name): key_of({"": value}) for name, value in held.items()}
    own = own_file(job.options, spec.name)
    sources = source_digests(spec, own, (*COMMON, *STAGE_ROWS[VARIANTS[variant].stage].sources))
    named = {NAMES.get(label, label.removeprefix("own/")): d for label, d in sources.items()}
    return {name: digest[:16] for name, digest in {**digests, **named}.items()}


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the parts that are other than before, or new, or gone; none if nothing was kept before."""
    if not before:
        return ()
    return tuple(n for n in {**before, **now} if before.get(n) != now.get(n))


def broken_claims(entry: Entry) -> tuple[Claim, ...]:
    """Return the claims of the stage that created the state which do not hold."""
    return decode_output(StageResult, entry.content).result.broken_claims


def final_quality(entry: Entry, variant: str) -> float:
    """Return the final quality metric of the stage that created `entry`, the state that `variant` starts from."""
    stage = VARIANTS[VARIANTS[variant].parent].stage
    row = STAGE_ROWS[stage]
    assert row.quality is not None, f"{stage} has no quality"
    result = decode_output(row.result, entry.content).result
    return float(getattr(getattr(result, "metric", None), row.quality.after))


def parent_of(job: CellJob, spec: ModelSpec) -> Entry:
    """Return the state that the job's variant starts from."""
    return state_of(job, spec, VARIANTS[job.cell.variant].parent)


def state_of(job: CellJob, spec: ModelSpec, variant: str) -> Entry:
    """Return the stored state of that variant; raises StateMissing when it is missing or its claims do not hold."""
    entry = entries.find(store_of(job), stem_of(job, variant), state_key(job, spec, variant))
    stage = VARIANTS[variant].stage
    again = f"pytest suite -k {stage} --models {spec.name} --size {job.cell.size}"
    if entry is None:
        raise StateMissing(
            f"{spec.name} has no {variant} state for this size, data, seed and source; next: {again}"
        )
    if broken := broken_claims(entry):
        raise StateMissing(
            f"the {variant} state of {spec.name} is not fit to go on from: {broken[0].name}"
            f" ({broken[0].evidence}); next: {again}"
        )
    return entry


def module_of(job: CellJob, spec: ModelSpec, variant: str) -> Any:
    """Return the module in that state: in eval mode, float32, on the CPU. Raises StateMissing."""
    seed = job.options.seed
    if variant == ORIGINAL:
        return module_for(spec, job.cell.size, weights=job.options.weights, seed=seed)
    entry = state_of(job, spec, variant)
    fresh = module_for(spec, job.cell.size, seed=seed)
    return load_into(fresh, entry.folder)


def save(module: Any, folder: Path, structure: Mapping[str, Any] | None = None) -> None:
    """Save the module's weights, and the differences of its structure from a freshly built one."""
    from safetensors.torch import save_model

    save_model(module, str(folder / WEIGHTS))
    if structure is not None:
        (folder / STRUCTURE).write_text(json.dumps(structure, indent=1), encoding="utf-8")


def load_into(fresh: Any, folder: Path) -> Any:
    """Load the structure and weights that `save` wrote into `fresh`, and return it in eval mode."""
    from safetensors.torch import load_file, load_model

    structure = folder / STRUCTURE
    if structure.exists():
        from suite.pruning.structure import restore

        document = json.loads(structure.read_text(encoding="utf-8"))
        return restore(fresh, document, load_file(folder / WEIGHTS)).eval()
    load_model(fresh, folder / WEIGHTS)
    return fresh.eval()


def state_key(job: CellJob, spec: ModelSpec, variant: str) -> str:
    """Return the key of that state: two keys are equal exactly if recomputing would give the same state."""
    if variant == ORIGINAL:
        held = {"weights": weights_of(job.options.weights)}
        files = files_facts(job.options, spec.name)
        return key_of(held if files is None else {**held, "files": files})
    return key_of(ingredients_of(job, spec, variant))


def ingredients_of(job: CellJob, spec: ModelSpec, variant: str) -> dict[str, Any]:
    """Return JSON-able data on all that a state depends on, other than the model as built."""
    cell, options = job.cell, job.options
    row, size = VARIANTS[variant], spec.sizes[cell.size]
    own = own_file(options, spec.name)
    return {
        "variant": variant,
        "parent": state_key(job, spec, row.parent),
        "model": spec.name,
        "size": cell.size,
        "device": maker_device(job, row.stage).partition(":")[0],
        "dtype": options.made_in or cell.dtype,
        "seed": options.seed,
        "processes": options.nproc if row.stage == PARALLEL else 1,
        "record": [
            described(spec.build),
            described(spec.head),
            *(repr(part) for part in (size.build, size.inputs, spec.outputs, spec.arguments)),
            *(described(asdict(getattr(size, name))) for name in STAGE_ROWS[row.stage].settings),
        ],
        "data": source_of(job, spec).as_dict(),
        "second": second_source_of(job, spec).as_dict() if row.stage == FINETUNE else None,
        "source": source_digest(spec, own, (*COMMON, *STAGE_ROWS[row.stage].sources)),
        "versions": versions(),
        **(asked_of_quantization(options) if row.stage == QUANTIZE else {}),
    }


def asked_of_quantization(options: JobOptions) -> dict[str, float]:
    """Return what the user asked of quantization beyond the record; empty for the record alone."""
    given = {"max_drop": options.max_drop, "sensitivity": options.sensitivity or None}
    return {name: value for name, value in given.items() if value is not None}


def maker_device(job: CellJob, stage: str) -> str:
    """Return the device on which that stage runs for the job's cell: weights may be trained on another device."""
    elsewhere = job.options.train_on if stage in LEARNED else ""
    return elsewhere or job.cell.device


def source_of(job: CellJob, spec: ModelSpec) -> Source:
    """Return the data source of the model's own task."""
    return source_for(job.options.sources, TASKS[spec.task].input)


def second_source_of(job: CellJob, spec: ModelSpec) -> Source:
    """Return the data source of the model's second task."""
    return second_source(source_of(job, spec), spec.task)


def store_of(job: CellJob) -> Path:
    """Return the folder of the store."""
    return Path(job.options.states_dir)


def stem_of(job: CellJob, variant: str = "") -> str:
    """Return the readable part of an entry's name."""
    return f"{job.cell.model}-{job.cell.size}-{variant or job.cell.variant}"
