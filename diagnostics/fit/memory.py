"""Adds up the memory of a model on a card, each part with its formula and, where it is an estimate, two bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from diagnostics.fit.shape import NOTHING, Interval, Model, Transformer

GIB = 1 << 30
BITS: dict[str, float] = {
    "float64": 64,
    "float32": 32,
    "float16": 16,
    "bfloat16": 16,
    "float8": 8,
    "int8": 8,
    "int4": 4,
}
"""Bits per weight of the types that `--dtype` takes."""
SCALES: dict[str, tuple[float, float]] = {
    "int8": (0.0, 0.5),
    "int4": (0.125, 0.75),
    "float8": (0.0, 0.3),
}
"""Bits per weight for scales and zero points: none to one 16-bit pair per 64 (int8), one 16-bit scale per 128 to
a 32-bit scale and a zero point per 64 (int4), one 32-bit scale per row to one 8-bit scale per 32 (float8)."""
OPTIMIZERS: dict[str, float] = {"adamw": 2, "adamw8bit": 0.5, "sgd-momentum": 1, "sgd": 0}
"""Optimizer -> its states per trained parameter, in units of the parameter (8-bit states: two bytes beside four)."""
RUNTIME = Interval(low=0.25 * GIB, high=1.0 * GIB)
"""CUDA's context with the kernels that are loaded, and cuBLAS's and cuDNN's workspaces."""
FRAGMENTED = 0.10
"""Share of activations and cache that the caching allocator may hold beside them, in the upper bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How the model is to be used."""

    training: bool = False
    dtype: str = "bfloat16"
    """Of the weights; `mixed` trains float32 weights with 16-bit activations."""
    cache_dtype: str = ""
    """Of the key-value cache; that of the activations when empty."""
    context: int = 2048
    batch: int = 1
    attention: str = "sdpa"
    """`sdpa` never holds the scores of all pairs of tokens, `eager` does."""
    optimizer: str = "adamw"
    trainable: float = 1.0
    """Share of the parameters that is trained: below 1 for adapters."""
    checkpointing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of the memory."""

    name: str
    size: Interval
    """Bytes."""
    formula: str


def activation_bytes(use: Use) -> int:
    """Return the bytes of one element of an activation."""
    return {"float64": 8, "float32": 4}.get(use.dtype, 2)


def parts(model: Model, use: Use) -> tuple[Part, ...]:
    """Return every part of the memory; what the model's source does not tell is left out, with a note there."""
    found = [_weights(model, use)]
    if use.training:
        found += _training_states(model, use)
    transformer = model.transformer
    if transformer is not None:
        if not use.training and transformer.has_cache:
            found.append(
                Part(
                    name="key-value cache",
                    size=cache(transformer, use),
                    formula=_cache_formula(transformer),
                )
            )
        found.append(
            _training_activations(transformer, use)
            if use.training
            else _inference_activations(transformer, use)
        )
    moving = sum(
        (part.size.high for part in found if part.name in ("activations", "key-value cache")), 0.0
    )
    found.append(Part(
        name="runtime",
        size=RUNTIME + Interval(low=0.0, high=FRAGMENTED * moving),
        formula="CUDA context and workspaces, 0.25 to 1 GiB; up to 10% of activations and cache lost to fragments",
    ))  # fmt: skip
    return tuple(found)


def total(found: tuple[Part, ...]) -> Interval:
    """Return the sum of the parts."""
    whole = NOTHING
    for part in found:
        whole += part.size
    return whole


def _weights(model: Model, use: Use) -> Part:
    dtype = "float32" if use.dtype == "mixed" else use.dtype
    if model.stored_bytes is not None and dtype == model.stored_dtype:
        return Part(
            name="weights", size=Interval.exact(model.stored_bytes), formula="bytes in the file"
        )
    bits, count = BITS[dtype], model.parameters
    if dtype not in SCALES:
        return Part(
            name="weights", size=count.times(bits / 8), formula=f"parameters x {bits / 8:g} bytes"
        )
    low, high = SCALES[dtype]
    small = model.small
    packed = Interval(low=count.low - small.high, high=count.high - small.low)
    size = packed.times((bits + low) / 8, (bits + high) / 8) + small.times(2)
    # The split is unknown for a bare number: more in 16 bits means less in few bits, never both bounds at once.
    both = (
        [(count.low - share) * (bits + low) / 8 + 2 * share for share in (small.low, small.high)],
        [(count.high - share) * (bits + high) / 8 + 2 * share for share in (small.low, small.high)],
    )
    return Part(
        name="weights",
        size=Interval(low=max(size.low, min(both[0])), high=min(size.high, max(both[1]))),
        formula=f"matrices x {bits:g} bits + scales of {low:g} to {high:g} bits; embeddings and norms x 2 bytes",
    )


