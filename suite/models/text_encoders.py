"""Text encoders for masked language modelling and question answering: classes of the transformers library."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suite import presets
from suite.lifecycle import Finetuning, Pruning, Training
from suite.nets.transformers_models import from_config, from_hub
from suite.spec import Export, ModelSpec, Size
from suite.text_inputs import IDS, MASKED_INPUT, TINY, requires, text_inputs

UNDROPPED: Final = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""Two layers of width 64 learn little in a brief training with dropout 0.1."""
TINY_ENCODER: Final = {
    **UNDROPPED,
    "vocab_size": TINY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 160,
    "initializer_range": 0.125,
    **IDS,
}
"""0.125 = 1/sqrt(64): with the published 0.02, made for a width of 768, all inputs get nearly the same output."""
BERT_BASE: Final = {"vocab_size": 30522, **IDS}
"""The library's defaults are bert-base-uncased."""
HEADS: Final = Pruning(
    method="heads",
    parameters_left=0.75,
    macs_left=0.7,
    recovery_steps=200,
    learning_rate=0.0015,
    max_drop=8.0,
)
"""For tiny."""

FILLING: Final = replace(presets.ATTENTION_TRAINING, learning_rate=0.0001, steps=300, batch=16)
"""For base: from random weights to better than the token frequencies."""
ANSWERING: Final = replace(
    presets.ATTENTION_TRAINING, learning_rate=0.00005, steps=300, batch=16, overfit_rate=0.00003
)


MODELS: Final = (
    ModelSpec(
        name="bert",
        family="text",
        task="masked_language_modeling",
        build=from_config("bert", "BertForMaskedLM"),
        pretrained=from_hub("bert", "BertForMaskedLM", "google-bert/bert-base-uncased"),
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.003, steps=250, batch=32, patience=9, margin=10.0
                ),
                finetuning=Finetuning(
                    steps=30,
                    learning_rate=0.0015,
                    rates={"partial": 0.006},
                    batch=32,
                    lora=("query", "value"),
                ),
                pruning=HEADS,
                quantization=presets.TINY_DYNAMIC,
                build={**TINY_ENCODER, "initializer_range": 0.05},
                inputs=text_inputs(vocabulary=TINY, length=32, longest=160),
            ),
            "base": Size(
                training=FILLING,
                finetuning=replace(presets.ATTENTION_FINETUNING, lora=("query", "value")),
                pruning=presets.HEADS,
                quantization=presets.DYNAMIC,
                build=BERT_BASE,
                inputs=text_inputs(vocabulary=30522, length=128, longest=512),
            ),
        },
        outputs=("logits",),
        parameters=109_514_298,
        source="https://huggingface.co/google-bert/bert-base-uncased",
        requires=requires("bert"),
        export=Export(dynamic=MASKED_INPUT),
        tags=("encoder", "attention"),
    ),
    ModelSpec(
        name="bert_qa",
        family="text",
        task="question_answering",
        build=from_config("bert", "BertForQuestionAnswering"),
        pretrained=from_hub("bert", "BertForQuestionAnswering", "google-bert/bert-base-uncased"),
        sizes={
            "tiny": Size(
                training=Training(learning_rate=0.003, steps=250, batch=16, margin=4.0),
                finetuning=Finetuning(
                    steps=30,
                    learning_rate=0.0015,
                    rates={"partial": 0.006},
                    batch=16,
                    lora=("query", "value"),
                ),
                pruning=HEADS,
                quantization=presets.TINY_DYNAMIC,
                build=TINY_ENCODER,
                inputs=text_inputs(vocabulary=TINY, length=96, longest=160),
            ),
            "base": Size(
                training=ANSWERING,
                finetuning=replace(
                    presets.ATTENTION_FINETUNING,
                    learning_rate=0.00005,
                    rates={"partial": 0.002},
                    lora=("query", "value"),
                    lora_rate=0.001,
                ),
                pruning=replace(presets.HEADS, learning_rate=0.00005),
                quantization=presets.DYNAMIC,
                build=BERT_BASE,
                inputs=text_inputs(vocabulary=30522, length=128, longest=512),
            ),
        },
        outputs=("start_logits", "end_logits"),
        parameters=108_893_186,
        source="https://huggingface.co/google-bert/bert-base-uncased",
        requires=requires("bert"),
        head=("qa_outputs",),
        export=Export(
            dynamic={
                **MASKED_INPUT,
                "token_type_ids": {0: "batch", 1: "sequence"},
            }
        ),
        tags=("encoder", "attention"),
    ),
)
