"""`fit` against models that transformers builds: parameters and cache exact, activations within bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diagnostics.fit.memory import Use, cache, parts
from diagnostics.fit.source import read

pytestmark = pytest.mark.heavy
TOLERANCE = 0.01
SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
    "max_position_embeddings": 512,
}
UNGROUPED = ("gpt_neox", "opt", "bert", "roberta", "vit")
"""They have as many key-value heads as heads, and no field that says so."""
MOE = {"moe_intermediate_size": 48, "num_experts": 6, "num_experts_per_tok": 2}
DECODERS: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama tied": {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
    "mistral": {"sliding_window": None},
    "mistral window": {"sliding_window": 128},
    "qwen2": {},
    "qwen3": {"head_dim": 32},
    "gemma": {"head_dim": 32},
    "gemma2": {"head_dim": 32, "sliding_window": 128},
    "gemma3_text": {"head_dim": 32, "sliding_window": 128, "num_hidden_layers": 6},
    "phi3": {"pad_token_id": 0},
    "olmo": {},
    "olmo2": {},
    "granite": {},
    "smollm3": {"pad_token_id": 0},
    "cohere": {},
    "stablelm": {},
    "starcoder2": {},
    "phi": {},
    "gpt_neox": {},
    "gpt2": {
        "n_embd": 64,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 512,
        "vocab_size": 300,
        "attn_pdrop": 0.0,
    },
    "opt": {"ffn_dim": 160, "word_embed_proj_dim": 64},
    "mixtral": {"num_local_experts": 4},
    "qwen2_moe": MOE | {"shared_expert_intermediate_size": 80},
    "qwen3_moe": MOE | {"head_dim": 16},
    "gpt_oss": {"num_local_experts": 4, "head_dim": 16, "sliding_window": 128},
}
ENCODERS: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {},
    "distilbert": {"dim": 64, "n_layers": 4, "n_heads": 4, "hidden_dim": 160},
    "vit": {"image_size": 32, "patch_size": 8},
    "t5": {
        "d_model": 64,
        "d_ff": 160,
        "num_heads": 4,
        "d_kv": 16,
        "num_layers": 3,
        "vocab_size": 300,
    },
}


def config_of(name: str, sizes: dict[str, Any]) -> Any:
    from transformers import AutoConfig

    kind = name.split()[0]
    given = {} if kind in ("gpt2", "distilbert", "t5") else dict(SIZES)
    if kind in UNGROUPED:
        del given["num_key_value_heads"]
    return AutoConfig.for_model(kind, **(given | sizes))


def written(config: Any, folder: Path) -> str:
    path = folder / "config.json"
    path.write_text(config.to_json_string(use_diff=False))
    return str(path)


@pytest.mark.parametrize("name", DECODERS)
def test_parameters_and_cache_of_a_decoder_are_those_of_the_built_model(
    name: str, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    config = config_of(name, DECODERS[name])
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    found = read(written(config, tmp_path))
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert found.parameters.is_exact
    assert found.parameters.low == pytest.approx(counted, rel=TOLERANCE)

    batch, context = 3, 200
    with torch.no_grad():
        kept = model(torch.randint(0, 300, (batch, context)), use_cache=True).past_key_values
    held = sum(
        tensor.numel() * tensor.element_size()
        for layer in kept.layers
        for tensor in (layer.keys, layer.values)
    )
    assert found.transformer is not None
    size = cache(found.transformer, Use(dtype="float32", context=context, batch=batch))
    assert size.low == size.high == pytest.approx(held, rel=TOLERANCE)


@pytest.mark.parametrize("name", ENCODERS)
def test_parameters_of_an_encoder_are_those_of_the_built_model(name: str, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoModelForSeq2SeqLM

    config = config_of(name, ENCODERS[name])
    build = AutoModelForSeq2SeqLM if name == "t5" else AutoModel
    with torch.device("meta"):
        model = build.from_config(config)
    counted = sum(parameter.numel() for parameter in model.parameters())
    found = read(written(config, tmp_path))
    assert found.parameters.low == found.parameters.high == pytest.approx(counted, rel=TOLERANCE)


def test_the_cache_of_an_encoder_decoder_holds_both_attentions(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSeq2SeqLM

    config = config_of("t5", ENCODERS["t5"])
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    tokens = torch.randint(1, 300, (2, 100))
    with torch.no_grad():
        kept = model(input_ids=tokens, decoder_input_ids=tokens, use_cache=True).past_key_values
    halves = (kept.self_attention_cache, kept.cross_attention_cache)
    held = sum(
        4 * (layer.keys.numel() + layer.values.numel()) for half in halves for layer in half.layers
    )
    transformer = read(written(config, tmp_path)).transformer
    assert transformer is not None
    size = cache(transformer, Use(dtype="float32", context=100, batch=2))
    assert size.low == pytest.approx(held, rel=TOLERANCE)


def test_the_headers_of_a_saved_model_give_its_very_bytes(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(config_of("llama", {}))
    model.save_pretrained(tmp_path)
    found = read(str(tmp_path))
    held = sum(p.numel() * p.element_size() for p in model.parameters())
    (weights, *_) = parts(found, Use(dtype="float32"))
    assert weights.size.low == weights.size.high == held
    assert found.parameters.low == held / 4
    assert found.transformer is not None


# gpt2's dropout of scores would keep them on a CPU, under sdpa too: it is off in its row above.
@pytest.mark.parametrize(
    "name, attention, context",
    [
        ("llama", "sdpa", 64),
        ("llama", "eager", 256),
        ("qwen3", "sdpa", 256),
        ("gemma2", "eager", 128),
        ("gpt2", "sdpa", 256),
        ("gpt_neox", "eager", 128),
        ("gpt_neox", "sdpa", 64),
    ],
)
def test_what_autograd_keeps_lies_within_the_bounds(
    name: str, attention: str, context: int, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    config = config_of(name, DECODERS[name])
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).train()
    tokens = torch.randint(0, 300, (2, context))
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    held: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(tokens, labels=tokens, use_cache=False).loss
    found = read(written(config, tmp_path))
    use = Use(training=True, dtype="float32", context=context, batch=2, attention=attention)
    (activations,) = (p for p in parts(found, use) if p.name == "activations")
    kept = sum(held.values())
    assert activations.size.low <= kept <= activations.size.high, (
        kept / activations.size.low,
        kept / activations.size.high,
    )
    loss.backward()
    gradients = sum(
        p.grad.numel() * p.grad.element_size() for p in model.parameters() if p.grad is not None
    )
    (stated,) = (p for p in parts(found, use) if p.name == "gradients")
    assert stated.size.low == pytest.approx(gradients, rel=TOLERANCE)


def test_the_states_of_an_optimizer_are_as_large_as_stated(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    config = config_of("llama", {})
    model = AutoModelForCausalLM.from_config(config)
    for name, build in (
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        ("sgd-momentum", lambda params: torch.optim.SGD(params, momentum=0.9)),
    ):
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer = build(model.parameters())
        optimizer.step()
        held = sum(
            value.numel() * value.element_size()
            for state in optimizer.state.values()
            for value in state.values()
            if torch.is_tensor(value) and value.numel() > 1
        )
        use = Use(training=True, dtype="float32", optimizer=name)
        found = parts(read(written(config, tmp_path)), use)
        (states,) = (p for p in found if p.name == "optimizer")
        assert states.size.low == pytest.approx(held, rel=TOLERANCE, abs=1)


def test_an_onnx_file_is_counted_by_its_stored_tensors(tmp_path: Path) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.zeros((64, 32), np.float32), "w")
    bias = numpy_helper.from_array(np.zeros(32, np.float32), "b")
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])],
        [weight, bias],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph), path)
    found = read(str(path))
    assert found.parameters.low == 64 * 32 + 32
    assert found.stored_bytes == 4 * (64 * 32 + 32)
    assert json.dumps(found.notes)
