"""Worker side. A model as a tree of modules: parameters, output shapes, MACs and histograms of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from suite.results.model_tree import ModelTree, ModuleRow, WeightSpread
from suite.results.step_output import StepOutput
from suite.worker.protocol import CellJob, Emit

RUNNER: Final = "suite.show_work:run"
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
