"""Worker side. Distribution of a module over processes, by PyTorch's own distributed API.

Routes of the variants of the stage `parallel`: `function(module, device, count) -> module`.
"""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any, Final

from torch import nn
from torch.distributed.device_mesh import init_device_mesh

COLUMNS: Final = (
    *("*.query", "*.key", "*.value", "*.intermediate.dense"),
    *("*.gate_proj", "*.up_proj"),
)
"""Linear layers with split outputs: what follows works on each part separately (heads, hidden units)."""
ROWS: Final = ("*.attention.output.dense", "*.layer.*.output.dense", "*.down_proj")
"""The Linear layers after them, whose inputs are split and whose outputs are summed."""


def ddp(module: nn.Module, device: str, count: int) -> nn.Module:
    """Replicate the model on every process; gradients are averaged."""
    from torch.nn.parallel import DistributedDataParallel

    return DistributedDataParallel(module)


def fsdp(module: nn.Module, device: str, count: int) -> nn.Module:
    """Shard every weight over the processes (FSDP2); layers gather theirs when they run."""
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (count,))
    for child in module.modules():
        if isinstance(child, nn.ModuleList):
            for block in child:
                fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)
    return module


def tensor(module: nn.Module, device: str, count: int) -> nn.Module:
    """Split the matrices of attention and feed-forward blocks over the processes (Megatron-LM's scheme).

    Raises ValueError when no layer is split: nothing would be parallel.
    """
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        parallelize_module,
    )

    plan: dict[str, Any] = {}
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear):
            if any(fnmatch(name, pattern) for pattern in COLUMNS):
                plan[name] = ColwiseParallel()
            elif any(fnmatch(name, pattern) for pattern in ROWS):
                plan[name] = RowwiseParallel()
    if not plan:
        raise ValueError(
            f"{type(module).__name__} has no layers named like {', '.join(COLUMNS)}: nothing to split"
        )
    return parallelize_module(module, init_device_mesh(device, (count,)), plan)
