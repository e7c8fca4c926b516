"""`python -m bench tune MODEL`: which lane to ship on this machine, measured now, with a bundle that repeats it."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.limit_options import add_limit_options, limits_of
from bench.output.console import console_on, print_to, write_text
from bench.output.json_text import to_json
from bench.plan import PLANS
from bench.steps import STEPS
from bench.summary.advice import DEFAULT_DROP
from bench.summary.lifecycle import quality_of
from bench.summary.machine import HEADLINE_PACKAGES
from bench.tune.bundle import BundleError, write_bundle
from bench.tune.choice import choose, is_busy
from bench.tune.document import to_document
from bench.tune.lanes import default_dtypes, default_threads, default_variants, lanes_of
from bench.tune.markdown import to_markdown
from bench.tune.measure import Measured, measure
from bench.tune.terminal import render_terminal
from bench.tune.tuned import Tuned
from bench.tune.wording import names
from diagnostics.environment import Environment
from diagnostics.gather import gather
from suite.axes import BACKENDS, CPU
from suite.catalog import CatalogError
from suite.cell import Cell
from suite.data.errors import DataError
from suite.engine.run import Run, RunError, open_run
from suite.expand import batches_of, choices, dtypes_of, variants_of
from suite.options import Asked, Selection, resolve
from suite.runs.store import StoreError
from suite.spec import ModelSpec
from suite.weights import WeightsError
from suite.worker.client import Launcher, LauncherError

SHIPPED, NONE, TROUBLE, BROKEN_OFF = 0, 1, 2, 130
"""Exit codes: a lane is named; nothing is within the limits, or nothing could be ranked; the request cannot be carried
out; the user broke it off."""
USER_ERRORS: Final = (CatalogError, DataError, RunError, StoreError, WeightsError, LauncherError)
FORMATS: Final = ("terminal", "md", "json")
DEADLINE: Final = 3600.0
"""Seconds that one worker may take: training at base is among them."""
OUT: Final = Path(".vitals")
DOCUMENT: Final = "tune.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        help="a name, timm:NAME, my_file.py:build, model.onnx ...: as --models takes it",
    )
    add_limit_options(parser)
    add(
        "--size",
        default="",
        help="tiny or base (default: base, or the only one that the model has)",
    )
    add("--backend", default="", metavar="NAMES", help=f"of {', '.join(BACKENDS)} (default: all)")
    add(
        "--dtype",
        default="",
        metavar="NAMES",
        help="default: float32,bfloat16; on a GPU float16, too",
    )
    add(
        "--variant",
        default="",
        metavar="NAMES",
        help="states (default: the trained model and all made of it)",
    )
    add("--threads", default="", metavar="N,N", help="default: 1, powers of two, every core")
    add(
        "--batch",
        default="1",
        metavar="N,N",
        help="samples per call; ranked per sample (default: 1)",
    )
    add("--length", default="", metavar="N", help="tokens per sample, of models that read tokens")
    add("--axes", default="", metavar="NAME=N", help="extents of an ONNX file's open axes")
    add("--device", default=CPU, metavar="DEVICE", help="cpu or cuda:N (default: cpu)")
    add("--models-from", type=Path, metavar="FILE", help="your own models beside ours")
    add("--weights", default="random", help="random, pretrained, or a folder")
    add("--data", type=Path, metavar="DIR", help="a folder with data, as `pytest bench` takes it")
    add("--seed", type=int, default=0)
    add(
        "--plan",
        choices=list(PLANS),
        default="standard",
        help="how hard to measure (default: standard)",
    )
    add("--format", choices=FORMATS, default="terminal", help="default: terminal")
    add(
        "--bundle",
        type=Path,
        metavar="DIR",
        help="folder of the bundle (default: in the run's folder)",
    )
    add("--no-bundle", action="store_true", help="write no bundle")
    add(
        "--out",
        type=Path,
        default=OUT,
        metavar="DIR",
        help=f"where runs and caches go (default: {OUT})",
    )


def main(arguments: argparse.Namespace) -> int:
    """Say what to ship: 0 when a lane is named, 1 when none can be, 2 for a request that cannot be carried out, 130
    after Ctrl-C, with what was known by then.
    """
    began = time.monotonic()
    started: list[Launcher] = []
    try:
        tuned = _tune(arguments, started, began)
    except USER_ERRORS as error:
        print(f"python -m bench tune: {error}", file=sys.stderr)
        return TROUBLE
    except KeyboardInterrupt:
        print("python -m bench tune: broken off before anything was measured", file=sys.stderr)
        return BROKEN_OFF
    finally:
        for launcher in started:
            launcher.close(at_once=True)
    _show(tuned, arguments.format)
    if tuned.is_broken_off:
        return BROKEN_OFF
    return SHIPPED if tuned.choice.pick else NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A request that can be carried out: the model's lanes, and the run that measures them."""

    run: Run
    spec: ModelSpec
    lanes: list[Cell]
    threads: tuple[int, ...]
    environment: Environment


