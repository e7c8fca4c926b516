"""Worker side. A small configuration of a transformers model, derived from its published one by what fields mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

LAYERS, HEADS, WIDTH, INNER, VOCABULARY = 2, 4, 64, 128, 512

SAME: Final[Mapping[int, tuple[str, ...]]] = {
    LAYERS: (
        "num_hidden_layers",
        "n_layer",
        "n_layers",
        "num_layers",
        "encoder_layers",
        "decoder_layers",
        "num_decoder_layers",
        "num_encoder_layers",
        "depth",
        "num_experts_per_tok",
    ),
    HEADS: (
        "num_attention_heads",
        "n_head",
        "n_heads",
        "num_heads",
        "encoder_attention_heads",
        "decoder_attention_heads",
        "attention_heads",
        "num_key_value_heads",
        "num_experts",
        "num_local_experts",
        "n_routed_experts",
        "time_step_rank",
    ),
    WIDTH: (
        "hidden_size",
        "d_model",
        "emb_dim",
        "n_embd",
        "dim",
        "projection_dim",
        "model_dim",
        "embedding_size",
    ),
    INNER: (
        "intermediate_size",
        "encoder_ffn_dim",
        "decoder_ffn_dim",
        "d_ff",
        "n_inner",
        "ffn_dim",
        "hidden_dim",
        "moe_intermediate_size",
        "shared_expert_intermediate_size",
    ),
    WIDTH // HEADS: ("head_dim", "d_kv", "kv_channels"),
    VOCABULARY: ("vocab_size",),
    100: ("max_source_positions",),
}
CAPS: Final = {name: most for most, names in SAME.items() for name in names}
"""Field of a configuration -> its largest value at `tiny`; fields that a configuration lacks are left out."""

LISTS: Final = ("hidden_sizes", "depths", "embed_dims", "neck_hidden_sizes")
"""Fields with one number per stage: models of these stay as published, because stages depend on one another."""


def smaller(config: Any) -> dict[str, Any] | None:
    """Return arguments of a configuration of the same class with few layers, heads and tokens; None if none is smaller.

    Parts of a composed configuration (text, vision) are made smaller each on its own.
    """
    changes = _changes(config.to_dict())
    for name in getattr(config, "sub_configs", None) or {}:
        part = getattr(config, name, None)
        if part is not None and hasattr(part, "to_dict"):
            inner = smaller(part)
            if inner:
                changes[name] = inner
    if any(changes.get(name) is None for name in LISTS if config.to_dict().get(name)):
        return None
    return changes or None


def _changes(fields: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {
        name: most
        for name, most in CAPS.items()
        if isinstance(fields.get(name), int) and fields[name] > most
    }
    layers = changes.get("num_hidden_layers", changes.get("n_layer", changes.get("num_layers")))
    if layers is not None:
        for name, value in fields.items():  # one entry a layer, e.g. layer_types
            if isinstance(value, (list, tuple)) and len(value) == _layers_of(fields):
                changes[name] = _shortened(value, layers)
    if "vocab_size" in changes:
        for name, value in fields.items():
            if name.endswith("token_id") and isinstance(value, int) and value >= VOCABULARY:
                changes[name] = _token(name)
    return changes


def _layers_of(fields: Mapping[str, Any]) -> int:
    for name in ("num_hidden_layers", "n_layer", "num_layers"):
        if isinstance(fields.get(name), int):
            return int(fields[name])
    return -1


def _shortened(values: Iterable[Any], count: int) -> list[Any]:
    """Return `count` entries, of different kinds where there are: a hybrid keeps both its kinds of layer."""
    values = list(values)
    kinds = list(dict.fromkeys(map(str, values)))
    first = [next(v for v in values if str(v) == kind) for kind in kinds]
    return (first + values)[:count]


def _token(name: str) -> int:
    """Return an id of ours for a special token beyond the small vocabulary: padding 0, start 1, end 2, others 3."""
    return {
        "pad_token_id": 0,
        "bos_token_id": 1,
        "decoder_start_token_id": 1,
        "eos_token_id": 2,
    }.get(name, 3)
