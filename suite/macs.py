"""Worker side. MACs: multiply-accumulates of one forward pass, correcting omissions of PyTorch's counter.

`FlopCounterMode` counts matrix products, convolutions and attention as seen by PyTorch's dispatcher. Two fused paths
hide them from it and are disabled here: oneDNN's recurrent layers, and the fast path of nn.MultiheadAttention and
nn.TransformerEncoderLayer. It counts 2 FLOPs per multiply-accumulate.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode

FLOPS_PER_MAC: Final = 2

COUNTED: Final = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
)
"""Layers that always use multiply-accumulates: a zero for one of them is a counting error."""


def count_macs(module: nn.Module, call: Callable[[], Any]) -> int:
    """Return the multiply-accumulates of one `call`, which runs `module` on the CPU.

    Counted: mm, addmm, bmm, convolutions, scaled dot product attention, recurrent cells. Not counted: element-wise
    operations, normalization, pooling, NMS. A causal mask does not reduce the count. Raise RuntimeError if a layer of
    COUNTED that returned an output was counted as zero.
    """
    return macs_by_module(module, call)[""]


def macs_by_module(module: nn.Module, call: Callable[[], Any]) -> dict[str, int]:
    """Return the multiply-accumulates of one `call` by module name, children included.

    The empty name is the whole model; modules without any are left out, and a module that runs several times has the
    sum. Counts and raises as `count_macs` does.
    """
    with (
        _plain_kernels(),
        _layers_run(module) as layers,
        torch.no_grad(),
        FlopCounterMode(display=False, custom_mapping=_ATTENTION) as counter,
    ):
        call()
    counts = counter.get_flop_counts()
    root = type(module).__name__
    missed = [name for name in layers if not counts.get(f"{root}.{name}" if name else root)]
    if missed:
        raise RuntimeError(
            f"{len(missed)} of {len(layers)} layers of {root} ran and were counted as 0 MACs,"
            f" first {missed[0] or root!r}; expected every Linear, convolution, recurrent and"
            " attention layer to count. A fused kernel hides them from torch.utils.flop_counter:"
            " switch it off in suite/macs.py"
        )
    found = {
        name.removeprefix(f"{root}."): sum(own.values()) // FLOPS_PER_MAC
        for name, own in counts.items()
        if name.startswith(f"{root}.") and any(own.values())
    }
    return {**found, "": int(counter.get_total_flops()) // FLOPS_PER_MAC}


@contextmanager
def _plain_kernels() -> Iterator[None]:
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            # A warning about TF32 on Intel GPUs that appears on machines without one.
            warnings.filterwarnings("ignore", "TF32 acceleration on top of oneDNN")
            with torch.backends.mkldnn.flags(enabled=False):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _layers_run(module: nn.Module) -> Iterator[list[str]]:
    """Yield the names of the layers of COUNTED that return a non-empty output within the block."""
    seen: dict[str, None] = {}

    def hook_for(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            # A detection head without proposals has no rows to count; that is not an error.
            if any(isinstance(t, Tensor) and t.numel() for t in pytree.tree_leaves(output)):
                seen[name] = None

        return hook

    handles = [
        layer.register_forward_hook(hook_for(name))
        for name, layer in module.named_modules()
        if isinstance(layer, COUNTED)
    ]
    names: list[str] = []
    try:
        yield names
    finally:
        names.extend(seen)
        for handle in handles:
            handle.remove()


def _attention(
    query: Any, key: Any, value: Any, *_args: Any, out_shape: Any = None, **_kwargs: Any
) -> int:
    """Return the FLOPs of scores and weighted sum; keys and values may have fewer heads (grouped-query attention).

    PyTorch's own formula rejects fewer heads in versions that we support.
    """
    batch, heads, queries, width = query
    return int(FLOPS_PER_MAC * batch * heads * queries * key[-2] * (width + value[-1]))


_ATTENTION: Final[dict[Any, Any]] = dict.fromkeys(
    (
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu,
        torch.ops.aten._scaled_dot_product_flash_attention,
        torch.ops.aten._scaled_dot_product_efficient_attention,
        torch.ops.aten._scaled_dot_product_cudnn_attention,
    ),
    _attention,
)