def opened(arguments: argparse.Namespace, started: list[Launcher]) -> Opened:
    """Return the request's lanes and an open run below OUT/tune, where reports and trends do not look.

    `started` takes the launcher that describes a model of the user's own, which goes on as that of the run. Raises
    USER_ERRORS.
    """
    environment = gather(quick=True)
    threads = threads_of(arguments.threads, environment.system.num_cores)
    selection = _selection(arguments, environment, started)
    spec, lanes = lanes_for(arguments, selection)
    run = open_run(
        out=arguments.out,
        runs=arguments.out / "tune",
        resume=None,
        selection=selection,
        environment=environment,
        deadline=DEADLINE,
        command=shlex.join(["python", "-m", "bench", *sys.argv[1:]]),
        options={"plan": PLANS[arguments.plan].as_dict()},
        steps=STEPS,
        launcher=started[0] if started else None,
    )
    return Opened(run=run, spec=spec, lanes=lanes, threads=threads, environment=environment)


def _tune(arguments: argparse.Namespace, started: list[Launcher], began: float) -> Tuned:
    asked = opened(arguments, started)
    run, spec, lanes = asked.run, asked.spec, asked.lanes
    say = teller()
    run.session.on_begin = lambda cell, step: say(f"  making {step} of {cell.id}")
    measured, limits = Measured(), limits_of(arguments)
    try:
        measure(run.session, spec, lanes, asked.threads, limits, measured, say)
        tuned = Tuned(
            model=spec.name,
            size=lanes[0].size,
            device=lanes[0].device,
            folder=str(run.folder.path),
            machine=machine_of(asked.environment),
            quality=quality_of(spec.scale) if measured.has_metric else None,
            candidates=tuple(measured.candidates),
            found=measured.found,
            choice=choose(measured.candidates, measured.found, limits),
            is_busy=is_busy(measured.found),
            is_broken_off=measured.is_broken_off,
            phase=measured.phase,
        )
        tuned = _bundled(tuned, run, arguments, say)
    finally:
        run.close()
    tuned = replace(tuned, seconds=time.monotonic() - began)
    run.folder.write_json(DOCUMENT, to_document(tuned))
    return tuned


def _bundled(
    tuned: Tuned, run: Run, arguments: argparse.Namespace, say: Callable[[str], None]
) -> Tuned:
    """Return the choice with its bundle, or with the reason why there is none."""
    pick = tuned.choice.pick
    if pick is None or tuned.is_broken_off or arguments.no_bundle:
        return tuned
    say("the bundle is written, and replayed in fresh processes")
    folder = arguments.bundle or run.folder.path / "bundle"
    facts = {"model": tuned.model, "size": tuned.size, "machine": tuned.machine}
    try:
        bundle = write_bundle(
            run.session, pick.candidate, folder, names(tuned)[pick.candidate.label], facts
        )
    except BundleError as error:
        return replace(tuned, no_bundle=str(error))
    except KeyboardInterrupt:
        return replace(tuned, no_bundle="it was broken off")
    return replace(tuned, bundle=str(bundle.folder), bundle_latency=bundle.latency)


