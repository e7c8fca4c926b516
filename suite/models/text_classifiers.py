"""Text classifiers: classes of the transformers library with random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suite import presets
from suite.lifecycle import Finetuning, Training
from suite.models.text_encoders import BERT_BASE, HEADS, TINY_ENCODER
from suite.nets.transformers_models import from_config, from_hub
from suite.spec import Export, ModelSpec, Size
from suite.text_inputs import IDS, MASKED_INPUT, requires, text_inputs

WORDS: Final = 4096
"""Vocabulary of the tiny classifiers: whole words, not subwords, distinguish their classes."""
TINY_CLASSIFIER: Final = {
    **TINY_ENCODER,
    "vocab_size": WORDS,
    "initializer_range": 0.08,
}
"""Attention is uniform over all words at first, so that a brief training finds the relevant ones."""
SPREAD: Final = {"initializer_range": 0.04}
"""For classifiers at base: with the published 0.02 a random model attends uniformly, so that its only output hardly
depends on the text (2e-3 between two texts) and parity would prove nothing. About 1/sqrt(768) gives 0.05 and more.
"""

LARGE_VOCABULARY: Final = replace(HEADS, parameters_left=0.95, learning_rate=0.001)
"""At tiny most parameters belong to the vocabulary, which is not pruned."""
TELLING: Final = Training(
    learning_rate=0.002, steps=300, batch=32, patience=9, test_samples=800, margin=5.0
)
"""For the classifiers at tiny."""
TELLING_ANEW: Final = Finetuning(
    steps=20, learning_rate=0.001, rates={"partial": 0.02}, batch=32, lora=("query", "value")
)


AT_BASE: Final = replace(
    presets.ATTENTION_TRAINING,
    learning_rate=0.00003,
    steps=300,
    batch=32,
    overfit_steps=40,
    overfit_rate=0.00003,
)
"""Twelve layers from random weights: sixty steps of eight texts do not separate the classes, and at 1e-4 BERT learns
nothing.
"""
ANEW_AT_BASE: Final = Finetuning(
    steps=40,
    learning_rate=0.00003,
    rates={"partial": 0.001},
    batch=32,
    lora=("query", "value"),
)
HEADS_AT_BASE: Final = replace(presets.HEADS, recovery_steps=200, learning_rate=0.00005)
"""ALBERT, whose twelve layers share weights, is nine points worse after sixty steps at 3e-5."""

PARALLEL: Final = ("ddp", "fsdp", "tensor")
TINY_SIZE: Final = Size(
    training=TELLING,
    finetuning=TELLING_ANEW,
    pruning=LARGE_VOCABULARY,
    quantization=presets.TINY_DYNAMIC,
    build=TINY_CLASSIFIER,
    inputs=text_inputs(vocabulary=WORDS, length=96, longest=160, classes=2),
)
BASE_SIZE: Final = Size(
    training=AT_BASE,
    finetuning=ANEW_AT_BASE,
    pruning=HEADS_AT_BASE,
    quantization=presets.DYNAMIC,
)
"""Each model adds its own `build` and `inputs`."""

MODELS: Final = (
    ModelSpec(
        name="bert_classifier",
        family="text",
        task="text_classification",
        build=from_config("bert", "BertForSequenceClassification"),
        pretrained=from_hub(
            "bert", "BertForSequenceClassification", "google-bert/bert-base-uncased"
        ),
        sizes={
            "tiny": replace(TINY_SIZE, training=replace(TELLING, parallel=PARALLEL)),
            "base": replace(
                BASE_SIZE,
                training=replace(AT_BASE, learning_rate=0.00005, parallel=PARALLEL),
                build={**BERT_BASE, **SPREAD},
                inputs=text_inputs(vocabulary=30522, length=128, longest=512, classes=2),
            ),
        },
        outputs=("logits",),
        parameters=109_483_778,
        source="https://huggingface.co/google-bert/bert-base-uncased",
        requires=requires("bert"),
        head=("classifier",),
        export=Export(dynamic=MASKED_INPUT),
        tags=("encoder", "attention"),
    ),
    ModelSpec(
        name="roberta_classifier",
        family="text",
        task="text_classification",
        build=from_config("roberta", "RobertaForSequenceClassification"),
        pretrained=from_hub(
            "roberta", "RobertaForSequenceClassification", "FacebookAI/roberta-base"
        ),
        sizes={
            "tiny": TINY_SIZE,
            "base": replace(
                BASE_SIZE,
                # 514 positions: RoBERTa counts positions from the padding id on.
                build={
                    "vocab_size": 50265,
                    "max_position_embeddings": 514,
                    "type_vocab_size": 1,
                    "layer_norm_eps": 1e-5,
                    **SPREAD,
                    **IDS,
                },
                inputs=text_inputs(vocabulary=50265, length=128, longest=512, classes=2),
            ),
        },
        outputs=("logits",),
        parameters=124_647_170,
        source="https://huggingface.co/FacebookAI/roberta-base",
        requires=requires("roberta"),
        head=("classifier",),
        export=Export(dynamic=MASKED_INPUT),
        tags=("encoder", "attention"),
    ),
    ModelSpec(
        name="albert_classifier",
        family="text",
        task="text_classification",
        build=from_config("albert", "AlbertForSequenceClassification"),
        pretrained=from_hub("albert", "AlbertForSequenceClassification", "albert/albert-base-v2"),
        sizes={
            "tiny": replace(
                TINY_SIZE,
                finetuning=replace(TELLING_ANEW, steps=15, rates={"partial": 0.004}),
                build={**TINY_CLASSIFIER, "embedding_size": 32},
            ),
            "base": replace(
                BASE_SIZE,
                # The library's defaults are albert-xxlarge; four settings make it albert-base-v2.
                build={
                    "vocab_size": 30000,
                    "hidden_size": 768,
                    "num_attention_heads": 12,
                    "intermediate_size": 3072,
                    **SPREAD,
                    **IDS,
                },
                inputs=text_inputs(vocabulary=30000, length=128, longest=512, classes=2),
            ),
        },
        outputs=("logits",),
        parameters=11_685_122,
        source="https://huggingface.co/albert/albert-base-v2",
        requires=requires("albert"),
        head=("classifier",),
        export=Export(dynamic=MASKED_INPUT),
        tags=("encoder", "attention", "shared_weights"),
    ),
)
