"""Compilation of a cell: one fresh process without a cache, and one that finds what the first has left."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from suite.cell import Cell
from suite.record import Record

if TYPE_CHECKING:
    from suite.engine.session import Session

STEP = "compilation"


def compilation_record(session: Session, cell: Cell) -> Record:
    """Return the first process's record with the second's measurement; the first one's failure, if it has one."""
    from bench.instruments.options import CompilationOptions

    began = time.monotonic()
    cache = session.folder.path / "inductor" / cell.file_stem
    try:
        cold = session.job(
            cell, STEP, label=f"{STEP}-cold", options=CompilationOptions(cache=str(cache.resolve()))
        )
        if not cold.outcome.has_run:
            return cold
        kept = session.job(
            cell,
            STEP,
            label=f"{STEP}-cached",
            options=CompilationOptions(cache=str(cache.resolve()), is_kept=True),
        )
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    if not kept.outcome.has_run:
        return kept
    return replace(
        cold,
        measurements=(*cold.measurements, *kept.measurements),
        seconds=time.monotonic() - began,
    )
