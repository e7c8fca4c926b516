"""Checks the free memory of the GPUs and their faster arithmetic modes."""

from __future__ import annotations

from collections.abc import Iterator

from diagnostics.environment import Environment
from diagnostics.finding import Finding, Level
from diagnostics.finding_builders import by_hand, export, finding, gib
from diagnostics.registry import Skipped, check


@check("cuda-oom-other-process", "GPU memory is free", "driver")
def other_process(environment: Environment) -> Iterator[Finding]:
    """Other processes already use most of a GPU's memory.

    Why: `CUDA out of memory ... Process 562167 has 15.25 GiB memory in use`. Cure: stop that
    process, or use another GPU.
    """
    if not environment.gpus:
        raise Skipped("no GPU")
    free = [gpu for gpu in environment.gpus if gpu.memory_free > gpu.memory_total // 2]
    for gpu in environment.gpus:
        if gpu.memory_free < 0 or gpu.memory_free > gpu.memory_total // 10:
            continue
        users = [f"pid {pid} ({gib(used)})" for pid, used in gpu.processes]
        fixes = []
        if free:
            fixes.append(export(f"export CUDA_VISIBLE_DEVICES={free[0].index}", "has room"))
        if gpu.processes:
            fixes.append(by_hand(f"kill {gpu.processes[0][0]}", "after a look at what it is"))
        else:
            fixes.append(by_hand("nvidia-smi", "shows who holds the memory (not in a container)"))
        yield finding(
            Level.WARN,
            f"{gpu.name} has only {gib(gpu.memory_free)} of {gib(gpu.memory_total)} free",
            subject=f"cuda:{gpu.index}",
            cause="other processes hold it" + (f": {', '.join(users[:3])}" if users else ""),
            evidence={"NVML": f"{gpu.memory_free} bytes free"},
            fixes=tuple(fixes),
            explains=(f"deep-matmul:cuda:{gpu.index}",),
        )


@check("tf32-off", "Fast float32 products are a choice", "driver")
def tf32(environment: Environment) -> Iterator[Finding]:
    """The GPU has TF32 units, which float32 products do not use by default.

    Why: torch's default is full float32 precision; TF32 is several times faster. Cure:
    `torch.set_float32_matmul_precision("high")` where three significant digits are enough.
    """
    able = [gpu for gpu in environment.gpus if _major(gpu.capability) >= 8]
    if not able or not environment.torch or not environment.torch.cuda:
        raise Skipped("no GPU with TF32 units")
    yield finding(
        Level.INFO,
        f"{able[0].name} could multiply float32 matrices faster in TF32",
        evidence={"compute capability": able[0].capability, "default": "precision highest"},
        fixes=(
            by_hand(
                'torch.set_float32_matmul_precision("high")',
                "about three decimal digits in products",
            ),
        ),
    )


def _major(capability: str) -> int:
    head = capability.partition(".")[0]
    return int(head) if head.isdigit() else 0
