"""Reads what is known of a model: from a folder, config.json, safetensors headers, an ONNX graph or a number."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from diagnostics.fit import families
from diagnostics.fit.memory import BITS
from diagnostics.fit.shape import NOTHING, Interval, LatentCache, Model, Transformer
from diagnostics.model.safetensors_file import HEADER_LIMIT, ITEM_BITS

_NUMBER = re.compile(r"^\s*(\d+(?:[._]\d+)*)\s*([kmbt]?)\s*$", re.IGNORECASE)
_SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_OUTSIDE = re.compile(
    r"embed|wte|wpe|lm_head|shared\.weight|norm|ln_|layernorm|bias$|router|\bgate\.weight",
    re.IGNORECASE,
)
"""Names of tensors that quantization to 8 or 4 bits usually leaves as they are."""
_STORED = {
    "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8", "F8_E5M2": "float8",
    "I8": "int8", "U8": "int4", "I32": "int4", "F4": "int4", "F64": "float64",
    "float": "float32", "double": "float64", "int8": "int8", "uint8": "int8",
    "int4": "int4", "uint4": "int4",
}  # fmt: skip
"""Stored types as the tables of `memory` name them; 4-bit weights are packed into bytes or words."""


class Unreadable(ValueError):
    """The target is no model that can be read; the text says why and what was expected."""


def read(target: str) -> Model:
    """Return what is known of the model that a number, a file or a folder names. Raises Unreadable."""
    found = _NUMBER.match(target)
    if found and not Path(target).exists():
        return _from_number(target, found)
    path = Path(target).expanduser()
    try:
        if path.is_dir():
            return _from_folder(path)
        if path.suffix == ".json":
            return _from_json(path)
        if path.suffix == ".safetensors":
            return _from_safetensors((path,), None)
        if path.suffix == ".onnx":
            return _from_onnx(path)
    except OSError as error:
        raise Unreadable(f"cannot read {target}: {error.strerror or error}") from None
    raise Unreadable(
        f"{target}: expected a config.json, a .safetensors or .onnx file, a folder with them, "
        "or a number of parameters such as 7B"
    )


def _from_number(target: str, found: re.Match[str]) -> Model:
    digits = found[1].replace("_", "")
    scale = _SCALES[found[2].lower()]
    value = float(digits) * scale
    # "7B" is a rounded name: half of its last digit either way.
    half = 0.5 * 10 ** -len(digits.partition(".")[2]) * scale if scale > 1 else 0.0
    return Model(
        source=target,
        how="a number of parameters, rounded" if half else "a number of parameters",
        parameters=Interval(low=value - half, high=value + half),
        # From 1% (70B) to 30% (270M with a large vocabulary) of the parameters are embeddings.
        small=Interval(low=0.01 * value, high=0.30 * value),
        notes=(
            "activations and the key-value cache need the model's extents: give its config.json",
        ),
    )


def _from_folder(folder: Path) -> Model:
    config = folder / "config.json"
    weights = tuple(sorted(folder.glob("*.safetensors")))
    if weights:
        return _from_safetensors(weights, config if config.is_file() else None)
    if config.is_file():
        return _from_json(config)
    graphs = tuple(sorted(folder.glob("*.onnx")))
    if len(graphs) == 1:
        return _from_onnx(graphs[0])
    raise Unreadable(f"{folder}: holds neither config.json nor .safetensors, nor one .onnx file")


def _load(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Unreadable(f"{path}: is no JSON ({error})") from None
    if not isinstance(data, dict):
        raise Unreadable(f"{path}: expected a JSON object, got {type(data).__name__}")
    return data


def _from_json(path: Path) -> Model:
    data = _load(path)
    table = data.get("weight_map")
    if isinstance(table, dict):
        parts = tuple(sorted({path.parent / str(name) for name in table.values()}))
        config = path.parent / "config.json"
        return _from_safetensors(parts, config if config.is_file() else None)
    return from_config(data, str(path))


def from_config(data: dict[str, object], source: str) -> Model:
    """Return what a config.json tells. Raises Unreadable where extents are missing."""
    inner, notes = _text_part(data)
    stored = _said_dtype(data) or _said_dtype(inner)
    try:
        counted = families.parameters(inner)
        transformer = transformer_of(inner)
        if counted is not None:
            total, small = (Interval.exact(value) for value in counted)
            how = f"the formula of {inner.get('model_type')}"
        else:
            total, small = _guess(inner)
            how = f"an estimate: {inner.get('model_type') or 'this family'} has no formula here"
    except ValueError as error:
        raise Unreadable(f"{source}: {error}: expected the config.json of a transformer") from None
    if notes:
        total = Interval(low=total.low, high=math.inf)
    return Model(
        source=source,
        how=how,
        parameters=total,
        small=small,
        stored_dtype=stored,
        transformer=transformer,
        notes=notes,
    )


def _text_part(data: dict[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
    """The language model of a multimodal config; what stands beside it is named, not counted."""
    inner = data.get("text_config")
    if not isinstance(inner, dict) or "hidden_size" not in inner:
        return data, ()
    others = [
        key for key, value in data.items() if key.endswith("_config") and isinstance(value, dict)
    ]
    beside = [
        key.removesuffix("_config")
        for key in others
        if key not in ("text_config", "quantization_config")
    ]
    notes = (f"the {' and '.join(beside)} part is not counted: a lower bound",) if beside else ()
    return inner, notes


def _said_dtype(data: dict[str, object]) -> str:
    quantization = data.get("quantization_config")
    if isinstance(quantization, dict):
        bits = quantization.get("bits") or quantization.get("weight_bits")
        if bits == 4 or quantization.get("load_in_4bit"):
            return "int4"
        if bits == 8 or quantization.get("load_in_8bit"):
            return "int8"
        if str(quantization.get("quant_method", "")).startswith("fp8"):
            return "float8"
        if quantization.get("quant_method") == "mxfp4":
            return "int4"
    said = str(data.get("dtype") or data.get("torch_dtype") or "").removeprefix("torch.")
    return said if said in BITS else ""


def transformer_of(config: dict[str, object]) -> Transformer:
    """Return the extents of a config. Raises ValueError with the field that is missing."""
    kind = str(config.get("model_type", ""))
    if kind == "t5":
        config = {**config, "num_attention_heads": config.get("num_heads"), "head_dim": config.get("d_kv"),
                  "num_hidden_layers": config.get("num_decoder_layers") or config.get("num_layers")}  # fmt: skip
    e = families.extents(config)
    active = families.number(config, "num_experts_per_tok", 0)
    width = families.number(config, "moe_intermediate_size", e.i) if active else e.i
    latent = None
    if rank := families.number(config, "kv_lora_rank"):
        rope = families.number(config, "qk_rope_head_dim")
        plain, value = (
            families.number(config, name) for name in ("qk_nope_head_dim", "v_head_dim")
        )
        latent = LatentCache(compressed=rank + rope, expanded=e.heads * (plain + rope + value))
    return Transformer(
        hidden=e.h,
        layers=e.layers,
        heads=e.heads,
        kv_heads=e.kv_heads,
        head_size=e.head,
        intermediate=width * max(1, active),
        vocabulary=e.vocabulary,
        has_cache=kind not in families.ENCODERS,
        windows=_windows(config, e.layers),
        latent=latent,
        has_cross_attention=bool(config.get("is_encoder_decoder")) or kind == "t5",
        positions=families.number(config, "max_position_embeddings"),
    )


def _windows(config: dict[str, object], layers: int) -> tuple[int | None, ...]:
    """Tokens kept by each layer that has a cache growing with the context."""
    window = families.number(config, "sliding_window") or families.number(
        config, "attention_chunk_size"
    )
    kinds = config.get("layer_types")
    if isinstance(kinds, list) and kinds:
        attending = [
            str(kind) for kind in kinds if "attention" in str(kind) and "linear" not in str(kind)
        ]
        return tuple(None if "full" in kind or not window else window for kind in attending)
    if not window or config.get("use_sliding_window") is False:
        return ()
    every = {"gemma2": 2, "gpt_oss": 2}.get(str(config.get("model_type")))
    every = every or families.number(config, "sliding_window_pattern")
    if every:
        return tuple(None if (layer + 1) % every == 0 else window for layer in range(layers))
    # qwen2 names the field also where only some layers, or none, slide.
    if "use_sliding_window" in config:
        first = families.number(config, "max_window_layers", layers)
        return tuple(window if layer >= first else None for layer in range(layers))
    return (
        (window,) * layers
        if config.get("model_type") in ("mistral", "phi3", "starcoder2", "mixtral")
        else ()
    )


def _guess(config: dict[str, object]) -> tuple[Interval, Interval]:
    """Bounds for a family without a formula: two or three matrices, tied or not, every expert counted."""
    e = families.extents(config)
    block = families.attention(e, qkv_bias=False, out_bias=False)[0]
    experts = next(
        (count for name in ("n_routed_experts", "num_experts", "num_local_experts")
         if (count := families.number(config, name))), 0)  # fmt: skip
    width = families.number(config, "moe_intermediate_size", e.i) if experts else e.i
    if families.number(config, "kv_lora_rank"):
        block = _latent_attention(config, e)
    few = families.feed_forward(e.h, width, gated=bool(experts), bias=False)[0] * max(1, experts)
    many = families.feed_forward(e.h, width, gated=True, bias=False)[0] * (
        experts + 4 if experts else 1
    )
    embedding = e.vocabulary * e.h
    # Layers that attend otherwise (convolutions, state spaces) can lack a matrix or have one more.
    low = 0.85 * e.layers * (block + few) + embedding
    high = 1.15 * e.layers * (block + many) + 2 * embedding
    return Interval(low=low, high=high), Interval(low=embedding, high=2.1 * embedding)


def _latent_attention(config: dict[str, object], e: families.Extents) -> int:
    """Matrices of multi-head latent attention: down and up for queries, keys and values, and out."""
    rope, plain, value, rank, query = (
        families.number(config, name)
        for name in (
            "qk_rope_head_dim",
            "qk_nope_head_dim",
            "v_head_dim",
            "kv_lora_rank",
            "q_lora_rank",
        )
    )
    asking = e.heads * (rope + plain)
    queries = e.h * query + query * asking if query else e.h * asking
    return queries + e.h * (rank + rope) + rank * e.heads * (plain + value) + e.heads * value * e.h


def _from_safetensors(parts: Iterable[Path], config: Path | None) -> Model:
    sizes: Counter[str] = Counter()
    total = small = 0
    files = tuple(parts)
    for path in files:
        for name, count, dtype in _header(path):
            sizes[dtype] += count * ITEM_BITS.get(dtype, 8)
            total += count
            small += count if _OUTSIDE.search(name) else 0
    known = from_config(_load(config), str(config)) if config else None
    commonest = _STORED.get(sizes.most_common(1)[0][0], "") if sizes else ""
    stored = known.stored_dtype if known and known.stored_dtype == "int4" else commonest
    return Model(
        source=str(files[0].parent if len(files) > 1 else files[0]),
        how=f"the headers of {len(files)} safetensors file{'s' if len(files) > 1 else ''}",
        # Packed 4-bit weights: what the headers count are bytes or words, not parameters.
        parameters=known.parameters if known and stored == "int4" else Interval.exact(total),
        small=Interval.exact(small),
        stored_bytes=sum(sizes.values()) // 8,
        stored_dtype=stored,
        transformer=known.transformer if known else None,
        notes=() if known else ("no config.json beside it: activations and cache are not known",),
    )


def _header(path: Path) -> list[tuple[str, int, str]]:
    """(name, number of elements, type) of every tensor. Raises Unreadable."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= HEADER_LIMIT:
            raise Unreadable(
                f"{path}: its header is damaged; python -m diagnostics model {path} says more"
            )
        try:
            table = json.loads(file.read(length))
            return [
                (name, math.prod(entry["shape"]), str(entry["dtype"]))
                for name, entry in table.items()
                if name != "__metadata__"
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unreadable(
                f"{path}: its header is damaged; python -m diagnostics model {path} says more"
            ) from None


def _from_onnx(path: Path) -> Model:
    import mmap

    from diagnostics.model import graph
    from diagnostics.model.wire import WireError

    with path.open("rb") as file:
        try:
            with (
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image,
                memoryview(image) as view,
            ):
                stored = graph.read(view).main.stored
        except (WireError, ValueError) as error:
            raise Unreadable(f"{path}: is no ONNX model ({error})") from None
    if not stored:
        raise Unreadable(f"{path}: holds no weights; python -m diagnostics model {path} says more")
    sizes: Counter[str] = Counter()
    total = small = 0
    for name, tensor in stored.items():
        count = math.prod(tensor.dims)
        kind = tensor.type.removeprefix("tensor(").removesuffix(")")
        sizes[kind] += round(
            count * (BITS.get(_STORED.get(kind, kind)) or _ONNX_BITS.get(kind, 32))
        )
        total += count
        small += count if len(tensor.dims) < 2 or _OUTSIDE.search(name) else 0
    kind = sizes.most_common(1)[0][0]
    return Model(
        source=str(path),
        how="the stored tensors of the ONNX graph",
        parameters=Interval.exact(total),
        small=Interval.exact(small),
        stored_bytes=sum(sizes.values()) // 8,
        stored_dtype=_STORED.get(kind, kind if kind in BITS else ""),
        notes=(
            "activations depend on the inputs' extents and on the engine: not counted, a lower bound",
        ),
    )


_ONNX_BITS = {
    "int64": 64,
    "uint64": 64,
    "int32": 32,
    "uint32": 32,
    "bool": 8,
    "int16": 16,
    "uint16": 16,
}
__all__ = ["NOTHING", "Unreadable", "from_config", "read", "transformer_of"]
