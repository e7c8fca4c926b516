"""`python -m suite check WHAT`: whether models build, run and answer as their records say, in seconds, unmeasured."""

from __future__ import annotations

import argparse
import ast
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from diagnostics.did_you_mean import did_you_mean
from suite.axes import BACKENDS, BUILD, EAGER, ORIGINAL, VARIANTS
from suite.catalog import CatalogError, builtin_specs, joined, must_parse
from suite.cell import Cell
from suite.claims import Claim
from suite.data.sources import sources_in
from suite.expand import exists, in_place
from suite.options import Asked, chosen_models, user_specs
from suite.results.step_output import StepOutput
from suite.results.step_result import StepResult
from suite.slips import Slip, must_have_settings
from suite.spec import ANY, ModelSpec
from suite.worker.client import Launcher, LauncherError
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob, Emit

RUNNER: Final = "suite.check:run"
DEADLINE: Final = 120.0
SLOW_READING: Final = 3.0
"""Seconds of reading a models file after which it is told that this takes long."""
SLOW_IMPORT: Final = 2.0
"""Seconds of an import that are worth naming in `requires`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult(StepResult):
    """What was found out about one model at one size."""

    claims: tuple[Claim, ...] = ()
    imports: dict[str, float] = field(default_factory=dict)
    """Package that `build` imported -> seconds of the whole build, if that was slow."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "what",
        nargs="+",
        metavar="WHAT",
        help="my_models.py, my_file.py:build, timm:NAME, or a name of the catalogue",
    )
    parser.add_argument("--size", default="", help="default: every size of each model")


def main(arguments: argparse.Namespace) -> int:
    """Check the models; return 0, 1 if one of them does not do what its record says, 2 if there is nothing to check."""
    builder = Launcher(preload=BACKENDS[EAGER].preload)  # imports while the file is read elsewhere
    try:
        specs, options = subjects(arguments.what, builder)
        must_be_a_size(arguments.size, specs)
        found = [_is_good(spec, arguments.size, options, builder) for spec in specs]
        return 0 if all(found) else 1
    except CatalogError as error:
        print(f"python -m suite check: {error}", file=sys.stderr)
        return 2
    finally:
        builder.close(at_once=True)


def must_be_a_size(size: str, specs: Sequence[ModelSpec]) -> None:
    """Raise CatalogError if a size is asked for that none of the models has."""
    known = list(dict.fromkeys(name for spec in specs for name in spec.sizes))
    if size and size not in known:
        raise CatalogError(f"--size {size}: no model here has it{did_you_mean(size, known)}")


def _is_good(spec: ModelSpec, asked: str, options: JobOptions, builder: Launcher) -> bool:
    """Print what the model does at the size asked for, or at each of its sizes; return whether all is as it says."""
    is_good = True
    for size in (asked,) if asked in spec.sizes else spec.sizes:
        try:
            must_have_settings(spec, size)
            builder.preload(spec.requires)
            cell = Cell(model=spec.name, size=size)
            answer = builder.run(
                CellJob(runner=RUNNER, cell=cell, options=options, deadline=DEADLINE)
            )
            if answer.failure is not None:
                raise Slip(answer.failure.message)
        except Slip as slip:
            is_good = False
            print(f"✗ {spec.name} {size}: {slip}")
            continue
        found = answer.read(CheckResult)
        broken = [claim for claim in found.claims if not claim.holds]
        is_good = is_good and not broken
        print(f"{'✗' if broken else '✓'} {spec.name} {size}")
        for line in _lines(found):
            print(f"    {line}")
    for line in possible(spec):
        print(f"  {line}")
    return is_good


def subjects(
    words: Sequence[str], builder: Launcher | None = None
) -> tuple[tuple[ModelSpec, ...], JobOptions]:
    """Return the records of what is asked for, and the options of their jobs. Raise CatalogError.

    A models file is read by a process without torch unless it imports that itself, then by `builder`, which has it;
    models of other origins are described by `builder`.
    """
    files = [word for word in words if word.endswith(".py")]
    if len(files) > 1 or (files and len(words) > 1):
        raise CatalogError("one models file at a time; next: python -m suite check my_models.py")
    if files:
        path = Path(files[0])
        must_parse(path, option="")
        own = _read(path, builder)
        joined(builtin_specs(), own)
        return own, JobOptions(models_from=str(path.resolve()), sources=sources_in(None))
    worker = None if builder is None else lambda: builder
    asked = Asked(models=words, out=Path(".vitals"))
    specs, origins = chosen_models(asked, builtin_specs(), worker)
    return specs, JobOptions(origins=origins, sources=sources_in(None))


def _read(path: Path, builder: Launcher | None) -> tuple[ModelSpec, ...]:
    """Return the records of a models file, and say so if that takes long: while it does, and how long it took."""
    worker: Callable[[], Launcher] | None = None
    if builder is not None and imported_packages(path) & {*BACKENDS[EAGER].preload}:
        worker = partial(_given, builder)
        with suppress(LauncherError):  # the first job says so
            builder.wait_until_ready()  # every cell has these: their seconds are not the file's
    told = threading.Timer(
        SLOW_READING,
        print,
        (f"! {path.name} is still being imported after {SLOW_READING:g} s; every cell waits so",),
        {"flush": True},
    )
    told.start()
    begin = time.perf_counter()
    try:
        own = user_specs(path, worker)
    finally:
        told.cancel()
    seconds = time.perf_counter() - begin
    if seconds > SLOW_READING:
        print(
            f"! {path.name} takes {seconds:.0f} s to import: import heavy libraries in build(), and name them in"
            ' requires=("library",), which imports them once'
        )
    return own


