"""Worker side. One of several processes that train together; torchrun starts it with the job's file and a folder."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from diagnostics.codec import encode
from suite.axes import ORIGINAL, TENSOR, device_kind, is_accelerator, load_route
from suite.origins.find import spec_of
from suite.stages.parallel.rank_result import RankResult
from suite.stages.parallel.settings import STEPS, undisturbed
from suite.states import store
from suite.training.loaders import moved
from suite.training.micro_batches import pieces
from suite.training.setup import training_setup_for
from suite.training.strategies import digest
from suite.worker.protocol import CellJob


def main(job_file: str, folder: str) -> None:
    """Train this process's share and write `rank-<n>.json`: losses, seconds, the parameters that it held."""
    job = CellJob.from_json(Path(job_file).read_text(encoding="utf-8"))
    assert isinstance(job, CellJob)
    device = job.cell.device.partition(":")[0]
    backend = device_kind(device).process_group
    torch.set_num_threads(1)
    dist.init_process_group(backend)
    rank, count = dist.get_rank(), dist.get_world_size()
    place = f"{device}:{os.environ['LOCAL_RANK']}" if device_kind(device).is_numbered else device
    if is_accelerator(device):
        torch.cuda.set_device(place)
    try:
        found = train(job, device, place, rank, count)
        text = json.dumps(encode(found))
        Path(folder, f"rank-{rank}.json").write_text(text, encoding="utf-8")
    finally:
        dist.destroy_process_group()


def train(job: CellJob, device: str, place: str, rank: int, count: int) -> RankResult:
    """Run the training steps; losses are means over all processes."""
    strategy = job.cell.variant
    spec = spec_of(job)
    settings = undisturbed(spec, job.cell.size, count, strategy)
    setup = training_setup_for(job, spec, store.source_of(job, spec), settings)
    module = store.module_of(job, spec, ORIGINAL).to(place)
    for layer in module.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    whole = sum(p.numel() for p in module.parameters())
    wrapped: Any = load_route(strategy)(module, device, count)
    # setup.train_state would move the module again; only its optimizer is needed here.
    train_state = setup.train_state(wrapped)
    optimizer = train_state.optimizers[0]
    loss_of, batches = setup.loss, setup.batches()
    losses, seconds, num_samples = [], [], 0
    for step in range(STEPS):
        begin = time.perf_counter()
        train_state.step = step
        train_state.set_rates()
        wrapped.train()
        batch = next(batches)
        mine = (
            batch
            if strategy == TENSOR
            else [p for p, _ in pieces(batch, settings.micro_batch)][rank]
        )
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(wrapped, moved(mine, place))
        loss.backward()  # type: ignore[no-untyped-call]
        clip(list(wrapped.parameters()), settings.clip)
        optimizer.step()
        mean = loss.detach().clone()
        dist.all_reduce(mean)
        losses.append(float(mean) / count)
        seconds.append(time.perf_counter() - begin)
        num_samples += mine.num_samples
    local = [_local(p) for p in wrapped.parameters()]
    return RankResult(
        pid=os.getpid(),
        backend=device_kind(device).process_group,
        losses=tuple(losses),
        seconds=tuple(seconds),
        num_samples=num_samples,
        num_weights=whole,
        num_local_weights=sum(p.numel() for p in local),
        digest=digest(local),
    )


def clip(parameters: list[Any], most: float) -> None:
    """Clip gradients by norm where some weights are sharded and some are not: torch's own function rejects the mixture.

    The norm of a sharded gradient covers all its shards.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = [g.detach().norm() for g in gradients]
    total = torch.stack([n.full_tensor() if hasattr(n, "full_tensor") else n for n in norms]).norm()
    scale = float((most / (total + 1e-6)).clamp(max=1.0))
    for gradient in gradients:
        gradient.mul_(scale)


def _local(parameter: Any) -> Any:
    """Return this process's part of the parameter."""
    return parameter.to_local() if hasattr(parameter, "to_local") else parameter


if __name__ == "__main__":
    main(*sys.argv[1:])
    # All is written. Skip the interpreter's shutdown: occasionally a library's remaining thread makes C++ abort in it
    # ("terminate called without an active exception"), which torchrun takes for a failed training.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