def _selection(
    arguments: argparse.Namespace, environment: Environment, started: list[Launcher]
) -> Selection:
    """Return the one model that was asked for, with the options of every job. Raises CatalogError naming the option."""

    def launcher() -> Launcher:
        if not started:
            started.append(Launcher())
        return started[0]

    asked = Asked(
        models=(arguments.model,),
        models_from=arguments.models_from,
        size=arguments.size or "base",
        has_default_size=not arguments.size,
        out=arguments.out,
        backend=arguments.backend or ",".join(BACKENDS),
        device=arguments.device,
        dtype=arguments.dtype or "float32",
        batch=arguments.batch,
        length=arguments.length,
        axes=arguments.axes,
        threads=0,
        seed=arguments.seed,
        data=arguments.data,
        weights=arguments.weights,
        max_drop=drop_of(arguments.max_drop),
    )
    selection = resolve(
        asked,
        num_gpus=len(environment.gpus),
        num_cores=environment.system.num_cores,
        worker=launcher,
    )
    if len(selection.specs) != 1:
        some = ", ".join([*selection.specs][:5]) + (", ..." if len(selection.specs) > 5 else "")
        raise CatalogError(
            f"MODEL {arguments.model}: names {len(selection.specs)} models ({some}); expected one"
        )
    places = {(cell.size, cell.device, cell.length) for cell in selection.cells}
    if len(places) != 1:
        raise CatalogError(
            "--size, --device, --length: one of each can be tuned for at a time; expected e.g. --size base"
        )
    return selection


def drop_of(limit: float) -> float | None:
    """Return the drop at which 8-bit graphs are made to aim: the user's limit; None, each record's own, where it is the
    default or below zero, which asks for a better model and no quantization can aim at.
    """
    return limit if limit >= 0 and limit != DEFAULT_DROP else None


def lanes_for(arguments: argparse.Namespace, selection: Selection) -> tuple[ModelSpec, list[Cell]]:
    """Return the record of the model and its lanes. Raises CatalogError if the options leave none."""
    spec = next(iter(selection.specs.values()))
    first = selection.cells[0]
    backends = (
        choices("--backend", arguments.backend, BACKENDS) if arguments.backend else tuple(BACKENDS)
    )
    dtypes = dtypes_of(arguments.dtype) if arguments.dtype else default_dtypes(first.device)
    lanes = lanes_of(
        spec,
        size=first.size,
        device=first.device,
        backends=backends,
        dtypes=dtypes,
        variants=variants_of(arguments.variant) if arguments.variant else default_variants(spec),
        batches=batches_of(arguments.batch),
        lengths=(first.length,) if first.length else (),
    )
    if not lanes:
        raise CatalogError(
            f"--backend {arguments.backend or 'all'}, --dtype {arguments.dtype or 'all'}, --variant"
            f" {arguments.variant or 'all'}: no lane of {spec.name} is left; next: leave one of them out"
        )
    return spec, lanes


def threads_of(text: str, num_cores: int) -> tuple[int, ...]:
    """Return the values of `--threads`: positive numbers, no more than there are cores. Raises CatalogError."""
    if not text:
        return default_threads(num_cores)
    words = text.replace(",", " ").split()
    if not words or not all(word.isdigit() and 0 < int(word) <= num_cores for word in words):
        raise CatalogError(
            f"--threads {text!r}: expected one or more numbers from 1 to {num_cores}, the cores that this process may"
            " use, e.g. 1,2"
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def machine_of(environment: Environment) -> dict[str, str]:
    """Return what the figures depend on, in a few words each."""
    system, known = environment.system, environment.versions
    return {
        "processor": f"{system.cpu_model}, {system.num_cores} cores",
        **{name: f"{name} {known[name]}" for name in HEADLINE_PACKAGES if name in known},
    }


def teller() -> Callable[[str], None]:
    """Return what tells the user what goes on, on standard error: only the answer is on standard output."""
    console = console_on(sys.stderr)
    return lambda text: console.print(text, style="dim", highlight=False, markup=False)


def _show(tuned: Tuned, form: str) -> None:
    if form == "json":
        write_text(to_json(to_document(tuned)), None)
    elif form == "md":
        write_text(to_markdown(tuned), None)
    else:
        print_to(None, lambda console: render_terminal(tuned, console), highlight=False)
