"""`python -m suite show MODEL`: the tree of a model's modules with parameters, shapes, MACs and weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from diagnostics.did_you_mean import did_you_mean
from suite.axes import BACKENDS, BASE, EAGER, SIZES
from suite.calm_console import calm_console
from suite.catalog import CatalogError, builtin_specs
from suite.cell import Cell
from suite.data.sources import sources_in
from suite.origins.reference import ONNX, parse
from suite.origins.resolve import CACHE, resolve
from suite.results.model_tree import ModelTree, ModuleRow, WeightSpread
from suite.results.step_output import StepOutput
from suite.sparkline import draw_counts
from suite.worker.client import Launcher
from suite.worker.job_options import JobOptions, Origin
from suite.worker.protocol import CellJob, Emit

DEADLINE: Final = 600.0
DEPTH: Final = 4
"""Levels shown by default."""
PIPED_WIDTH: Final = 140
"""Columns when the output is not a terminal."""
SCALES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add = parser.add_argument
    add("model", metavar="MODEL")
    add("--size", choices=SIZES, default="", help="default: base; of a library's type tiny")
    add("--depth", type=int, default=DEPTH, metavar="N", help=f"levels (default: {DEPTH}; 0 = all)")
    add("--weights", default="random", metavar="WHAT", help="random, or a folder with safetensors")
    add("--models-from", type=Path, metavar="FILE", help="your own models file")
    add("--no-weights", action="store_true", help="leave the sparklines out")


def main(arguments: argparse.Namespace) -> int:
    """Show the tree; return 0, or 2 if there is no such model or it cannot be built."""
    try:
        subject = subject_of(arguments)
        found = model_tree(subject, weights=arguments.weights)
    except CatalogError as error:
        print(f"python -m suite show: {error}", file=sys.stderr)
        return 2
    is_bare = not sys.stdout.isatty()
    console = calm_console(width=PIPED_WIDTH if is_bare else None)
    for part in (*headline(subject.model, subject.size, found), tree_of(arguments, found)):
        console.print(part)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The model that is shown."""

    model: str
    size: str
    models_from: str = ""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    requires: tuple[str, ...] = ()


def subject_of(arguments: argparse.Namespace) -> Subject:
    """Return what is asked for: a built-in model, one of the user's file, or a reference. Raise CatalogError."""
    asked = str(arguments.model)
    if arguments.models_from is not None:
        return Subject(
            model=asked, size=arguments.size or BASE, models_from=str(arguments.models_from)
        )
    specs = {spec.name: spec for spec in builtin_specs()}
    origins: dict[str, Origin] = {}
    if (reference := parse(asked, list(specs))) is not None:
        if reference.is_glob:
            raise CatalogError(f"{asked}: shows one model; next: python -m suite list '{asked}'")
        if reference.kind == ONNX:
            raise CatalogError(
                f"{asked}: an ONNX file has nodes, no modules; next: python -m bench review {asked}"
            )
        found = resolve([reference], CACHE)
        asked = next(iter(found))
        origins = {asked: found[asked][0]}
        specs = {asked: found[asked][1]}
    if asked not in specs:
        raise CatalogError(f"{asked}: no such model{did_you_mean(asked, list(specs))}")
    spec = specs[asked]
    # A published size may have billions of weights; of a library's type the small one shows the structure.
    usual = next(iter(spec.sizes)) if origins else BASE
    size = arguments.size or usual
    if size not in spec.sizes:
        size = next(iter(spec.sizes))
    return Subject(model=asked, size=size, origins=origins, requires=spec.requires)


def model_tree(subject: Subject, *, weights: str) -> ModelTree:
    """Describe the model in a worker; raise CatalogError with the worker's failure."""
    cell = Cell(model=subject.model, size=subject.size, backend=EAGER)
    launcher = Launcher(preload=(*BACKENDS[EAGER].preload, *subject.requires))
    try:
        options = JobOptions(
            models_from=subject.models_from,
            origins=subject.origins,
            weights=weights,
            sources=sources_in(None),
        )
        answer = launcher.run(CellJob(runner=RUNNER, cell=cell, options=options, deadline=DEADLINE))
    finally:
        launcher.close()
    if answer.failure is not None:
        raise CatalogError(
            f"{subject.model} at {subject.size} was not built (phase {answer.failure.phase or 'start'}):"
            f" {answer.failure.message}"
        )
    return answer.read(ModelTree)


def headline(model: str, size: str, found: ModelTree) -> tuple[str, str]:
    """Return two lines: the totals, and the input."""
    root = found.modules[0]
    shared = found.num_shared
    parts = [
        f"{root.parameters:,} parameters",
        f"{scaled(found.num_bytes)}B",
        f"{scaled(root.macs)}MAC",
        f"{len(found.modules) - 1} modules",
    ]
    parts += [f"{shared:,} of the parameters shared"] if shared else []
    fed = f"{found.data}, " if found.data else ""
    samples = "1 sample" if found.num_samples == 1 else f"{found.num_samples} samples"
    return (
        f"[bold]{escape(model)}[/bold] {size}: {', '.join(parts)}",
        f"[dim]input {escape(found.inputs)} ({escape(fed)}{samples})[/dim]",
    )