def _training_states(model: Model, use: Use) -> list[Part]:
    trained = model.parameters.times(use.trainable)
    each = {"float32": 4, "mixed": 4, "float64": 8}.get(use.dtype, 2)
    share = "" if use.trainable == 1 else f" x {use.trainable:g} trained"
    states = OPTIMIZERS[use.optimizer] * (4 if use.optimizer == "adamw8bit" else each)
    return [
        Part(
            name="gradients", size=trained.times(each), formula=f"parameters{share} x {each} bytes"
        ),
        Part(
            name="optimizer",
            size=trained.times(states),
            formula=f"{use.optimizer}: parameters{share} x {states:g} bytes",
        ),
    ]


def cache(transformer: Transformer, use: Use) -> Interval:
    """Return the bytes of keys and values for the whole context."""
    each = BITS[use.cache_dtype] / 8 if use.cache_dtype else activation_bytes(use)
    windows = transformer.windows or (None,) * transformer.layers
    tokens = sum(min(use.context, window or use.context) for window in windows)
    if transformer.latent is not None:
        low, high = transformer.latent.compressed, transformer.latent.expanded
        return Interval(low=low, high=high).times(use.batch * tokens * each)
    per_token = 2 * transformer.kv_heads * transformer.head_size
    # Keys and values of the encoder's output are as long as its input, taken to be the context.
    crossing = transformer.layers * use.context if transformer.has_cross_attention else 0
    return Interval.exact(per_token * use.batch * (tokens + crossing) * each)


def _cache_formula(transformer: Transformer) -> str:
    if transformer.latent is not None:
        return "batch x tokens x (compressed, or expanded per head) x bytes, per layer"
    windowed = ", at most the window in sliding layers" if any(transformer.windows) else ""
    crossing = ", twice for cross attention" if transformer.has_cross_attention else ""
    return f"2 x layers x key-value heads x head size x batch x context x bytes{windowed}{crossing}"


def _inference_activations(transformer: Transformer, use: Use) -> Part:
    """From one token at a time to the whole prompt at once; only the largest layer's live at a time."""
    t, each = transformer, activation_bytes(use)
    width, kept = t.heads * t.head_size, t.kv_heads * t.head_size
    logits = use.batch * t.vocabulary
    least = use.batch * (2 * t.hidden + width + 2 * t.intermediate) * each + logits * each
    tokens = use.batch * use.context
    # Residual, normed input in float32, queries, keys and values (repeated per head), output; gate, up, product.
    most = tokens * (
        (4 * t.hidden + 2 * width + 2 * kept + 2 * width + 3 * t.intermediate) * each + 8 * t.hidden
    )
    most += logits * (each + 8)
    if not t.has_cache:
        least = tokens * (2 * t.hidden + t.intermediate) * each
    if use.attention == "eager":
        pairs = use.batch * t.heads * use.context**2
        least += pairs * each if not t.has_cache else 0
        most += pairs * (2 * each + 4)
    return Part(
        name="activations",
        size=Interval(low=least, high=most),
        formula="the largest layer, from one token to the whole prompt at once, and one token's logits",
    )


def _training_activations(transformer: Transformer, use: Use) -> Part:
    """What autograd keeps until the backward pass, per layer and token, and the logits of every token."""
    t, each = transformer, activation_bytes(use)
    width, kept = t.heads * t.head_size, t.kv_heads * t.head_size
    tokens = use.batch * use.context
    least = (4 * t.hidden + 2 * width + 2 * kept + 2 * t.intermediate) * each
    # Norms in float32, keys and values repeated per head, rotated copies, dropout masks, a product more.
    most = (
        8 * t.hidden + 4 * width + 4 * kept + 2 * width + 6 * t.intermediate
    ) * each + 16 * t.hidden
    if use.attention == "eager":
        pairs = t.heads * use.context
        least, most = least + pairs * each, most + pairs * (2 * each + 5)
    low, high = tokens * least * t.layers, tokens * most * t.layers
    if use.checkpointing:
        low = tokens * (t.hidden * each * t.layers + least)
        high = tokens * (2 * t.hidden * each * t.layers + most)
    frozen = 0.5 if use.trainable < 1 else 1.0
    logits = tokens * t.vocabulary
    return Part(
        name="activations",
        size=Interval(low=low * frozen + logits * each, high=high + logits * (2 * each + 12)),
        formula="tokens x layers x (norms, queries, keys, values, feed-forward)"
        + (", inputs of layers and one layer (checkpointing)" if use.checkpointing else "")
        + "; logits of every token, their float32 copy and gradient",
    )


def largest_context(model: Model, use: Use, room: float, limit: int = 1 << 21) -> int:
    """Return the longest context whose upper bound stays within `room` bytes, 0 for none."""
    from dataclasses import replace

    def fits(context: int) -> bool:
        return total(parts(model, replace(use, context=context))).high <= room

    if not fits(1):
        return 0
    low, high = 1, limit
    while low < high:
        middle = math.ceil((low + high) / 2)
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
