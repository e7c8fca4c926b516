"""From what the user asked for to the cells of the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from suite.axes import BACKENDS, DEVICES, DTYPES, SIZES
from suite.catalog import CatalogError, did_you_mean
from suite.cell import Cell
from suite.spec import ModelSpec


def expand(
    specs: Sequence[ModelSpec],
    *,
    sizes: Sequence[str],
    backends: Sequence[str],
    devices: Sequence[str],
    dtypes: Sequence[str],
    batches: Sequence[int],
) -> list[Cell]:
    """Every combination, model by model; a size that a model does not have is left out."""
    return [
        Cell(model=s.name, size=size, backend=backend, device=device, dtype=dtype, batch=batch)
        for s in specs
        for size in sizes
        if size in s.sizes
        for device in devices
        for dtype in dtypes
        for batch in batches
        for backend in backends
    ]


def choices(option: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """The comma-separated values of an option; raises CatalogError with "did you mean" for an unknown one."""
    names = list(known)
    values = [word for word in text.replace(",", " ").split() if word]
    if not values:
        raise CatalogError(f"{option}: empty; expected one or more of {', '.join(names)}")
    for value in values:
        if value not in names:
            raise CatalogError(f"{option} {value}: unknown{did_you_mean(value, names)}")
    return tuple(dict.fromkeys(values))


def sizes_of(text: str) -> tuple[str, ...]:
    """`--size`."""
    return choices("--size", text, SIZES)


def backends_of(text: str) -> tuple[str, ...]:
    """`--backend`; `default` stands for those measured when none is named."""
    if text == "default":
        return tuple(row.name for row in BACKENDS.values() if row.by_default)
    return choices("--backend", text, BACKENDS)


def dtypes_of(text: str) -> tuple[str, ...]:
    """`--dtype`."""
    return choices("--dtype", text, DTYPES)


def devices_of(text: str, *, num_gpus: int) -> tuple[str, ...]:
    """`--device`: `auto` is cpu and, where there is a GPU, cuda. Raises CatalogError for a GPU that is not there."""
    found: list[str] = []
    for word in text.replace(",", " ").split():
        kind, _, index = word.partition(":")
        if kind not in DEVICES or (index and (kind != "cuda" or not index.isdigit())):
            raise CatalogError(f"--device {word}: unknown; expected auto, cpu, cuda or cuda:N")
        if kind == "cuda" and int(index or 0) >= num_gpus:
            raise CatalogError(
                f"--device {word}: this machine has {num_gpus or 'no'} usable NVIDIA GPU(s);"
                " next: python -m diagnostics"
            )
        found += (["cpu", "cuda"] if num_gpus else ["cpu"]) if kind == "auto" else [word]
    if not found:
        raise CatalogError("--device: empty; expected auto, cpu, cuda or cuda:N")
    return tuple(dict.fromkeys(found))


def batches_of(text: str) -> tuple[int, ...]:
    """`--batch`: one or more positive numbers."""
    words = text.replace(",", " ").split()
    if not words or not all(w.isdigit() and int(w) > 0 for w in words):
        raise CatalogError(
            f"--batch {text!r}: expected one or more positive whole numbers, e.g. 1,8"
        )
    return tuple(dict.fromkeys(int(w) for w in words))
