"""Bytes of keys and values by formula: from a model's configuration alone, independent of the tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from diagnostics.fit.memory import Use, cache
from diagnostics.fit.source import transformer_of

DECODERS: Final = {
    "hidden_size": "d_model",
    "num_attention_heads": "decoder_attention_heads",
    "num_hidden_layers": "decoder_layers",
}
"""Extent -> what the family of BART calls that of its decoder."""


def config_of(module: Any) -> dict[str, Any]:
    """Return the extents by which the bytes are computed: of a model of transformers its configuration, of any other
    its `cache_extents`, by the same names; empty if it tells none.
    """
    if not hasattr(module, "config"):
        return dict(getattr(module, "cache_extents", {}))
    told = dict(module.config.to_dict())
    return {**told, **{name: told[own] for name, own in DECODERS.items() if own in told}}


def bytes_of(config: Mapping[str, Any], *, dtype: str, batch: int) -> Callable[[int], int | None]:
    """Return the function: tokens in the cache of each sample -> bytes of the whole cache, or None where the
    configuration tells too little.

    2 x layers x key-value heads x head size x batch x tokens x bytes, in sliding layers at most the window. Behind an
    encoder `tokens` are those decoded and those of its input: each has keys and values in every layer of the decoder.
    """
    try:
        shape = transformer_of(dict(config))
    except ValueError:
        return lambda tokens: None

    def found(tokens: int) -> int | None:
        size = cache(shape, Use(context=tokens, batch=batch, cache_dtype=dtype))
        # That formula takes the input to be as long as the context, and so has every token twice.
        share = 0.5 if shape.has_cross_attention else 1.0
        return round(share * size.low) if size.is_exact else None

    return found
