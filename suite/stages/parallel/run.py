"""Worker side. The parallel stage's runner: one process as the reference, then several through torchrun, compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

import torch

from diagnostics.codec import decode_as
from suite.axes import DDP, ORIGINAL, is_accelerator
from suite.backends.eager import device_facts, require_device
from suite.claims import Claim
from suite.import_root import python_path
from suite.measurement import Measurement
from suite.results.parallel import ParallelResult
from suite.results.step_output import StepOutput
from suite.spec import ModelSpec
from suite.stages.parallel.rank_result import RankResult
from suite.stages.parallel.settings import STEPS, undisturbed
from suite.states import store
from suite.training.loop import fit
from suite.training.setup import training_setup_for
from suite.worker.errors import Unavailable
from suite.worker.protocol import CellJob, Emit

TOLERANCE: Final = 2e-3
"""Largest relative difference of a step's loss: the same sums in another order, over a few steps."""
RESERVE: Final = 20.0
"""Seconds before the job's own deadline at which the processes are killed, so that their logs can be reported."""


class ParallelError(RuntimeError):
    """The processes failed; the message holds the end of their output."""


def run(job: CellJob, emit: Emit) -> StepOutput[ParallelResult]:
    """Train the cell's model on `nproc` processes as its variant says, and on one.

    Measurements: `parallel_step` (seconds a step on all processes). Raises Unavailable when there are fewer GPUs than
    processes, ParallelError when a process fails.
    """
    torch.set_num_threads(1)  # as in each of the processes, for a fair efficiency
    return store.made(job, emit, train_parallel, ParallelResult)


def train_parallel(
    job: CellJob, spec: ModelSpec, folder: Path, emit: Emit
) -> StepOutput[ParallelResult]:
    """Train on one process, then on several."""
    device, nproc = job.cell.device.partition(":")[0], job.options.nproc
    require_device(job.cell.device)
    if is_accelerator(device) and torch.cuda.device_count() < nproc:
        raise Unavailable(
            f"--nproc {nproc} needs as many GPUs, and this machine has {torch.cuda.device_count()}"
        )
    emit("phase", name="one_process")
    alone, seconds = one_process(job, spec, nproc)
    emit("phase", name="processes")
    ranks = processes(job, nproc)
    curve = ranks[0].losses
    worst = max(abs(a - b) / max(abs(a), 1e-9) for a, b in zip(alone, curve, strict=True))
    step = median(ranks[0].seconds[1:])
    emit("phase", name="compare")
    claims = [
        Claim(
            name="the same loss curve as one process",
            holds=worst <= TOLERANCE and len(set(alone)) > 1,
            evidence=f"{STEPS} steps, {alone[0]:.5g} -> {alone[-1]:.5g} and {curve[0]:.5g} -> {curve[-1]:.5g},"
            f" largest relative difference {worst:.2g}; expected up to {TOLERANCE:g}",
        ),
        Claim(
            name="every process took part",
            holds=len({rank.pid for rank in ranks}) == nproc
            and all(rank.num_samples > 0 for rank in ranks),
            evidence=f"{nproc} processes, samples {[rank.num_samples for rank in ranks]}",
        ),
        _share_claim(job.cell.variant, ranks),
    ]
    return StepOutput(
        measurements=(Measurement(metric="parallel_step", unit="s", samples=ranks[0].seconds),),
        result=ParallelResult(
            processes=nproc,
            strategy=job.cell.variant,
            backend=ranks[0].backend,
            curve=curve,
            curve_one_process=tuple(alone),
            seconds_one_process=tuple(seconds),
            efficiency=median(seconds[1:]) / (nproc * step),
            claims=tuple(claims),
            **device_facts(job.cell.device),
        ),
    )


def one_process(job: CellJob, spec: ModelSpec, nproc: int) -> tuple[list[float], list[float]]:
    """Return losses and seconds of the steps on one process: micro-batches are as large as a process's share, so that
    batch normalization sees the same groups of samples.
    """
    settings = undisturbed(spec, job.cell.size, nproc, job.cell.variant)
    setup = training_setup_for(job, spec, store.source_of(job, spec), settings)
    module = store.module_of(job, spec, ORIGINAL)
    for layer in module.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    torch.manual_seed(setup.seed)
    history = fit(setup.train_state(module), setup.batches(), until=STEPS)
    return history.losses, history.seconds


def processes(job: CellJob, nproc: int) -> list[RankResult]:
    """Return the output of each process, by rank; they are killed at the deadline."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "job.json")
        file.write_text(job.to_json(), encoding="utf-8")
        command = [
            *(sys.executable, "-m", "torch.distributed.run"),
            *("--nnodes", "1", "--nproc-per-node", str(nproc)),
            *(
                "--rdzv-backend",
                "c10d",
                "--rdzv-endpoint",
                "127.0.0.1:0",
                "--local-addr",
                "127.0.0.1",
            ),
            *("-m", "suite.stages.parallel.rank", str(file), folder),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": python_path()}
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=max(30.0, job.deadline - RESERVE),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ParallelError(
                f"{nproc} processes were not done after {error.timeout:g} s; the end of their output:\n"
                f"{_tail(str(error.stderr or ''))}"
            ) from error
        print(done.stdout, done.stderr)
        if done.returncode:
            raise ParallelError(
                f"torchrun with {nproc} processes ended with {done.returncode};"
                f" the end of its output:\n{_tail(done.stderr)}"
            )
        files = [Path(folder, f"rank-{rank}.json") for rank in range(nproc)]
        return [
            decode_as(RankResult, json.loads(file.read_text(encoding="utf-8"))) for file in files
        ]


def _share_claim(strategy: str, ranks: Sequence[RankResult]) -> Claim:
    """Check that each process held what the strategy prescribes: all weights, or a part of them."""
    local, whole = [rank.num_local_weights for rank in ranks], ranks[0].num_weights
    if strategy == DDP:
        same = len({rank.digest for rank in ranks}) == 1
        return Claim(
            name="all processes end with the same weights",
            holds=same and local == [whole] * len(ranks),
            evidence=f"SHA-256 {[rank.digest[:8] for rank in ranks]} of {whole:,} weights",
        )
    return Claim(
        name="each process holds a part of the weights",
        holds=all(0 < part < whole for part in local),
        evidence=f"{whole:,} weights, {local} held",
    )


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.splitlines()[-lines:])
