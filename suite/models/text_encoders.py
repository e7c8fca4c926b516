"""The text encoders with heads: classes of the transformers library with random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suite import brief
from suite.lifecycle import Finetuning, Pruning, Training
from suite.nets.transformers_models import from_config, from_hub
from suite.reading import IDS, MASKED_INPUT, TINY, requires, text_inputs
from suite.spec import Export, ModelSpec, Size, Tolerance

UNDROPPED: Final = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""Two layers of width 64 learn little in a brief training when a tenth of them is switched off."""
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
WORDS: Final = 4096
"""Vocabulary of the tiny classifiers: what tells their classes apart are words, not pieces of words."""
TINY_CLASSIFIER: Final = {
    **TINY_ENCODER,
    "vocab_size": WORDS,
    "initializer_range": 0.08,
}
"""Looks at all words alike at first: so a brief training finds those that matter."""
BERT_BASE: Final = {"vocab_size": 30522, **IDS}
"""The library's defaults are bert-base-uncased."""
SPREAD: Final = {"initializer_range": 0.04}
"""For classifiers at base: a random model with the published 0.02 looks everywhere alike, so that its one output hardly
depends on the text (2e-3 between two texts) and parity would prove nothing. About 1/sqrt(768) gives 0.05 and more."""

HEADS: Final = Pruning(
    method="heads",
    parameters_left=0.75,
    macs_left=0.7,
    recovery_steps=80,
    learning_rate=0.0015,
    max_drop=8.0,
)
"""At tiny. The classifiers' large vocabulary is most of their parameters, and stays."""
TELLING: Final = Training(
    learning_rate=0.002, steps=300, batch=32, patience=9, test_samples=800, margin=5.0
)
"""The classifiers at tiny."""
TELLING_ANEW: Final = Finetuning(
    steps=20, learning_rate=0.001, rates={"partial": 0.02}, batch=32, lora=("query", "value")
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
                quantization=brief.TINY_DYNAMIC,
                build={**TINY_ENCODER, "initializer_range": 0.05},
                inputs=text_inputs(vocabulary=TINY, length=32, longest=160),
            ),
            "base": Size(
                training=brief.ATTENTION_TRAINING,
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("query", "value")),
                pruning=brief.HEADS,
                quantization=brief.DYNAMIC,
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
        name="bert_classifier",
        family="text",
        task="text_classification",
        build=from_config("bert", "BertForSequenceClassification"),
        pretrained=from_hub(
            "bert", "BertForSequenceClassification", "google-bert/bert-base-uncased"
        ),
        sizes={
            "tiny": Size(
                training=replace(TELLING, parallel=("ddp", "fsdp", "tensor")),
                finetuning=TELLING_ANEW,
                pruning=replace(HEADS, parameters_left=0.95, learning_rate=0.001),
                quantization=brief.TINY_DYNAMIC,
                build=TINY_CLASSIFIER,
                inputs=text_inputs(vocabulary=WORDS, length=96, longest=160, classes=2),
            ),
            "base": Size(
                training=replace(brief.ATTENTION_TRAINING, parallel=("ddp", "fsdp", "tensor")),
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("query", "value")),
                pruning=brief.HEADS,
                quantization=brief.DYNAMIC,
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
        name="bert_qa",
        family="text",
        task="question_answering",
        build=from_config("bert", "BertForQuestionAnswering"),
        pretrained=from_hub("bert", "BertForQuestionAnswering", "google-bert/bert-base-uncased"),
        sizes={
            "tiny": Size(
                training=Training(learning_rate=0.003, steps=150, batch=16, margin=4.0),
                finetuning=Finetuning(
                    steps=30,
                    learning_rate=0.0015,
                    rates={"partial": 0.006},
                    batch=16,
                    lora=("query", "value"),
                ),
                pruning=HEADS,
                quantization=brief.TINY_DYNAMIC,
                build=TINY_ENCODER,
                inputs=text_inputs(vocabulary=TINY, length=96, longest=160),
            ),
            "base": Size(
                training=brief.ATTENTION_TRAINING,
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("query", "value")),
                pruning=brief.HEADS,
                quantization=brief.DYNAMIC,
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
    ModelSpec(
        name="roberta_classifier",
        family="text",
        task="text_classification",
        build=from_config("roberta", "RobertaForSequenceClassification"),
        pretrained=from_hub(
            "roberta", "RobertaForSequenceClassification", "FacebookAI/roberta-base"
        ),
        sizes={
            "tiny": Size(
                training=TELLING,
                finetuning=TELLING_ANEW,
                pruning=replace(HEADS, parameters_left=0.95, learning_rate=0.001),
                quantization=brief.TINY_DYNAMIC,
                build=TINY_CLASSIFIER,
                inputs=text_inputs(vocabulary=WORDS, length=96, longest=160, classes=2),
            ),
            "base": Size(
                training=brief.ATTENTION_TRAINING,
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("query", "value")),
                pruning=brief.HEADS,
                quantization=brief.DYNAMIC,
                # 514 places: RoBERTa counts positions from the padding id on.
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
            "tiny": Size(
                training=TELLING,
                finetuning=replace(TELLING_ANEW, steps=30, rates={"partial": 0.004}),
                pruning=replace(HEADS, parameters_left=0.95, learning_rate=0.001),
                quantization=brief.TINY_DYNAMIC,
                build={**TINY_CLASSIFIER, "embedding_size": 32},
                inputs=text_inputs(vocabulary=WORDS, length=96, longest=160, classes=2),
            ),
            "base": Size(
                training=brief.ATTENTION_TRAINING,
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("query", "value")),
                pruning=brief.HEADS,
                quantization=brief.DYNAMIC,
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
        tolerance=Tolerance(
            rtol=1e-4,
            atol=1e-5,
            reason="untrained and tiny, it answers two texts within 3e-3 of each other, and the graph within 3e-7",
        ),
        tags=("encoder", "attention", "shared_weights"),
    ),
)
