"""The speech model: wav2vec 2.0 with a CTC head, from the transformers library with random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suite import presets
from suite.lifecycle import Finetuning, Pruning, Training
from suite.nets.transformers_models import from_config, from_hub
from suite.spec import Export, ModelSpec, Size

UNDISTURBED: Final = {
    "apply_spec_augment": False,
    "layerdrop": 0.0,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.0,
}
"""For tiny: two layers of width 64 learn nothing in a brief training with dropout, layer drop or masking."""

MODELS: Final = (
    ModelSpec(
        name="wav2vec2",
        family="speech",
        task="speech_recognition",
        build=from_config("wav2vec2", "Wav2Vec2ForCTC"),
        pretrained=from_hub("wav2vec2", "Wav2Vec2ForCTC", "facebook/wav2vec2-base-960h"),
        sizes={
            # The seven strides stay (320 samples a frame), so that tiny keeps the published frame rate.
            "tiny": Size(
                training=Training(
                    learning_rate=0.003,
                    warmup=0.2,
                    steps=600,
                    batch=16,
                    clip=5.0,
                    weight_decay=0.0,
                    patience=12,
                    margin=5.0,
                ),
                finetuning=Finetuning(
                    steps=80,
                    learning_rate=0.004,
                    rates={"partial": 0.004},
                    batch=16,
                    lora=("q_proj", "v_proj"),
                    lora_rate=0.002,
                ),
                pruning=Pruning(
                    method="heads",
                    parameters_left=0.75,
                    macs_left=0.7,
                    recovery_steps=220,
                    learning_rate=0.003,
                    max_drop=8.0,
                ),
                quantization=replace(presets.TINY_DYNAMIC, operators=("MatMul", "Gemm")),
                build={
                    "vocab_size": 32,
                    "hidden_size": 64,
                    "num_hidden_layers": 2,
                    "num_attention_heads": 4,
                    "intermediate_size": 128,
                    "conv_dim": (32,) * 7,
                    "num_conv_pos_embeddings": 16,
                    "num_conv_pos_embedding_groups": 4,
                    "initializer_range": 0.125,
                    **UNDISTURBED,
                },
                inputs={"length": 8_000},
            ),
            # The library's defaults are wav2vec2-base.
            "base": Size(
                training=presets.ATTENTION_TRAINING,
                finetuning=replace(presets.ATTENTION_FINETUNING, lora=("q_proj", "v_proj")),
                pruning=presets.HEADS,
                quantization=replace(presets.DYNAMIC, operators=("MatMul", "Gemm")),
                build={"vocab_size": 32},
                inputs={"length": 16_000},
            ),
        },
        outputs=("logits",),
        parameters=94_396_320,
        source="https://huggingface.co/facebook/wav2vec2-base-960h",
        requires=("transformers.models.wav2vec2.modeling_wav2vec2",),
        head=("lm_head",),
        export=Export(dynamic={"input_values": {0: "batch", 1: "samples"}}),
        tags=("encoder", "attention", "audio"),
    ),
)
