"""Worker side. A model as a tree of modules: parameters, shapes of what they give, MACs, and how weights spread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from suite.worker.protocol import CellJob, Emit

RUNNER: Final = "suite.show_work:run"
BINS: Final = 16


def run(job: CellJob, emit: Emit) -> dict[str, Any]:
    """Facts: `modules`, in the order of the tree, each with `name` (path), `kind` (class), `parameters` (own and of all
    below), `shape` (of what it gave last; empty for one that never ran), `macs` and `weights`: name, shape, histogram.

    Options: those of `suite.built_model`.
    """
    from suite.built_model import subject_for
    from suite.macs import macs_by_module

    subject = subject_for(job, emit)
    module, inputs = subject.module, subject.batch.inputs
    emit("phase", name="macs")
    with _shapes(module) as shapes:
        macs = macs_by_module(module, lambda: module(**inputs))
    emit("phase", name="weights")
    return {
        "facts": {
            "modules": [
                _module(name, child, shapes, macs) for name, child in module.named_modules()
            ],
            "inputs": _told(inputs),
            "num_buffers": sum(buffer.numel() for buffer in module.buffers()),
            "num_bytes": sum(p.numel() * p.element_size() for p in module.parameters()),
            "num_shared": _num_shared(module),
            "data": subject.batch.data.name if subject.batch.data else "",
            "num_samples": subject.batch.num_samples,
        }
    }


def _module(name: str, module: Any, shapes: dict[str, str], macs: dict[str, int]) -> dict[str, Any]:
    own = dict(module.named_parameters(recurse=False))
    return {
        "name": name,
        "kind": type(module).__name__,
        "parameters": sum(p.numel() for p in module.parameters()),
        "shape": shapes.get(name, ""),
        "macs": macs.get(name, 0),
        "weights": [
            {"name": key, "shape": list(p.shape), **_spread(p.detach())} for key, p in own.items()
        ],
    }


def _spread(tensor: Any) -> dict[str, Any]:
    """Counts in BINS bins between the smallest and the largest finite element, and what they leave out."""
    import torch

    numbers = tensor.flatten().to(torch.float32)
    finite = numbers[torch.isfinite(numbers)]
    if not finite.numel():
        return {"counts": [], "low": 0.0, "high": 0.0, "sparsity": 0.0}
    low, high = float(finite.min()), float(finite.max())
    counts = torch.histc(finite, bins=BINS, min=low, max=high if high > low else low + 1)
    return {
        "counts": [int(count) for count in counts],
        "low": low,
        "high": high,
        "sparsity": float((numbers == 0).float().mean()),
    }


@contextmanager
def _shapes(module: Any) -> Iterator[dict[str, str]]:
    """Path of a module -> the shape of what it gave, while the block runs."""
    found: dict[str, str] = {}

    def hook_for(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            found[name] = _told(output)

        return hook

    handles = [m.register_forward_hook(hook_for(name)) for name, m in module.named_modules()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _told(value: Any) -> str:
    """`1×64×56×56`; of several tensors the first three."""
    import torch
    from torch.utils import _pytree as pytree

    leaves = [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]
    texts = ["×".join(map(str, leaf.shape)) or "scalar" for leaf in leaves[:3]]
    return ", ".join(texts) + (f" and {len(leaves) - 3} more" if len(leaves) > 3 else "")


def _num_shared(module: Any) -> int:
    """Parameters that are under a second name."""
    every = [p for m in module.modules() for p in m._parameters.values() if p is not None]
    once = {id(p): p for p in every}.values()
    return int(sum(p.numel() for p in every) - sum(p.numel() for p in once))