def tree_of(arguments: argparse.Namespace, found: ModelTree) -> Tree:
    """Return the modules as a tree without the levels below `depth`."""
    modules = found.modules
    whole = max(modules[0].macs, 1)
    by_name = {module.name: module for module in modules}
    children: dict[str, list[ModuleRow]] = {}
    for module in modules[1:]:
        children.setdefault(module.name.rpartition(".")[0], []).append(module)
    root = Tree(_line(modules[0], modules[0].kind, whole), guide_style="dim")

    def grow(branch: Tree, name: str, level: int) -> None:
        if not arguments.no_weights:
            for weight in by_name[name].weights:
                branch.add(_weight(weight))
        below = children.get(name, [])
        if arguments.depth and level >= arguments.depth:
            if below:
                branch.add(Text(f"{_num_below(children, name):,} modules below", style="dim"))
            return
        for module in below:
            label = f"{module.name.rpartition('.')[2]}: {module.kind}"
            grow(branch.add(_line(module, label, whole)), module.name, level + 1)

    grow(root, "", 0)
    return root


def scaled(number: float) -> str:
    """Return e.g. `1.81 G` or `640 `: three significant figures and a unit prefix."""
    for scale, prefix in SCALES:
        if number >= scale:
            return f"{number / scale:.3g} {prefix}"
    return f"{number:.0f} "


def _line(module: ModuleRow, label: str, whole: int) -> Text:
    text = Text(label, style="bold")
    if module.shape:
        text.append(f"  {module.shape}", style="cyan not bold")
    if module.parameters:
        text.append(f"  {module.parameters:,}", style="not bold")
    if module.macs:
        share = f"{100 * module.macs / whole:.0f}%"
        text.append(f"  {scaled(module.macs)}MAC {share}", style="yellow not bold")
    return text


def _weight(weight: WeightSpread) -> Text:
    shape = "×".join(map(str, weight.shape)) or "scalar"
    text = Text(f"{weight.name} ", style="dim")
    text.append(shape, style="dim cyan")
    text.append(f"  {weight.low:.3g} ", style="dim")
    text.append(draw_counts(weight.counts), style="green")
    text.append(f" {weight.high:.3g}", style="dim")
    if weight.sparsity:
        text.append(f"  {100 * weight.sparsity:.0f}% zero", style="dim")
    return text


def _num_below(children: Mapping[str, Sequence[ModuleRow]], name: str) -> int:
    below = children.get(name, ())
    return len(below) + sum(_num_below(children, module.name) for module in below)


# A model as a tree of modules: parameters, output shapes, MACs and histograms of weights.

RUNNER: Final = "suite.show:run"
BINS: Final = 16


def run(job: CellJob, emit: Emit) -> StepOutput[ModelTree]:
    """Build the cell's model, run it on one batch and describe its modules. Options: those of `suite.built_model`."""
    from suite.built_model import subject_for
    from suite.macs import macs_by_module

    subject = subject_for(job, emit)
    module, inputs = subject.module, subject.batch.inputs
    emit("phase", name="macs")
    with _shapes(module) as shapes:
        macs = macs_by_module(module, lambda: module(**inputs))
    emit("phase", name="weights")
    return StepOutput(
        result=ModelTree(
            modules=tuple(
                _row(name, child, shapes, macs) for name, child in module.named_modules()
            ),
            inputs=_shape_text(inputs),
            num_bytes=sum(p.numel() * p.element_size() for p in module.parameters()),
            num_shared=_num_shared(module),
            data=subject.batch.data.name if subject.batch.data else "",
            num_samples=subject.batch.num_samples,
        )
    )


def _row(name: str, module: Any, shapes: dict[str, str], macs: dict[str, int]) -> ModuleRow:
    own = module.named_parameters(recurse=False)
    return ModuleRow(
        name=name,
        kind=type(module).__name__,
        parameters=sum(p.numel() for p in module.parameters()),
        shape=shapes.get(name, ""),
        macs=macs.get(name, 0),
        weights=tuple(_spread(key, p.detach()) for key, p in own),
    )


def _spread(name: str, tensor: Any) -> WeightSpread:
    """Compute the histogram of the finite elements, with BINS bins from the smallest to the largest."""
    import torch

    numbers = tensor.flatten().to(torch.float32)
    finite = numbers[torch.isfinite(numbers)]
    if not finite.numel():
        return WeightSpread(name=name, shape=tuple(tensor.shape))
    low, high = float(finite.min()), float(finite.max())
    counts = torch.histc(finite, bins=BINS, min=low, max=high if high > low else low + 1)
    return WeightSpread(
        name=name,
        shape=tuple(tensor.shape),
        counts=tuple(int(count) for count in counts),
        low=low,
        high=high,
        sparsity=float((numbers == 0).float().mean()),
    )


@contextmanager
def _shapes(module: Any) -> Iterator[dict[str, str]]:
    """Yield module path -> shape of its last output, recorded within the block."""
    found: dict[str, str] = {}

    def hook_for(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            found[name] = _shape_text(output)

        return hook

    handles = [m.register_forward_hook(hook_for(name)) for name, m in module.named_modules()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _shape_text(value: Any) -> str:
    """Return e.g. `1×64×56×56`; for several tensors the first three."""
    import torch
    from torch.utils import _pytree as pytree

    leaves = [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]
    texts = ["×".join(map(str, leaf.shape)) or "scalar" for leaf in leaves[:3]]
    return ", ".join(texts) + (f" and {len(leaves) - 3} more" if len(leaves) > 3 else "")


def _num_shared(module: Any) -> int:
    """Count the parameters of tensors with a second name."""
    every = [p for m in module.modules() for p in m._parameters.values() if p is not None]
    once = {id(p): p for p in every}.values()
    return int(sum(p.numel() for p in every) - sum(p.numel() for p in once))
