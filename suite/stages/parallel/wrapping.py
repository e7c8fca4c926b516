"""Worker side. Wrapping: how a module is spread over processes, by PyTorch's own distributed API.

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
"""Linear layers whose outputs are split: what follows works on each part alone (heads, hidden units)."""
ROWS: Final = ("*.attention.output.dense", "*.layer.*.output.dense", "*.down_proj")
"""Linear layers behind them, whose inputs come split and whose outputs are summed."""


def ddp(module: nn.Module, device: str, count: int) -> nn.Module:
    """Every process has the whole model; gradients are averaged."""
    from torch.nn.parallel import DistributedDataParallel

    return DistributedDataParallel(module)


def fsdp(module: nn.Module, device: str, count: int) -> nn.Module:
    """Every process has a shard of every weight (FSDP2); layers gather theirs when they run."""
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (count,))
    for child in module.modules():
        if isinstance(child, nn.ModuleList):
            for block in child:
                fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)
    return module


def tensor(module: nn.Module, device: str, count: int) -> nn.Module:
    """Every process has a slice of the matrices of attention and feed-forward blocks (Megatron-LM's scheme).

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
