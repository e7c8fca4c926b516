"""Counts the parameters of a transformer from its `config.json`, for the families that the tables know.

The formulas follow the modules of transformers: one line of a table per family, one term per kind of weight. A
field's name in place of a value is looked up in the config.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Config = Mapping[str, object]
Flag = bool | str
"""A value, or the config's field that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """How the layers of a family are made; hidden width h, heads x head size a, key-value heads x head size k."""

    gated: bool = True
    """Three matrices of h x i in the feed-forward part, else two."""
    qkv_bias: Flag = False
    out_bias: Flag = False
    mlp_bias: Flag = False
    norms: int = 2
    """Norms of width h per layer."""
    norm_bias: bool = False
    qk_norm: str = ""
    """`head`: one norm of the head size for queries and one for keys; `all`: of widths a and k."""
    final_norm: int = 1
    tied: bool = False
    """Input and output share the embedding, where the config does not say."""
    head_bias: bool = False
    positions: int = -1
    """Learned positions: rows beyond the longest context; -1 for none."""
    experts: str = ""
    """The field with the number of experts."""
    expert_width: str = "intermediate_size"
    shared_width: str = ""
    """The field with the width of the expert that every token uses."""
    shared_gate: bool = False
    sinks: bool = False
    """One learned number per head (gpt-oss); its experts and its router have biases."""


_PLAIN = Decoder(
    gated=False, qkv_bias=True, out_bias=True, mlp_bias=True, norm_bias=True, tied=True
)
_LLAMA = Decoder(qkv_bias="attention_bias", out_bias="attention_bias", mlp_bias="mlp_bias")
_MIXTRAL = Decoder(experts="num_local_experts")

