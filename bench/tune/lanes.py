"""Lanes: the ways to run one model here, as backend, dtype, state, threads and batch; what is tried by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.output.names import backend_name, variant_name
from suite import units
from suite.axes import (
    BACKENDS,
    CPU,
    DTYPES,
    MEASURED,
    ORIGINAL,
    QUANTIZE,
    REFERENCE,
    VARIANTS,
    is_accelerator,
    root_of,
)
from suite.cell import Cell
from suite.expand import expand, in_place
from suite.results.quantize import Fidelity
from suite.spec import ModelSpec

EVERYWHERE: Final = ("float32", "bfloat16")
"""Dtypes that are tried on a CPU by default: none computes in float16 throughout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a lane costs in quality, against eager PyTorch in float32."""

    drop: float
    """Loss of the metric in points, or percent if it is relative; without a metric the relative error in percent."""
    metric: float | None = None
    fidelity: Fidelity | None = None
    num_samples: int = 0
    """Test samples, or inputs that were compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A lane with its threads: what could be shipped."""

    cell: Cell
    threads: int
    """Intra-op threads; 0 on an accelerator."""
    cost: Cost | None = None
    num_bytes: int | None = None
    outcome: str = "passed"
    """How its preparation ended: a value of `suite.outcome.Outcome`."""
    reason: str = ""
    """Why it was not timed."""
    url: str = ""

    @property
    def label(self) -> str:
        """Unique name, e.g. `mlp-tiny-eager-cpu-float32-b1-t2`."""
        return f"{self.cell.id}-t{self.threads}" if self.threads else self.cell.id

    @property
    def is_eager(self) -> bool:
        """Whether it is what the others have to beat: the reference backend in float32, in the state at the root."""
        cell = self.cell
        return (
            cell.backend == REFERENCE
            and cell.dtype == "float32"
            and root_of(cell.variant) == cell.variant
        )


def title_of(candidate: Candidate, *, has_batches: bool = False) -> str:
    """Return e.g. `int8 on ONNX Runtime, 1 thread`; the batch if `has_batches`."""
    cell = candidate.cell
    parts = [f"{variant_name(cell.variant)} on {backend_name(cell.backend)}"]
    parts += [cell.dtype] if cell.dtype != "float32" else []
    parts += [units.plural(candidate.threads, "thread")] if candidate.threads else []
    parts += [f"batch {cell.batch}"] if has_batches else []
    return ", ".join(parts)


def default_variants(spec: ModelSpec) -> tuple[str, ...]:
    """Return the states that are tried by default: the trained model and all that is made of it, or the model as built
    and what is made of that. A model as built is not pruned, because nothing trains it to recover.
    """
    if spec.is_judged_as_built:
        return (
            ORIGINAL,
            *(row.name for row in VARIANTS.values() if row.replaces and row.stage == QUANTIZE),
        )
    return tuple(name for name in MEASURED if root_of(name) != ORIGINAL)


def default_dtypes(device: str) -> tuple[str, ...]:
    """Return the dtypes that are tried by default on the device."""
    return DTYPES if is_accelerator(device) else EVERYWHERE


def default_threads(num_cores: int) -> tuple[int, ...]:
    """Return 1, the powers of two below the number of cores, and the number of cores."""
    powers = (2**n for n in range(num_cores.bit_length()) if 2**n < num_cores)
    return (*powers, num_cores)


def lanes_of(
    spec: ModelSpec,
    *,
    size: str,
    device: str,
    backends: Sequence[str],
    dtypes: Sequence[str],
    variants: Sequence[str],
    batches: Sequence[int],
    lengths: Sequence[int] = (),
) -> list[Cell]:
    """Return the model's lanes, the reference first, without dtypes that a backend's row does not have.

    The float32 lane of the reference, in the state at the root of the first variant, is among them, whatever is asked
    for: it is what the others have to beat.
    """
    root = root_of(in_place(variants[0], spec))
    cells = expand(
        [spec],
        sizes=[size],
        backends=backends,
        devices=[device],
        dtypes=dtypes,
        batches=batches,
        variants=variants,
        lengths=lengths,
        is_strict=False,
    )
    kept = [cell for cell in cells if cell.dtype in BACKENDS[cell.backend].dtypes]
    first = [
        replace(cell, backend=REFERENCE, dtype="float32", variant=root)
        for cell in dict.fromkeys(
            replace(cell, backend=REFERENCE, dtype="float32", variant=root) for cell in cells
        )
    ]
    return [*dict.fromkeys((*first, *kept))]


def candidates_of(lanes: Sequence[Cell], threads: Sequence[int]) -> list[Candidate]:
    """Return every lane with every number of threads, the most threads first; an accelerator has no threads."""
    return [
        Candidate(cell=cell, threads=number)
        for cell in lanes
        for number in (sorted(threads, reverse=True) if cell.device == CPU else (0,))
    ]
