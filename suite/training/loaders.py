"""Worker side. Loaders: endless, seeded streams of training batches, and fixed lists of test batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import count
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from suite.axes import TASKS, is_accelerator
from suite.data.sources import Source
from suite.data.splits import TRAIN_SPLIT
from suite.spec import ModelSpec
from suite.tasks.batch import Batch, renamed
from suite.tasks.examples import Examples, collate


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
    """Training batches for ever, from batch `start` on: augmented, shuffled anew every epoch, the last of an epoch
    dropped when it is short.

    The same seed gives the same batches in the same order, wherever it starts: what resuming rests on.
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
            # Of its own: a loader draws a seed from the global generator when it starts, and dropout after a resumed
            # start would differ.
            generator=torch.Generator().manual_seed(seed),
        )
        yield from loader


def order_of(num_examples: int, batch: int, *, seed: int, epoch: int) -> list[int]:
    """The examples of one epoch in their order: whole batches; with fewer examples than a batch, some twice."""
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
    """The same at most `most` samples of that split every time, in batches."""
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
    """The examples of a split for this model, and what makes a batch of them with the model's argument names."""
    task: Any = import_module(TASKS[spec.task].module)
    inputs = spec.sizes[size].inputs
    found: Examples = task.examples(inputs, source, seed=seed, split=split)
    make = task.collate_for(inputs) if hasattr(task, "collate_for") else collate
    return found, partial(_named, make, spec)


def _named(make: Callable[..., Batch], spec: ModelSpec, rows: Sequence[Any]) -> Batch:
    """A function of its own, not a closure: it travels to the loader's worker processes."""
    return renamed(spec, make(rows))


def moved(batch: Batch, device: str) -> Batch:
    """The batch on that device."""
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
