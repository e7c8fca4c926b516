"""Worker side. What a turn calls, by the step whose time it takes: a pass, an optimizer step, a batch, a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch

from bench.instruments.dataloader import batches_of
from bench.instruments.generate import TEXT, extents
from bench.instruments.generation_modes import MODES, Need
from bench.instruments.options import DATALOADER, GENERATE, LATENCY, TRAINING
from bench.instruments.training import prepare
from suite.axes import BUILD
from suite.backends.eager import require_device, use_threads
from suite.backends.runnable import Runnable, runnable_for
from suite.data.sources import source_for
from suite.generation.prompts import text_prompts
from suite.origins.find import spec_of
from suite.states.store import module_of
from suite.timing import waiter
from suite.worker.protocol import CellJob, Emit

PROMPT: Final = 32
NEW: Final = 16
"""Tokens that are read, and tokens that are written behind them, in one call; fewer where positions are few."""


def optimizer_step(job: CellJob, emit: Emit) -> Runnable:
    """Return one optimizer step on a batch that is already there."""
    made = prepare(job, emit)
    return Runnable(call=made.step, outputs=list, synchronize=made.synchronize)


def loaded_batch(job: CellJob, emit: Emit) -> Runnable:
    """Return the making of one training batch in this process, without loader workers."""
    use_threads(job)
    emit("phase", name="input")
    batches = batches_of(job, num_workers=0)
    return Runnable(call=lambda: next(batches), outputs=list, synchronize=lambda: None)


def generated_text(job: CellJob, emit: Emit) -> Runnable:
    """Return one request: PROMPT tokens are read and NEW written, the likeliest each time."""
    use_threads(job)
    require_device(job.cell.device)
    spec = spec_of(job)
    emit("phase", name=BUILD)
    built = module_of(job, spec, job.cell.variant)
    limit, vocabulary = extents(spec, job.cell.size, built)
    new = min(NEW, limit // 2) if limit else NEW
    length = min(PROMPT, limit - new) if limit else PROMPT
    need = Need(longest=length + new, agreeing=0, limit=limit, vocabulary=vocabulary)
    with torch.inference_mode():
        decoder = MODES[job.cell.backend][""](job, spec, built, emit, need).open(length + new)
    emit("phase", name="input")
    ids = text_prompts(
        source_for(job.options.sources, TEXT),
        vocabulary=vocabulary,
        length=length,
        number=job.cell.batch,
        seed=job.options.seed,
    ).to(job.cell.device)

    def call() -> Any:
        logits, state = decoder.read(ids, None)
        for _ in range(new - 1):
            logits = decoder.step(logits.argmax(-1, keepdim=True), state)
        return logits

    return Runnable(
        call=call,
        outputs=list,
        synchronize=waiter(job.cell.device),
        inference=torch.inference_mode,
    )


SUBJECTS: Final[Mapping[str, Callable[[CellJob, Emit], Runnable]]] = {
    LATENCY: runnable_for,
    TRAINING: optimizer_step,
    DATALOADER: loaded_batch,
    GENERATE: generated_text,
}
"""Step -> what makes the subject of its turns."""
