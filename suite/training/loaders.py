"""Worker side. Loaders: endless, seeded streams of training batches, and fixed lists of test batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from suite.axes import is_accelerator
from suite.data.sources import Source
from suite.data.splits import TRAIN_SPLIT
from suite.spec import ModelSpec
from suite.tasks.batch import Batch, renamed
from suite.tasks.examples import Examples, collate
from suite.tasks.task_of import task_of


def stream(
    spec: ModelSpec,
    size: str,
    source: Source,
    *,
    batch: int,
    seed: int,
    start: int = 0,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """Yield training batches without end, from batch `start` on: augmented, reshuffled every epoch, an epoch's short
    last batch dropped.

    The same seed gives the same batches in the same order, wherever the stream starts; resuming relies on it.
    """
    examples, collated = examples_of(spec, size, source, seed=seed, split=TRAIN_SPLIT)
    per_epoch = max(1, len(examples) // batch)
    for epoch in count(start // per_epoch):
        order = order_of(len(examples), batch, seed=seed, epoch=epoch)
        begin = (start % per_epoch) * batch if epoch == start // per_epoch else 0
        loader: DataLoader[Any] = DataLoader(
            examples.at_epoch(epoch),  # type: ignore[arg-type]
            batch_size=batch,
            sampler=order[begin:],
            collate_fn=collated,
            num_workers=num_workers,
            pin_memory=pin_memory,
            # A generator of its own: a loader draws a seed from the global generator when it starts, and dropout
            # after resuming would differ.
            generator=torch.Generator().manual_seed(seed),
        )
        yield from loader


def order_of(num_examples: int, batch: int, *, seed: int, epoch: int) -> list[int]:
    """Return an epoch's examples in order: whole batches; with fewer examples than a batch, some repeat."""
    order = np.random.default_rng((seed, epoch, num_examples)).permutation(num_examples).tolist()
    if num_examples < batch:
        order = (order * -(-batch // num_examples))[:batch]
    kept: list[int] = order[: len(order) // batch * batch]
    return kept


def fixed(
    spec: ModelSpec,
    size: str,
    source: Source,
    *,
    split: str,
    batch: int,
    most: int,
    seed: int,
) -> list[Batch]:
    """Return at most `most` samples of the split in batches, the same ones every time."""
    examples, collated = examples_of(spec, size, source, seed=seed, split=split)
    order = np.random.default_rng((seed, len(examples))).permutation(len(examples))[:most]
    chosen = [int(i) for i in order]
    return [
        collated([examples[i] for i in chosen[begin : begin + batch]])
        for begin in range(0, len(chosen), batch)
    ]


def examples_of(
    spec: ModelSpec, size: str, source: Source, *, seed: int, split: str
) -> tuple[Examples, Callable[[Sequence[Any]], Batch]]:
    """Return the examples of a split for this model, and the collate function that uses the model's argument names."""
    task = task_of(spec)
    inputs = spec.sizes[size].inputs
    found: Examples = task.examples(inputs, source, seed=seed, split=split)
    make = task.collate_for(inputs) if hasattr(task, "collate_for") else collate
    return found, partial(_named, make, spec)


def _named(make: Callable[..., Batch], spec: ModelSpec, rows: Sequence[Any]) -> Batch:
    """Collate `rows`. At module level, not a closure, because it is pickled for the loader's worker processes."""
    return renamed(spec, make(rows))


def moved(batch: Batch, device: str) -> Batch:
    """Return the batch on `device`."""
    from torch.utils import _pytree as pytree

    if not is_accelerator(device):
        return batch
    to = partial(_to, device=device)
    return replace(
        batch,
        inputs=pytree.tree_map(to, dict(batch.inputs)),
        targets=pytree.tree_map(to, batch.targets),
    )


def _to(value: Any, device: str) -> Any:
    return value.to(device, non_blocking=True) if hasattr(value, "to") else value
