"""Worker side. Micro-batches: pieces of a batch that fit the memory, whose gradients add up to those of the batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from suite.tasks.batch import Batch

OUT_OF_MEMORY: Final = (
    "out of memory",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
)


def pieces(batch: Batch, most: int) -> Iterator[tuple[Batch, float]]:
    """Yield the batch in pieces of at most `most` samples, each with its share of the samples.

    The gradient of the batch's mean loss is the sum of the pieces' gradients weighted by share, for losses that are a
    mean over samples.
    """
    if batch.num_samples <= most:
        yield batch, 1.0
        return
    for start in range(0, batch.num_samples, most):
        stop = min(start + most, batch.num_samples)
        part = replace(
            batch,
            inputs=_cut(batch.inputs, start, stop),
            targets=_cut(batch.targets, start, stop),
            num_samples=stop - start,
            num_tokens=None,
        )
        yield part, (stop - start) / batch.num_samples


def is_out_of_memory(error: BaseException) -> bool:
    """Return True for an out-of-memory error of the CPU or GPU allocator."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(text in str(error) for text in OUT_OF_MEMORY)
    )


def _cut(value: Any, start: int, stop: int) -> Any:
    """Return samples `start` to `stop` of tensors and lists, also inside mappings."""
    if isinstance(value, Mapping):
        return {key: _cut(item, start, stop) for key, item in value.items()}
    return value if value is None else value[start:stop]
