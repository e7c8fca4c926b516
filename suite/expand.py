"""From what the user asked for to the cells of the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from suite.axes import (
    AUTO,
    BACKENDS,
    BUILD,
    DEFAULT_BACKENDS,
    DEVICE_FORMS,
    DEVICE_KINDS,
    DEVICES,
    DTYPES,
    EXPORT,
    LEARNED,
    LIFE,
    MEASURED,
    ONNXRUNTIME,
    ORIGINAL,
    PARALLEL,
    SIZES,
    VARIANTS,
    Variant,
)
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
    variants: Sequence[str] = (ORIGINAL,),
    lengths: Sequence[int] = (),
) -> list[Cell]:
    """Every combination, model by model; left out are a size that a model does not have, and a variant where it does
    not exist or does not run. `lengths` are for models that read tokens.
    """
    return [
        Cell(
            model=s.name,
            size=size,
            backend=backend,
            device=device,
            dtype=dtype,
            batch=batch,
            length=length,
            variant=variant,
        )
        for s in specs
        for size in sizes
        if size in s.sizes
        for device in devices
        for dtype in dtypes
        for batch in batches
        for length in (lengths if reads_tokens(s, size) else ()) or (0,)
        for variant in variants
        if exists(VARIANTS[variant], s, size, device)
        for backend in backends
        if backend in (VARIANTS[variant].backends or (backend,))
    ]


def expand_life(
    specs: Sequence[ModelSpec],
    *,
    sizes: Sequence[str],
    devices: Sequence[str],
    dtypes: Sequence[str],
    batches: Sequence[int],
    stages: Sequence[str] = LIFE,
    train_on: str = "",
) -> list[Cell]:
    """The cells of every model's life: one where each of its variants is made, and one where it is exported.

    Weights are made on the device `train_on` alone; empty = on every one of `devices`.
    """
    cells = []
    for variant in VARIANTS.values():
        makers = (train_on,) if train_on and variant.stage in LEARNED else devices
        places = {variant.backend: makers}
        if variant.is_exported and not BACKENDS[variant.backend].needs_graph:
            places[ONNXRUNTIME] = devices
        wanted = {BUILD} if variant.name == ORIGINAL else {variant.stage}
        if variant.is_exported:
            wanted.add(EXPORT)
        if wanted & set(stages):
            for backend, found in places.items():
                cells += expand(
                    specs,
                    sizes=sizes,
                    backends=(backend,),
                    devices=found,
                    dtypes=dtypes,
                    batches=batches,
                    variants=(variant.name,),
                )
    place = {spec.name: number for number, spec in enumerate(specs)}
    return sorted(
        cells,
        key=lambda c: (place[c.model], sizes.index(c.size), "" if train_on else c.device, c.dtype),
    )


def exists(variant: Variant, spec: ModelSpec, size: str, device: str) -> bool:
    """Whether the variant is there for this model: adapters, second lanes and parallel trainings are for some; one that
    is a declared gap is there to be shown as one.
    """
    if device.partition(":")[0] not in variant.devices:
        return False
    return variant.exists(spec.sizes[size]) or any(g.variant == variant.name for g in spec.gaps)


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
        return DEFAULT_BACKENDS
    return choices("--backend", text, BACKENDS)


def dtypes_of(text: str) -> tuple[str, ...]:
    """`--dtype`."""
    return choices("--dtype", text, DTYPES)


def devices_of(text: str, *, num_gpus: int, option: str = "--device") -> tuple[str, ...]:
    """`--device`: `auto` is cpu and, where there is a GPU, cuda. Raises CatalogError for a GPU that is not there."""
    found: list[str] = []
    for word in text.replace(",", " ").split():
        kind, _, index = word.partition(":")
        row = DEVICE_KINDS.get(kind)
        is_index = index.isdigit() and row is not None and row.is_numbered
        if kind not in DEVICES or (index and not is_index):
            raise CatalogError(f"{option} {word}: unknown; expected {_either(AUTO, *DEVICE_FORMS)}")
        if row is not None and row.is_accelerator and int(index or 0) >= num_gpus:
            raise CatalogError(
                f"{option} {word}: this machine has {num_gpus or 'no'} usable NVIDIA GPU(s);"
                " next: python -m diagnostics"
            )
        found += (
            [word]
            if row
            else [k.name for k in DEVICE_KINDS.values() if num_gpus or not k.is_accelerator]
        )
    if not found:
        raise CatalogError(f"{option}: empty; expected {_either(AUTO, *DEVICE_FORMS)}")
    return tuple(dict.fromkeys(found))


def train_on_of(text: str, *, num_gpus: int) -> str:
    """`--train-on`: one device, or empty for each cell's own. Raises CatalogError for any other."""
    if not text:
        return ""
    if text.partition(":")[0] not in DEVICE_KINDS or len(text.replace(",", " ").split()) != 1:
        raise CatalogError(f"--train-on {text}: expected one device: {_either(*DEVICE_FORMS)}")
    return devices_of(text, num_gpus=num_gpus, option="--train-on")[0]


def variants_of(text: str) -> tuple[str, ...]:
    """`--variant`: the states of a model that can be measured."""
    return choices("--variant", text, MEASURED)


def stages_of(text: str, *, num_processes: int) -> tuple[str, ...]:
    """`--stages`; `all` is every stage, the parallel one only where there is more than one process to run it."""
    stages = LIFE if text == "all" else choices("--stages", text, LIFE)
    if text != "all" and PARALLEL in stages and num_processes < 2:
        raise CatalogError("--stages parallel: needs --nproc N with 2 or more processes")
    return tuple(stage for stage in stages if stage != PARALLEL or num_processes > 1)


def batches_of(text: str) -> tuple[int, ...]:
    """`--batch`: one or more positive numbers."""
    return _numbers("--batch", text, "1,8")


def lengths_of(text: str) -> tuple[int, ...]:
    """`--length`: positive numbers, or empty for none."""
    return _numbers("--length", text, "64,128") if text else ()


def reads_tokens(spec: ModelSpec, size: str) -> bool:
    """Whether samples of that size are so many tokens of a vocabulary."""
    return {"vocabulary", "length"} <= set(spec.sizes[size].inputs)


def check_lengths(specs: Sequence[ModelSpec], sizes: Sequence[str], lengths: Sequence[int]) -> None:
    """Raises CatalogError when no model reads tokens, or one has no position for that many."""
    readers = [
        (s, size) for s in specs for size in sizes if size in s.sizes if reads_tokens(s, size)
    ]
    if lengths and not readers:
        raise CatalogError(
            f"--length: none of the chosen models reads tokens ({', '.join(s.name for s in specs)})"
        )
    for spec, size in readers:
        longest = spec.sizes[size].inputs.get("longest", 0)
        if longest and lengths and max(lengths) > longest:
            raise CatalogError(
                f"--length {max(lengths)}: {spec.name} at {size} has positions for {longest} tokens"
                " at most. Next: a smaller --length, or --models without it"
            )


def _either(*words: str) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _numbers(option: str, text: str, example: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    if not words or not all(w.isdigit() and int(w) > 0 for w in words):
        raise CatalogError(
            f"{option} {text!r}: expected one or more positive whole numbers, e.g. {example}"
        )
    return tuple(dict.fromkeys(int(w) for w in words))
