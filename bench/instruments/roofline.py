"""Worker side. Roofline: peak rates of this machine as reached by PyTorch, for matrix products and memory copies.

After Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009: https://doi.org/10.1145/1498765.1498785. The
peaks are measured, so that they hold for this number of threads, this container and these libraries.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import torch

from bench.instruments.options import RooflineOptions
from bench.instruments.results import RooflineResult
from bench.instruments.stopwatch import CLOCK, NS
from suite.axes import CPU, CUDA
from suite.results.step_output import StepOutput
from suite.timing import waiter
from suite.worker.protocol import Emit, Job

DTYPES: Final = ("float32", "bfloat16", "float16")
SIDES: Final = {CPU: (256, 512, 1024, 2048), CUDA: (1024, 2048, 4096, 8192)}
"""Sides of the square matrices; the best of them counts: too small is overhead, too large leaves the cache."""
BYTES: Final = {CPU: 512 * 2**20, CUDA: 2**30}
"""Size of the copied array: well above any last-level cache."""
BUDGET: Final = 0.25
"""Seconds per size and dtype."""
LONGEST: Final = 0.3
"""Longest expected seconds of one product, extrapolated from the smaller one before it."""
LEAST_ROUNDS: Final = 3


def run(job: Job, emit: Emit) -> StepOutput[RooflineResult]:
    """Measure the peak rates of a device. Options: RooflineOptions. Memory that runs out is raised."""
    device = job.read(RooflineOptions).device
    if threads := job.options.threads:
        torch.set_num_threads(threads)
    emit("phase", name="bandwidth")
    bandwidth = copy_rate(device)
    rates: dict[str, float] = {}
    no_kernel: dict[str, str] = {}
    for dtype in DTYPES:
        emit("phase", name=f"matmul {dtype}")
        try:
            rates[dtype] = matmul_rate(device, getattr(torch, dtype))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # "addmm_impl_cpu_" not implemented for 'Half', and the like
            no_kernel[dtype] = str(error).partition("\n")[0]
    return StepOutput(
        result=RooflineResult(
            device=device,
            threads=torch.get_num_threads(),
            bandwidth=bandwidth,
            matmul=rates,
            no_kernel=no_kernel,
            float32_precision=torch.get_float32_matmul_precision(),
        )
    )


def matmul_rate(device: str, dtype: torch.dtype) -> float:
    """Return FLOP/s of the fastest square product of SIDES in that dtype; raises RuntimeError without a kernel."""
    best, seconds, before = 0.0, 0.0, 0
    for side in SIDES[device.partition(":")[0]]:
        if before and seconds * (side / before) ** 3 > LONGEST:
            break  # a dtype without fast kernels takes minutes at the next size
        left = torch.randn(side, side, device=device).to(dtype)
        right = torch.randn(side, side, device=device).to(dtype)
        out = torch.empty(side, side, device=device, dtype=dtype)

        def call(
            left: torch.Tensor = left, right: torch.Tensor = right, out: torch.Tensor = out
        ) -> None:
            torch.mm(left, right, out=out)

        seconds, before = fastest(call, device), side
        best = max(best, 2 * side**3 / seconds)
    return best


def copy_rate(device: str, num_bytes: int = 0) -> float:
    """Return bytes per second, read plus written, of copying a large array."""
    kind = device.partition(":")[0]
    number = (num_bytes or _affordable(BYTES[kind], kind)) // 4
    source = torch.ones(number, device=device)
    target = torch.zeros(number, device=device)
    return 2 * 4 * number / fastest(lambda: target.copy_(source), device)


def fastest(call: Callable[[], Any], device: str) -> float:
    """Return the seconds of the fastest of several calls after a first untimed one."""
    wait = waiter(device)
    call()
    wait()
    best, spent, rounds = float("inf"), 0.0, 0
    while rounds < LEAST_ROUNDS or spent < BUDGET:
        began = CLOCK()
        call()
        wait()
        seconds = (CLOCK() - began) * NS
        best, spent, rounds = min(best, seconds), spent + seconds, rounds + 1
    return best


def _affordable(num_bytes: int, kind: str) -> int:
    """Limit the bytes to an eighth of free memory."""
    if kind == CUDA:
        free, _ = torch.cuda.mem_get_info()
        return min(num_bytes, free // 8)
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(num_bytes, free // 8)
