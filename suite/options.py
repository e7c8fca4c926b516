"""The options of `pytest bench`, validated together before anything is measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from suite import spec_codec
from suite.axes import BACKENDS, CUDA, DTYPES, FOUNDATIONS, ORIGINAL, OWN, TASKS
from suite.catalog import (
    CatalogError,
    builtin_specs,
    catalogue_modules,
    joined,
    must_parse,
    select,
)
from suite.cell import Cell
from suite.data.sources import LIBRARIES, second_source, sources_in
from suite.expand import (
    axes_of,
    backends_of,
    batches_of,
    check_lengths,
    check_sizes,
    devices_of,
    dtypes_of,
    expand,
    expand_life,
    lengths_of,
    sizes_of,
    stages_of,
    train_on_of,
    variants_of,
)
from suite.origins.reference import ONNX, PYTHON, parse
from suite.origins.resolve import resolve as resolve_references
from suite.spec import ModelSpec
from suite.weight_sources import PRETRAINED, RANDOM
from suite.weights import weights_in
from suite.worker.client import Launcher
from suite.worker.job_options import JobOptions, Origin
from suite.worker.protocol import Job

NO_FILE: Final = (
    "--axes: none of the chosen models is an ONNX file; next: --length, or leave it out"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as the user typed them."""

    models: Sequence[str] = ()
    models_from: Path | None = None
    size: str = "base"
    has_default_size: bool = False
    """Whether `size` is the command's default, not the user's: then a model that lacks it runs at its own."""
    out: Path | None = None
    """Folder below which descriptions of models are kept; None = they are not kept."""
    backend: str = "default"
    device: str = "auto"
    dtype: str = "float32"
    batch: str = "1"
    length: str = ""
    """Tokens per sample; empty = each record's own."""
    axes: str = ""
    """Extents of an ONNX file's open axes: `name=number`, with commas."""
    threads: int = 0
    """0 = every core available to this process."""
    seed: int = 0
    data: Path | None = None
    weights: str = RANDOM
    variant: str = ORIGINAL
    stages: str = "all"
    train_on: str = ""
    """Device on which weights are trained, fine-tuned and pruned for all devices; empty = on each."""
    nproc: int = 1
    """Processes of the stage `parallel`; 1 = skip that stage."""
    max_drop: float | None = None
    """Loss of the metric that quantization may cost; None = each record's own."""
    sensitivity: float = 0.0
    """Seconds for ranking the layers of a quantized graph; 0 = only where it loses too much."""

    own_alone: bool = False
    """Whether the built-in models stay out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The options resolved on this machine."""

    specs: Mapping[str, ModelSpec]
    cells: tuple[Cell, ...]
    """Cells measured by `pytest bench`."""
    life: tuple[Cell, ...] = ()
    """Cells of `pytest suite`."""
    foundations: tuple[Cell, ...] = ()
    """Device and dtype of the known-answer cases."""
    job_options: JobOptions
    """The options of every job that do not depend on the run folder."""
    excluded: tuple[Mapping[str, str], ...] = field(default=())
    """{what, reason}: exclusions before the run began."""

    def preload(self) -> tuple[str, ...]:
        """Return the modules that the launcher imports once for all of these cells, in a stable order."""
        cells = (*self.cells, *self.life)
        modules = [m for cell in cells for m in BACKENDS[cell.backend].preload]
        modules += [m for spec in self.specs.values() for m in spec.requires]
        modules += catalogue_modules()
        tasks = [TASKS[spec.task] for spec in self.specs.values()]
        sources = self.job_options.sources
        firsts = {task.name: sources[task.input] for task in tasks if task.input != OWN}
        data = sorted({first.name for first in firsts.values()})
        if self.life:
            data += sorted({second_source(first, task).name for task, first in firsts.items()})
        modules += [task.module for task in tasks]
        modules += [m for name in data for m in (f"suite.data.{name}", *LIBRARIES.get(name, ()))]
        return tuple(dict.fromkeys(modules))


