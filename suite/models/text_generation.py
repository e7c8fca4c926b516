"""The language models: classes of the transformers library with random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suite import presets
from suite.lifecycle import Finetuning, Training
from suite.nets.transformers_models import from_config, from_hub
from suite.spec import Export, ModelSpec, Size
from suite.text_inputs import IDS, PACKED_INPUT, TINY, requires, text_inputs

FIRST: Final = Training(learning_rate=0.002, steps=150, batch=24, margin=8.0)
SECOND: Final = Finetuning(steps=30, learning_rate=0.001, rates={"partial": 0.004}, batch=24)
UNITS: Final = replace(
    presets.FEED_FORWARD, recovery_steps=80, learning_rate=0.001, max_drop=8.0, round_to=1
)
"""For all three models at tiny."""
FIRST_AT_BASE: Final = replace(presets.ATTENTION_TRAINING, learning_rate=0.0006, steps=300)
"""Beating token frequencies takes longer than learning them: 120 steps sufficed on one machine and not on another."""

NO_LINEAR: Final[tuple[str, ...]] = ()
"""GPT-2 uses Conv1D, which torchao ignores; its only nn.Linear is tied to the embeddings."""

MODELS: Final = (
    ModelSpec(
        name="gpt2",
        family="text",
        task="language_modeling",
        build=from_config("gpt2", "GPT2LMHeadModel"),
        pretrained=from_hub("gpt2", "GPT2LMHeadModel", "openai-community/gpt2", use_cache=False),
        sizes={
            "tiny": Size(
                training=replace(FIRST, parallel=("ddp", "fsdp")),
                finetuning=replace(SECOND, lora=("c_attn",)),
                pruning=UNITS,
                quantization=replace(presets.TINY_DYNAMIC, torchao=NO_LINEAR),
                build={
                    "vocab_size": TINY,
                    "n_positions": 160,
                    "n_embd": 64,
                    "n_layer": 2,
                    "n_head": 4,
                    "use_cache": False,
                    **IDS,
                },
                inputs=text_inputs(vocabulary=TINY, length=64, longest=160),
            ),
            "base": Size(
                training=replace(FIRST_AT_BASE, parallel=("ddp", "fsdp")),
                finetuning=replace(presets.ATTENTION_FINETUNING, lora=("c_attn",)),
                pruning=presets.FEED_FORWARD,
                quantization=replace(presets.DYNAMIC, torchao=NO_LINEAR),
                build={"vocab_size": 50257, "use_cache": False, **IDS},
                inputs=text_inputs(vocabulary=50257, length=128, longest=1024),
            ),
        },
        outputs=("logits",),
        parameters=124_439_808,
        source="https://huggingface.co/openai-community/gpt2",
        requires=requires("gpt2"),
        head=("lm_head",),
        export=Export(dynamic=PACKED_INPUT),
        tags=("decoder", "attention", "generative"),
    ),
    ModelSpec(
        name="llama",
        family="text",
        task="language_modeling",
        build=from_config("llama", "LlamaForCausalLM"),
        pretrained=from_hub(
            "llama", "LlamaForCausalLM", "HuggingFaceTB/SmolLM-135M", use_cache=False
        ),
        sizes={
            "tiny": Size(
                training=FIRST,
                finetuning=replace(SECOND, lora=("q_proj", "v_proj")),
                pruning=UNITS,
                quantization=presets.TINY_DYNAMIC,
                build={
                    "vocab_size": TINY,
                    "hidden_size": 72,
                    "intermediate_size": 144,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 9,
                    "num_key_value_heads": 3,
                    "max_position_embeddings": 160,
                    "tie_word_embeddings": True,
                    "use_cache": False,
                    **IDS,
                },
                inputs=text_inputs(vocabulary=TINY, length=64, longest=160),
            ),
            "base": Size(
                training=FIRST_AT_BASE,
                finetuning=replace(presets.ATTENTION_FINETUNING, lora=("q_proj", "v_proj")),
                pruning=presets.FEED_FORWARD,
                quantization=presets.DYNAMIC,
                build={
                    "vocab_size": 49152,
                    "hidden_size": 576,
                    "intermediate_size": 1536,
                    "num_hidden_layers": 30,
                    "num_attention_heads": 9,
                    "num_key_value_heads": 3,
                    "max_position_embeddings": 2048,
                    "rms_norm_eps": 1e-5,
                    "tie_word_embeddings": True,
                    "use_cache": False,
                    **IDS,
                },
                inputs=text_inputs(vocabulary=49152, length=128, longest=2048),
            ),
        },
        outputs=("logits",),
        parameters=134_515_008,
        source="https://huggingface.co/HuggingFaceTB/SmolLM-135M",
        requires=requires("llama"),
        head=("lm_head",),
        export=Export(dynamic=PACKED_INPUT),
        tags=("decoder", "attention", "generative", "grouped_query"),
    ),
)