def _given(launcher: Launcher) -> Launcher:
    return launcher


def imported_packages(path: Path) -> set[str]:
    """Return the packages that a file imports at its top level."""
    found: set[str] = set()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def possible(spec: ModelSpec) -> Iterator[str]:
    """Yield what can be done with the model, and why not the rest."""
    size = next(iter(spec.sizes))
    closed = {gap.backend for gap in spec.gaps if gap.stage == gap.variant == gap.device == ANY}
    states = [
        name
        for name, row in VARIANTS.items()
        if in_place(name, spec) == name
        and exists(row, spec, size, row.devices[0])
        and (spec.can_train or name == ORIGINAL or row.replaces)
        and (name == ORIGINAL or row.backend not in closed)
    ]
    yield f"states: {', '.join(states)}"
    if not spec.can_train and EAGER not in closed:
        yield "training, fine-tuning: need `batch`, `loss` and `metric` on the record (docs/your-models.md)"
    if spec.export.static_reason:
        yield f"the graph has fixed shapes: {spec.export.static_reason}"
    for gap in spec.gaps:
        place = " ".join(v for v in (gap.stage, gap.backend, gap.device, gap.dtype) if v != "*")
        yield f"gap ({place or 'everything'}): {gap.reason}"


def _lines(found: CheckResult) -> Iterator[str]:
    for claim in found.claims:
        yield f"{'✓' if claim.holds else '✗'} {claim.name}: {claim.evidence}"
    for package, seconds in found.imports.items():
        yield (
            f"! build imports {package} ({seconds:.1f} s a cell): requires=({package!r},) on the record imports it once"
        )


# Worker side.


def run(job: CellJob, emit: Emit) -> StepOutput[CheckResult]:
    """Build the cell's model, run it twice and compare what it gives with its record. Raises what these raise."""
    import torch

    from suite.built_model import batch_of
    from suite.flat_tensors import flatten_outputs
    from suite.origins.find import spec_of
    from suite.slips import must_take, told_as_slip
    from suite.weights import module_for

    spec = spec_of(job)
    emit("phase", name=BUILD)
    before, begin = _packages(), time.perf_counter()
    with told_as_slip(spec, "build raises"):
        module = module_for(spec, job.cell.size, seed=job.options.seed)
    seconds = time.perf_counter() - begin
    new = sorted(_packages() - before - {m.partition(".")[0] for m in spec.requires})
    parameters = sum(p.numel() for p in module.parameters())
    batch = batch_of(job, spec, emit)
    must_take(spec, module, batch.inputs)
    emit("phase", name="forward")
    with torch.inference_mode():
        first, again = (
            [t.clone() for t in flatten_outputs(_answer(spec, module, batch.inputs), spec.outputs)]
            for _ in range(2)
        )
    return StepOutput(
        result=CheckResult(
            claims=(
                Claim(
                    name="builds",
                    holds=True,
                    evidence=f"{f'{parameters:,} parameters, ' if parameters else ''}{seconds:.1f} s",
                ),
                *_claims(spec, first, again),
            ),
            imports={name: seconds for name in new[:1] if seconds > SLOW_IMPORT},
        )
    )


def _claims(spec: ModelSpec, first: Sequence[Any], again: Sequence[Any]) -> Iterator[Claim]:
    import torch

    shapes = [f"{list(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in first]
    names = list(spec.outputs)
    yield Claim(
        name="gives the outputs that it names",
        holds=len(first) == len(names),
        evidence=", ".join(f"{n} {s}" for n, s in zip(names, shapes, strict=False))
        if len(first) == len(names)
        else f"{len(first)} tensors ({', '.join(shapes)}), and the record names {len(names)}: {', '.join(names)};"
        " next: one name per tensor in `outputs`, in order",
    )
    bad = [
        n
        for n, t in zip(names, first, strict=False)
        if t.is_floating_point() and not bool(torch.isfinite(t).all())
    ]
    yield Claim(
        name="the outputs are finite",
        holds=not bad,
        evidence=f"NaN or infinity in {', '.join(bad)}" if bad else "no NaN, no infinity",
    )
    same = all(
        torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(first, again, strict=True)
    )
    yield Claim(
        name="two calls answer alike",
        holds=same,
        evidence="bit by bit"
        if same
        else "they differ: forward changes a buffer, or draws random numbers in eval mode; no graph can be compared",
    )


def _answer(spec: ModelSpec, module: Any, inputs: Mapping[str, Any]) -> Any:
    """Return what the module answers, always from the same seed; raise Slip with the inputs if it raises."""
    import torch

    from suite.slips import told_as_slip

    torch.manual_seed(0)
    shapes = ", ".join(
        f"{name} {list(value.shape)}" if isinstance(value, torch.Tensor) else name
        for name, value in inputs.items()
    )
    with told_as_slip(spec, f"forward on {shapes} raises"):
        return module(**inputs)


def _packages() -> set[str]:
    """Return the top-level packages that are imported and are not Python's own or private."""
    roots = {name.partition(".")[0] for name in sys.modules}
    return {
        r for r in roots if r not in sys.stdlib_module_names and not r.startswith(("_", "vitals_"))
    }