def resolve(
    asked: Asked, *, num_gpus: int, num_cores: int, worker: Callable[[], Launcher] | None = None
) -> Selection:
    """Return the selection for the options. Raise CatalogError, DataError or WeightsError naming the option.

    `worker()` describes the user's own models and stays open; without it a launcher is started and ended for them.
    """
    devices = devices_of(asked.device, num_gpus=num_gpus)
    sizes = sizes_of(asked.size)
    own = user_specs(asked.models_from, worker) if asked.models_from else ()
    builtin = () if asked.own_alone else builtin_specs()
    specs, origins = chosen_models(asked, joined(builtin, own), worker)
    if asked.nproc < 1:
        raise CatalogError(f"--nproc {asked.nproc}: expected 1 or more processes")
    stages = stages_of(asked.stages, num_processes=asked.nproc)
    train_on = train_on_of(asked.train_on, num_gpus=num_gpus)
    points: dict[str, Any] = {
        "sizes": sizes,
        "is_strict": not asked.has_default_size,
        "devices": devices,
        "dtypes": dtypes_of(asked.dtype),
        "batches": batches_of(asked.batch),
    }
    variants, backends = variants_of(asked.variant), backends_of(asked.backend)
    lengths = lengths_of(asked.length)
    check_lengths(specs, sizes, lengths)
    check_sizes(specs, sizes, is_strict=not asked.has_default_size)
    cells = expand(specs, backends=backends, variants=variants, lengths=lengths, **points)
    if not cells:
        raise CatalogError(
            f"--size {asked.size}: none of the chosen models has it"
            f" ({', '.join(s.name for s in specs)})"
        )
    if asked.threads < 0:
        raise CatalogError(f"--threads {asked.threads}: expected 1 or more, or 0 for every core")
    if asked.max_drop is not None and not (math.isfinite(asked.max_drop) and asked.max_drop >= 0):
        raise CatalogError(f"--max-drop {asked.max_drop:g}: expected points of 0 or more, e.g. 1")
    if not (math.isfinite(asked.sensitivity) and asked.sensitivity >= 0):
        raise CatalogError(f"--sensitivity {asked.sensitivity:g}: expected seconds, e.g. 60")
    _check_weights(asked.weights, specs, sizes)
    excluded = []
    if CUDA not in asked.device and not num_gpus:
        excluded.append({"what": CUDA, "reason": "no usable NVIDIA GPU on this machine"})
    return Selection(
        specs={spec.name: spec for spec in specs},
        cells=tuple(cells),
        life=tuple(expand_life(specs, stages=stages, train_on=train_on, **points)),
        foundations=_foundations(points) if FOUNDATIONS in stages and not asked.models else (),
        job_options=JobOptions(
            models_from=str(asked.models_from.resolve()) if asked.models_from else "",
            origins=origins,
            weights=asked.weights
            if asked.weights in (RANDOM, PRETRAINED)
            else str(Path(asked.weights).resolve()),
            sources=sources_in(asked.data),
            seed=asked.seed,
            threads=asked.threads or num_cores,
            nproc=asked.nproc,
            train_on=train_on,
            max_drop=asked.max_drop,
            sensitivity=asked.sensitivity,
        ),
        excluded=tuple(excluded),
    )


def chosen_models(
    asked: Asked, specs: Sequence[ModelSpec], worker: Callable[[], Launcher] | None = None
) -> tuple[tuple[ModelSpec, ...], dict[str, Origin]]:
    """Return the records that `--models` asks for, of `specs` and of other origins, and the origins by model."""
    words = [w for pattern in asked.models for w in pattern.replace(",", " ").split()]
    names = [spec.name for spec in specs]
    references = {word: parse(word, names) for word in words}
    others = [reference for reference in references.values() if reference is not None]
    patterns = [word for word in words if references[word] is None]
    chosen = select(specs, patterns) if patterns or not others else ()
    if not others:
        if asked.axes:
            raise CatalogError(NO_FILE)
        return chosen, {}
    for reference in others:
        if reference.kind == PYTHON and reference.path is not None:
            must_parse(reference.path, option="--models")
    cache = asked.out / "cache" / "origins" if asked.out else None
    found = resolve_references(
        others, cache, may_download=asked.weights == PRETRAINED, worker=worker
    )
    if asked.axes:
        found = with_axes(found, axes_of(asked.axes))
    joined(specs, [spec for _, spec in found.values()])  # refuses a name that is taken
    return (*chosen, *(spec for _, spec in found.values())), {
        name: origin for name, (origin, _) in found.items()
    }


def with_axes(
    found: Mapping[str, tuple[Origin, ModelSpec]], axes: Mapping[str, int]
) -> dict[str, tuple[Origin, ModelSpec]]:
    """Return the models with these extents in the inputs of ONNX files; raise CatalogError if there is none."""
    if not any(origin.text.startswith(f"{ONNX}:") for origin, _ in found.values()):
        raise CatalogError(NO_FILE)
    changed = {}
    for name, (origin, spec) in found.items():
        if origin.text.startswith(f"{ONNX}:"):
            sizes = {s: replace(size, inputs={"axes": axes}) for s, size in spec.sizes.items()}
            spec = replace(spec, sizes=sizes)
            origin = replace(origin, spec=spec_codec.to_dict(spec))
        changed[name] = (origin, spec)
    return changed


def _foundations(points: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Return one cell per device and dtype: the foundations do not depend on a model."""
    return tuple(
        Cell(model=FOUNDATIONS, size="tiny", device=device, dtype=dtype)
        for device in points["devices"]
        for dtype in DTYPES
    )


def user_specs(path: Path, worker: Callable[[], Launcher] | None = None) -> tuple[ModelSpec, ...]:
    """Return the records of a user's models file, read in a separate process: it may import anything.

    Raise CatalogError with the file's own error if it cannot be imported.
    """
    must_parse(path, option="--models-from")
    launcher = worker() if worker is not None else Launcher()
    try:
        answer = launcher.run(
            Job(
                runner=spec_codec.RUNNER,
                options=JobOptions(models_from=str(path.resolve())),
                deadline=180,
            )
        )
    finally:
        if worker is None:
            launcher.close()
    if answer.failure is not None:
        raise CatalogError(answer.failure.message)
    found = answer.read(spec_codec.SpecsResult)
    return tuple(spec_codec.from_dict(data) for data in found.specs)


def _check_weights(weights: str, specs: Sequence[ModelSpec], sizes: Sequence[str]) -> None:
    if weights == RANDOM:
        return
    if weights != PRETRAINED:
        for spec in specs:
            weights_in(Path(weights), spec.name)
    elif set(sizes) != {"base"}:
        raise CatalogError("--weights pretrained: published weights exist for --size base only")
