"""The weights of llama and gpt2, as transformers saves them, in llama.cpp's file format: a peer of generate.py.

`write(folder of save_pretrained, FILE.gguf)`, in an interpreter that has `gguf` and `safetensors`. There is no
vocabulary in it: the peer is given ids. Names of tensors are those of gguf's own table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TURNED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
"""Matrices that gpt2 stores as [inputs, outputs]."""


def write(weights: Path, output: Path) -> None:
    """Write float32 weights; raises KeyError for a model of another kind, or a tensor without a name in the format."""
    import gguf
    from safetensors import safe_open

    told = json.loads((weights / "config.json").read_text())
    kind = {"llama": gguf.MODEL_ARCH.LLAMA, "gpt2": gguf.MODEL_ARCH.GPT2}[told["model_type"]]
    writer = gguf.GGUFWriter(str(output), gguf.MODEL_ARCH_NAMES[kind])
    layers = told["num_hidden_layers" if "num_hidden_layers" in told else "n_layer"]
    _SETTINGS[told["model_type"]](writer, told)
    writer.add_block_count(layers)
    writer.add_vocab_size(told["vocab_size"])
    writer.add_tokenizer_model("none")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    names = gguf.get_tensor_name_map(kind, layers)
    with safe_open(weights / "model.safetensors", "np") as stored:
        for key in stored.keys():  # noqa: SIM118 (not a dict)
            name = names.get_name(key, try_suffixes=(".weight", ".bias"))
            if name is None:
                raise KeyError(f"{key} has no name in the format")
            array = stored.get_tensor(key)
            if key.endswith(TURNED):
                array = array.T.copy()
            if key.endswith(("q_proj.weight", "k_proj.weight")):
                kept = "num_key_value_heads" if "k_proj" in key else "num_attention_heads"
                array = _in_pairs(array, told[kept])
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _in_pairs(array: Any, heads: int) -> Any:
    """Order the rows of a head as llama.cpp rotates them: neighbours, not halves."""
    rows, inputs = array.shape
    halves = array.reshape(heads, 2, rows // heads // 2, inputs)
    return halves.swapaxes(1, 2).reshape(rows, inputs).copy()


def _llama(writer: Any, told: dict[str, Any]) -> None:
    writer.add_context_length(told["max_position_embeddings"])
    writer.add_embedding_length(told["hidden_size"])
    writer.add_feed_forward_length(told["intermediate_size"])
    writer.add_head_count(told["num_attention_heads"])
    writer.add_head_count_kv(told["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(told["rms_norm_eps"])
    turning = told.get("rope_parameters") or {}
    writer.add_rope_freq_base(turning.get("rope_theta") or told.get("rope_theta") or 10_000.0)
    writer.add_rope_dimension_count(told["hidden_size"] // told["num_attention_heads"])


def _gpt2(writer: Any, told: dict[str, Any]) -> None:
    writer.add_context_length(told["n_positions"])
    writer.add_embedding_length(told["n_embd"])
    writer.add_feed_forward_length(told.get("n_inner") or 4 * told["n_embd"])
    writer.add_head_count(told["n_head"])
    writer.add_layer_norm_eps(told["layer_norm_epsilon"])


_SETTINGS = {"llama": _llama, "gpt2": _gpt2}