DECODERS: dict[str, Decoder] = {
    "llama": _LLAMA,
    "smollm3": _LLAMA,
    "granite": _LLAMA,
    "mistral": Decoder(),
    "ministral": Decoder(),
    "phi3": Decoder(),
    "gemma": Decoder(qkv_bias="attention_bias", out_bias="attention_bias", tied=True),
    "gemma2": Decoder(qkv_bias="attention_bias", out_bias="attention_bias", norms=4, tied=True),
    "gemma3_text": Decoder(
        qkv_bias="attention_bias", out_bias="attention_bias", norms=4, qk_norm="head", tied=True
    ),
    "qwen2": Decoder(qkv_bias=True),
    "qwen3": Decoder(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="head"),
    "olmo": Decoder(qkv_bias="attention_bias", out_bias="attention_bias", norms=0, final_norm=0),
    "olmo2": Decoder(qkv_bias="attention_bias", out_bias="attention_bias", qk_norm="all"),
    "cohere": Decoder(qkv_bias="attention_bias", out_bias="attention_bias", norms=1, tied=True),
    "stablelm": Decoder(qkv_bias="use_qkv_bias", norm_bias=True),
    "starcoder2": Decoder(
        gated=False,
        qkv_bias="use_bias",
        out_bias="use_bias",
        mlp_bias="use_bias",
        norm_bias=True,
        tied=True,
    ),
    "phi": Decoder(
        gated=False,
        qkv_bias=True,
        out_bias=True,
        mlp_bias=True,
        norms=1,
        norm_bias=True,
        head_bias=True,
    ),
    "gpt_neox": Decoder(
        gated=False,
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        mlp_bias=True,
        norm_bias=True,
    ),
    "gpt2": Decoder(
        gated=False,
        qkv_bias=True,
        out_bias=True,
        mlp_bias=True,
        norm_bias=True,
        tied=True,
        positions=0,
    ),
    "opt": Decoder(
        gated=False,
        qkv_bias="enable_bias",
        out_bias="enable_bias",
        mlp_bias="enable_bias",
        norm_bias=True,
        tied=True,
        positions=2,
    ),
    "mixtral": _MIXTRAL,
    "qwen2_moe": Decoder(
        qkv_bias=True,
        experts="num_experts",
        expert_width="moe_intermediate_size",
        shared_width="shared_expert_intermediate_size",
        shared_gate=True,
    ),
    "qwen3_moe": Decoder(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        qk_norm="head",
        experts="num_experts",
        expert_width="moe_intermediate_size",
    ),
    "gpt_oss": Decoder(
        qkv_bias="attention_bias",
        out_bias="attention_bias",
        experts="num_local_experts",
        sinks=True,
    ),
}
"""By `model_type`."""
TRUE_UNLESS_SAID = frozenset({"enable_bias", "use_bias"})
"""Fields whose default is true."""
_TRUE_FOR = {"gpt_neox": "attention_bias", "gpt_oss": "attention_bias"}
"""Families in which a field that is else false by default is true."""
ALIASES: dict[str, tuple[str, ...]] = {
    "hidden_size": ("n_embd", "d_model", "dim"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("n_head", "n_heads", "num_heads"),
    "intermediate_size": ("n_inner", "ffn_dim", "hidden_dim", "d_ff"),
    "max_position_embeddings": ("n_positions",),
    "num_experts": ("num_local_experts",),
    "num_local_experts": ("num_experts",),
}
"""Names that older families give the same extent."""


def number(config: Config, name: str, fallback: int = 0) -> int:
    """Return an extent of the config under any of its names, `fallback` where it is missing or null."""
    for key in (name, *ALIASES.get(name, ())):
        value = config.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return fallback


def flag(config: Config, value: Flag) -> bool:
    """Return a flag of a family: itself, or the config's field of that name."""
    if isinstance(value, bool):
        return value
    is_default = value in TRUE_UNLESS_SAID or _TRUE_FOR.get(str(config.get("model_type"))) == value
    return bool(config.get(value, is_default))


@dataclass(frozen=True, slots=True, kw_only=True)
class Extents:
    """The extents that all formulas take."""

    h: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    i: int
    vocabulary: int

    @property
    def a(self) -> int:
        """Width of the queries."""
        return self.heads * self.head

    @property
    def k(self) -> int:
        """Width of the keys, and of the values."""
        return self.kv_heads * self.head


def extents(config: Config) -> Extents:
    """Return the extents of a config. Raises ValueError with the field that is missing."""
    h = number(config, "hidden_size")
    heads = number(config, "num_attention_heads")
    layers = number(config, "num_hidden_layers")
    for name, value in (
        ("hidden_size", h),
        ("num_attention_heads", heads),
        ("num_hidden_layers", layers),
    ):
        if value <= 0:
            raise ValueError(f"the config has no {name}")
    return Extents(
        h=h,
        layers=layers,
        heads=heads,
        kv_heads=_kv_heads(config, heads),
        head=number(config, "head_dim") or h // heads,
        i=number(config, "intermediate_size") or 4 * h,
        vocabulary=number(config, "vocab_size"),
    )


def _kv_heads(config: Config, heads: int) -> int:
    """Return the heads of keys and values: `multi_query` is the older way to say one for all."""
    alone = 1 if config.get("multi_query") and not config.get("new_decoder_architecture") else heads
    return number(config, "num_key_value_heads", alone) or alone


def parameters(config: Config) -> tuple[int, int] | None:
    """Return (all parameters, those outside of the layers' matrices), None for an unknown family.

    Raises ValueError where a field is missing.
    """
    kind = str(config.get("model_type", ""))
    if kind in DECODERS:
        return _decoder(config, DECODERS[kind])
    counter = COUNTERS.get(kind)
    return counter(config) if counter else None


def attention(e: Extents, *, qkv_bias: bool, out_bias: bool) -> tuple[int, int]:
    """Return (weights, biases) of one attention: h(a + 2k) + ah, and a + 2k and h."""
    biases = (e.a + 2 * e.k if qkv_bias else 0) + (e.h if out_bias else 0)
    return e.h * (e.a + 2 * e.k) + e.a * e.h, biases


def feed_forward(h: int, i: int, *, gated: bool, bias: bool) -> tuple[int, int]:
    """Return (weights, biases): 3hi gated, else 2hi."""
    return (3 if gated else 2) * h * i, ((2 if gated else 1) * i + h) if bias else 0


def _decoder(config: Config, family: Decoder) -> tuple[int, int]:
    e = extents(config)
    weights, rest = attention(
        e,
        qkv_bias=flag(config, family.qkv_bias),
        out_bias=flag(config, family.out_bias),
    )
    experts, biases = (
        _experts(config, family, e)
        if family.experts
        else feed_forward(e.h, e.i, gated=family.gated, bias=flag(config, family.mlp_bias))
    )
    norm = e.h * (2 if family.norm_bias else 1)
    rest += biases + family.norms * norm
    rest += {"head": 2 * e.head, "all": e.a + e.k}.get(family.qk_norm, 0)
    rest += e.heads if family.sinks else 0
    outside = e.vocabulary * e.h + family.final_norm * norm
    if not config.get("tie_word_embeddings", family.tied):
        outside += e.vocabulary * e.h
    outside += e.vocabulary if family.head_bias else 0
    if family.positions >= 0:
        outside += (number(config, "max_position_embeddings") + family.positions) * e.h
    small = e.layers * rest + outside
    return e.layers * (weights + experts) + small, small


def _experts(config: Config, family: Decoder, e: Extents) -> tuple[int, int]:
    count = number(config, family.experts)
    if not count:
        raise ValueError(f"the config has no {family.experts}")
    weights, biases = feed_forward(
        e.h, number(config, family.expert_width, e.i), gated=True, bias=family.sinks
    )
    total, rest = count * weights, count * biases + count * e.h + (count if family.sinks else 0)
    if family.shared_width:
        total += feed_forward(e.h, number(config, family.shared_width), gated=True, bias=False)[0]
        rest += e.h if family.shared_gate else 0
    return total, rest


def _bert(config: Config) -> tuple[int, int]:
    """BERT and RoBERTa with their pooler: word, position and type embeddings, layers with biases."""
    e = extents(config)
    weights, biases = attention(e, qkv_bias=True, out_bias=True)
    mlp, mlp_biases = feed_forward(e.h, e.i, gated=False, bias=True)
    rows = (
        e.vocabulary + number(config, "max_position_embeddings") + number(config, "type_vocab_size")
    )
    pooler = e.h * e.h + e.h
    small = rows * e.h + 2 * e.h + pooler + e.layers * (biases + mlp_biases + 4 * e.h)
    return e.layers * (weights + mlp) + small, small


def _distilbert(config: Config) -> tuple[int, int]:
    e = extents(config)
    weights, biases = attention(e, qkv_bias=True, out_bias=True)
    mlp, mlp_biases = feed_forward(e.h, e.i, gated=False, bias=True)
    rows = e.vocabulary + number(config, "max_position_embeddings")
    small = rows * e.h + 2 * e.h + e.layers * (biases + mlp_biases + 4 * e.h)
    return e.layers * (weights + mlp) + small, small


def _vit(config: Config) -> tuple[int, int]:
    """A vision transformer with its pooler: patches, class token, positions."""
    e = extents(config)
    weights, biases = attention(e, qkv_bias=bool(config.get("qkv_bias", True)), out_bias=True)
    mlp, mlp_biases = feed_forward(e.h, e.i, gated=False, bias=True)
    patch = number(config, "patch_size", 16)
    side = number(config, "image_size", 224) // patch
    embedding = number(config, "num_channels", 3) * patch * patch * e.h + e.h
    outside = embedding + e.h + (side * side + 1) * e.h + 2 * e.h + e.h * e.h + e.h
    small = outside + e.layers * (biases + mlp_biases + 4 * e.h)
    return e.layers * (weights + mlp) + small, small


def _t5(config: Config) -> tuple[int, int]:
    """Encoder and decoder: no biases, one table of relative positions per stack."""
    h, i = number(config, "d_model"), number(config, "d_ff")
    heads, inner = number(config, "num_heads"), number(config, "num_heads") * number(config, "d_kv")
    if not (h and i and heads and inner):
        raise ValueError("the config has no d_model, d_ff, num_heads or d_kv")
    encoder = number(config, "num_layers")
    decoder = number(config, "num_decoder_layers", encoder)
    gated = str(config.get("feed_forward_proj", "relu")).startswith("gated")
    mlp = feed_forward(h, i, gated=gated, bias=False)[0]
    block = 4 * h * inner
    matrices = encoder * (block + mlp) + decoder * (2 * block + mlp)
    table = number(config, "relative_attention_num_buckets", 32) * heads
    small = number(config, "vocab_size") * h * (1 if config.get("tie_word_embeddings", True) else 2)
    small += 2 * table + (2 * encoder + 3 * decoder + 2) * h
    return matrices + small, small


COUNTERS: dict[str, Callable[[Config], tuple[int, int]]] = {
    "bert": _bert,
    "roberta": _bert,
    "xlm-roberta": _bert,
    "distilbert": _distilbert,
    "vit": _vit,
    "t5": _t5,
}
"""Families with a formula of their own."""
ENCODERS = frozenset({"bert", "roberta", "xlm-roberta", "distilbert", "vit"})
"""They keep no cache."""
