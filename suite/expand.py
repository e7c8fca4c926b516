"""Expansion of the user's options into the cells of the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from diagnostics.did_you_mean import did_you_mean
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
    in_place_of,
)
from suite.catalog import CatalogError
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
    is_strict: bool = True,
) -> list[Cell]:
    """Return every combination, model by model, without sizes that a model lacks and variants that do not exist or run.

    `lengths` apply to models that read tokens. For `is_strict` see `sizes_for`.
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
        for size in sizes_for(s, sizes, is_strict=is_strict)
        for device in devices
        for dtype in dtypes
        for batch in batches
        for length in (lengths if reads_tokens(s, size) else ()) or (0,)
        for variant in dict.fromkeys(in_place(v, s) for v in variants)
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
    is_strict: bool = True,
) -> list[Cell]:
    """Return the cells of every model's life: one that makes each of its variants, and one that exports it.

    Weights are made only on the device `train_on`; empty = on each of `devices`.
    """
    cells = []
    for variant in VARIANTS.values():
        makers = (train_on,) if train_on and variant.stage in LEARNED else devices
        is_built = variant.name == ORIGINAL
        wanted = {BUILD} if is_built else {variant.stage}
        owners = [spec for spec in specs if in_place(variant.name, spec) == variant.name]
        # Of models that no training judges, the graph of the model as built is what is shipped.
        exported = [s for s in owners if variant.is_exported or (is_built and s.is_judged_as_built)]
        if variant.is_exported or exported:
            wanted.add(EXPORT)
        if not wanted & set(stages):
            continue
        places = [(variant.backend, makers, owners)]
        if exported and not BACKENDS[variant.backend].needs_graph:
            places.append((ONNXRUNTIME, devices, exported))
        for backend, found, models in places:
            cells += expand(
                models,
                sizes=sizes,
                backends=(backend,),
                devices=found,
                dtypes=dtypes,
                batches=batches,
                variants=(variant.name,),
                is_strict=is_strict,
            )
    place = {spec.name: number for number, spec in enumerate(specs)}
    order = [*sizes, *SIZES]
    return sorted(
        cells,
        key=lambda c: (place[c.model], order.index(c.size), "" if train_on else c.device, c.dtype),
    )


def exists(variant: Variant, spec: ModelSpec, size: str, device: str) -> bool:
    """Return whether the model has the variant: adapters, second recipes, parallel training exist only for some.

    A variant that is a declared gap counts, in order to be reported as a gap.
    """
    if device.partition(":")[0] not in variant.devices:
        return False
    if variant.replaces and not spec.is_judged_as_built:
        return False
    if spec.is_judged_as_built and variant.parent and not can_start(variant, spec):
        return False
    return variant.exists(spec.sizes[size]) or any(g.variant == variant.name for g in spec.gaps)


def can_start(variant: Variant, spec: ModelSpec) -> bool:
    """Return whether every variant on the way to this one exists for a model that is judged as built."""
    parent = VARIANTS[variant.parent]
    return in_place(parent.name, spec) == parent.name and (
        not parent.parent or can_start(parent, spec)
    )


def in_place(variant: str, spec: ModelSpec) -> str:
    """Return the variant that is made when this one is asked for: for a model judged as built, the one made from it."""
    return in_place_of(variant) if spec.is_judged_as_built else variant


def sizes_for(spec: ModelSpec, sizes: Sequence[str], *, is_strict: bool) -> Sequence[str]:
    """Return those of the sizes that the model has; if it has none and not `is_strict`, its own."""
    found = [size for size in sizes if size in spec.sizes]
    return found if found or is_strict else list(spec.sizes)[:1]


def choices(option: str, text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the comma-separated values of an option; raise CatalogError with "did you mean" for an unknown one."""
    names = list(known)
    values = [word for word in text.replace(",", " ").split() if word]
    if not values:
        raise CatalogError(f"{option}: empty; expected one or more of {', '.join(names)}")
    for value in values:
        if value not in names:
            raise CatalogError(f"{option} {value}: unknown{did_you_mean(value, names)}")
    return tuple(dict.fromkeys(values))


def sizes_of(text: str) -> tuple[str, ...]:
    """Return the values of `--size`."""
    return choices("--size", text, SIZES)


def backends_of(text: str) -> tuple[str, ...]:
    """Return the values of `--backend`; `default` means the backends measured by default."""
    if text == "default":
        return DEFAULT_BACKENDS
    return choices("--backend", text, BACKENDS)


def dtypes_of(text: str) -> tuple[str, ...]:
    """Return the values of `--dtype`."""
    return choices("--dtype", text, DTYPES)


def devices_of(text: str, *, num_gpus: int, option: str = "--device") -> tuple[str, ...]:
    """Return the values of `--device`; `auto` is cpu, plus cuda with a GPU. Raise CatalogError for a missing GPU."""
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
    """Return the value of `--train-on`: one device, or empty for each cell's own. Raise CatalogError otherwise."""
    if not text:
        return ""
    if text.partition(":")[0] not in DEVICE_KINDS or len(text.replace(",", " ").split()) != 1:
        raise CatalogError(f"--train-on {text}: expected one device: {_either(*DEVICE_FORMS)}")
    return devices_of(text, num_gpus=num_gpus, option="--train-on")[0]


def variants_of(text: str) -> tuple[str, ...]:
    """Return the values of `--variant`: the measurable states of a model."""
    return choices("--variant", text, MEASURED)


def stages_of(text: str, *, num_processes: int) -> tuple[str, ...]:
    """Return the values of `--stages`; `all` is every stage, but the parallel one only with more than one process."""
    stages = LIFE if text == "all" else choices("--stages", text, LIFE)
    if text != "all" and PARALLEL in stages and num_processes < 2:
        raise CatalogError("--stages parallel: needs --nproc N with 2 or more processes")
    return tuple(stage for stage in stages if stage != PARALLEL or num_processes > 1)


def batches_of(text: str) -> tuple[int, ...]:
    """Return the values of `--batch`: one or more positive numbers."""
    return _numbers("--batch", text, "1,8")


def axes_of(text: str) -> dict[str, int]:
    """Return the values of `--axes`: name -> positive extent. Raise CatalogError for anything else."""
    found = {}
    for word in text.replace(",", " ").split():
        name, _, extent = word.partition("=")
        if not name or not extent.isdigit() or int(extent) < 1:
            raise CatalogError(f"--axes {word}: expected NAME=NUMBER, e.g. batch=1,sequence=128")
        found[name] = int(extent)
    return found


def lengths_of(text: str) -> tuple[int, ...]:
    """Return the values of `--length`: positive numbers; empty if none are given."""
    return _numbers("--length", text, "64,128") if text else ()


def reads_tokens(spec: ModelSpec, size: str) -> bool:
    """Return whether samples of that size are a number of tokens from a vocabulary."""
    return {"vocabulary", "length"} <= set(spec.sizes[size].inputs)


def check_sizes(specs: Sequence[ModelSpec], sizes: Sequence[str], *, is_strict: bool) -> None:
    """Raise CatalogError if a size that the user asked for is of none of the chosen models."""
    for size in sizes:
        if is_strict and not any(size in spec.sizes for spec in specs):
            have = ", ".join(f"{spec.name}: {' and '.join(spec.sizes)}" for spec in specs[:5])
            raise CatalogError(f"--size {size}: none of the chosen models has it ({have})")


def check_lengths(specs: Sequence[ModelSpec], sizes: Sequence[str], lengths: Sequence[int]) -> None:
    """Raise CatalogError if no model reads tokens, or a model has too few positions for a length."""
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
