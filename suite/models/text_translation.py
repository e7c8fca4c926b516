"""The sequence-to-sequence models: this project's, built from torch.nn.Transformer, and one of the transformers
library.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from suite import presets
from suite.data.bpe import PAD, START
from suite.lifecycle import Finetuning, Pruning, Training
from suite.nets.transformers_models import from_config, from_hub
from suite.spec import Export, ModelSpec, Size
from suite.text_inputs import IDS, PAIR_INPUT, TINY, requires, text_inputs


def _translator(**settings: Any) -> Any:
    from suite.nets.translator import Translator

    return Translator(pad=PAD, **settings)


MODELS: Final = (
    ModelSpec(
        name="transformer",
        family="text",
        task="translation",
        build=_translator,
        sizes={
            "tiny": Size(
                training=Training(learning_rate=0.004, steps=200, batch=16, margin=4.0),
                finetuning=Finetuning(
                    steps=30, learning_rate=0.002, rates={"partial": 0.008}, batch=16
                ),
                pruning=Pruning(
                    method="feed_forward",
                    ratio=0.75,
                    parameters_left=0.9,
                    macs_left=0.9,
                    recovery_steps=80,
                    learning_rate=0.002,
                    max_drop=8.0,
                ),
                quantization=presets.TINY_DYNAMIC,
                build={
                    "vocabulary": TINY,
                    "width": 64,
                    "heads": 4,
                    "layers": 2,
                    "feed_forward": 128,
                    "longest": 160,
                    "dropout": 0.0,
                },
                inputs=text_inputs(vocabulary=TINY, length=32, longest=160),
            ),
            "base": Size(
                training=replace(
                    presets.ATTENTION_TRAINING,
                    learning_rate=0.0001,
                    warmup=0.2,
                    steps=600,
                    batch=16,
                ),
                finetuning=presets.ATTENTION_FINETUNING,
                pruning=replace(presets.FEED_FORWARD, parameters_left=0.9, macs_left=0.9),
                quantization=presets.DYNAMIC,
                build={
                    "vocabulary": 37000,
                    "width": 512,
                    "heads": 8,
                    "layers": 6,
                    "feed_forward": 2048,
                },
                inputs=text_inputs(vocabulary=37000, length=128, longest=512),
            ),
        },
        outputs=("logits",),
        # Table 3 of the paper rounds its base model to 65e6; "about 37000" shared tokens of width 512 and
        # nn.Transformer's biases and two last normalizations give this.
        parameters=63_084_544,
        source="https://arxiv.org/abs/1706.03762",
        requires=("suite.nets.translator",),
        # Traced with two samples or more: with one, torch.export (2.15) takes the batch for a constant in
        # layer_norm, and ONNX Runtime then rejects every other batch.
        head=("transformer.decoder",),
        export=Export(dynamic=PAIR_INPUT),
        tags=("encoder", "decoder", "attention"),
    ),
    ModelSpec(
        name="t5",
        family="text",
        task="translation",
        # t5-small. Eager attention: torch.onnx.export (2.15) cannot view the strided tensors of T5's sdpa path.
        build=from_config("t5", "T5ForConditionalGeneration"),
        pretrained=from_hub(
            "t5",
            "T5ForConditionalGeneration",
            "google-t5/t5-small",
            use_cache=False,
            attn_implementation="eager",
        ),
        sizes={
            "tiny": Size(
                training=Training(learning_rate=0.01, steps=160, batch=16, margin=4.0),
                finetuning=Finetuning(
                    steps=30,
                    learning_rate=0.005,
                    rates={"partial": 0.02},
                    batch=16,
                    lora=("q", "v"),
                ),
                pruning=Pruning(
                    method="feed_forward",
                    ratio=0.75,
                    parameters_left=0.8,
                    macs_left=0.8,
                    recovery_steps=80,
                    learning_rate=0.005,
                    max_drop=8.0,
                ),
                quantization=presets.TINY_DYNAMIC,
                build={
                    "vocab_size": TINY,
                    "d_model": 64,
                    "d_kv": 16,
                    "d_ff": 128,
                    "dropout_rate": 0.0,
                    "num_layers": 2,
                    "num_heads": 4,
                    "use_cache": False,
                    "decoder_start_token_id": START,
                    "attn_implementation": "eager",
                    **IDS,
                },
                inputs=text_inputs(vocabulary=TINY, length=32),
            ),
            "base": Size(
                training=replace(
                    presets.ATTENTION_TRAINING, learning_rate=0.001, steps=600, batch=16
                ),
                finetuning=replace(presets.ATTENTION_FINETUNING, lora=("q", "v")),
                pruning=presets.FEED_FORWARD,
                quantization=presets.DYNAMIC,
                build={
                    "vocab_size": 32128,
                    "use_cache": False,
                    "decoder_start_token_id": START,
                    "attn_implementation": "eager",
                    **IDS,
                },
                inputs=text_inputs(vocabulary=32128, length=128),
            ),
        },
        outputs=("logits", "encoder_last_hidden_state"),
        parameters=60_506_624,
        source="https://huggingface.co/google-t5/t5-small",
        requires=requires("t5"),
        head=("lm_head",),
        export=Export(dynamic=PAIR_INPUT),
        tags=("encoder", "decoder", "attention"),
    ),
)
