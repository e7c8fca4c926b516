"""The text models: encoders with heads, sequence-to-sequence models and language models.

All but `transformer` are classes of the transformers library with random weights; the special ids (padding 0, start 1,
end 2) are those of our own tokenizer, so that real text goes in without a download.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from suite import brief
from suite.data.bpe import END, PAD, START
from suite.lifecycle import Finetuning, Pruning, Training
from suite.nets.transformers_models import from_config, from_hub
from suite.spec import Export, ModelSpec, Size, Tolerance

IDS: Final = {"pad_token_id": PAD, "bos_token_id": START, "eos_token_id": END}
"""Where the published tokenizers have other ids, ours win: they change no shape and no parameter."""

TINY: Final = 512
"""Vocabulary of the tiny models; half of it are the single bytes. So few tokens are seen often in a brief training."""

MASKED_INPUT: Final = {
    "input_ids": {0: "batch", 1: "sequence"},
    "attention_mask": {0: "batch", 1: "sequence"},
}
PAIR_INPUT: Final = {
    "input_ids": {0: "batch", 1: "source"},
    "attention_mask": {0: "batch", 1: "source"},
    "decoder_input_ids": {0: "batch", 1: "target"},
}
PACKED_INPUT: Final = {"input_ids": {0: "batch", 1: "sequence"}}
"""Language models read packed text without padding, so they need no mask and take the causal fast path."""


def _requires(family: str) -> tuple[str, ...]:
    """What the first forward of this family would import; measured with sys.modules before and after."""
    return (f"transformers.models.{family}.modeling_{family}",)


def _text(*, vocabulary: int, length: int, longest: int = 0, **more: Any) -> dict[str, Any]:
    """The `inputs` of a size: BPE vocabulary of the model, tokens per sample, the most that it has positions for (0 =
    any number), and what the task wants beside.
    """
    return {"vocabulary": vocabulary, "length": length, "longest": longest, **more}


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


def _translator(**settings: Any) -> Any:
    from suite.nets.translator import Translator

    return Translator(pad=PAD, **settings)


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
                pruning=Pruning(
                    method="heads",
                    parameters_left=0.75,
                    macs_left=0.7,
                    recovery_steps=80,
                    learning_rate=0.0015,
                    max_drop=8.0,
                ),
                quantization=brief.TINY_DYNAMIC,
                build={**TINY_ENCODER, "initializer_range": 0.05},
                inputs=_text(vocabulary=TINY, length=32, longest=160),
            ),
            "base": Size(
                training=brief.ATTENTION_TRAINING,
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("query", "value")),
                pruning=brief.HEADS,
                quantization=brief.DYNAMIC,
                build=BERT_BASE,
                inputs=_text(vocabulary=30522, length=128, longest=512),
            ),
        },
        outputs=("logits",),
        parameters=109_514_298,
        source="https://huggingface.co/google-bert/bert-base-uncased",
        requires=_requires("bert"),
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
                training=Training(
                    learning_rate=0.002,
                    steps=300,
                    batch=32,
                    patience=9,
                    test_samples=800,
                    margin=5.0,
                    parallel=("ddp", "fsdp", "tensor"),
                ),
                finetuning=Finetuning(
                    steps=20,
                    learning_rate=0.001,
                    rates={"partial": 0.02},
                    batch=32,
                    lora=("query", "value"),
                ),
                pruning=Pruning(
                    method="heads",
                    parameters_left=0.95,
                    macs_left=0.7,
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=8.0,
                ),
                quantization=brief.TINY_DYNAMIC,
                build=TINY_CLASSIFIER,
                inputs=_text(vocabulary=WORDS, length=96, longest=160, classes=2),
            ),
            "base": Size(
                training=replace(brief.ATTENTION_TRAINING, parallel=("ddp", "fsdp", "tensor")),
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("query", "value")),
                pruning=brief.HEADS,
                quantization=brief.DYNAMIC,
                build={**BERT_BASE, **SPREAD},
                inputs=_text(vocabulary=30522, length=128, longest=512, classes=2),
            ),
        },
        outputs=("logits",),
        parameters=109_483_778,
        source="https://huggingface.co/google-bert/bert-base-uncased",
        requires=_requires("bert"),
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
                pruning=Pruning(
                    method="heads",
                    parameters_left=0.75,
                    macs_left=0.7,
                    recovery_steps=80,
                    learning_rate=0.0015,
                    max_drop=8.0,
                ),
                quantization=brief.TINY_DYNAMIC,
                build=TINY_ENCODER,
                inputs=_text(vocabulary=TINY, length=96, longest=160),
            ),
            "base": Size(
                training=brief.ATTENTION_TRAINING,
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("query", "value")),
                pruning=brief.HEADS,
                quantization=brief.DYNAMIC,
                build=BERT_BASE,
                inputs=_text(vocabulary=30522, length=128, longest=512),
            ),
        },
        outputs=("start_logits", "end_logits"),
        parameters=108_893_186,
        source="https://huggingface.co/google-bert/bert-base-uncased",
        requires=_requires("bert"),
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
                training=Training(
                    learning_rate=0.002,
                    steps=300,
                    batch=32,
                    patience=9,
                    test_samples=800,
                    margin=5.0,
                ),
                finetuning=Finetuning(
                    steps=20,
                    learning_rate=0.001,
                    rates={"partial": 0.02},
                    batch=32,
                    lora=("query", "value"),
                ),
                pruning=Pruning(
                    method="heads",
                    parameters_left=0.95,
                    macs_left=0.7,
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=8.0,
                ),
                quantization=brief.TINY_DYNAMIC,
                build=TINY_CLASSIFIER,
                inputs=_text(vocabulary=WORDS, length=96, longest=160, classes=2),
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
                inputs=_text(vocabulary=50265, length=128, longest=512, classes=2),
            ),
        },
        outputs=("logits",),
        parameters=124_647_170,
        source="https://huggingface.co/FacebookAI/roberta-base",
        requires=_requires("roberta"),
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
                training=Training(
                    learning_rate=0.002,
                    steps=300,
                    batch=32,
                    patience=9,
                    test_samples=800,
                    margin=5.0,
                ),
                finetuning=Finetuning(
                    steps=30,
                    learning_rate=0.001,
                    rates={"partial": 0.004},
                    batch=32,
                    lora=("query", "value"),
                ),
                pruning=Pruning(
                    method="heads",
                    parameters_left=0.95,
                    macs_left=0.7,
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=8.0,
                ),
                quantization=brief.TINY_DYNAMIC,
                build={**TINY_CLASSIFIER, "embedding_size": 32},
                inputs=_text(vocabulary=WORDS, length=96, longest=160, classes=2),
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
                inputs=_text(vocabulary=30000, length=128, longest=512, classes=2),
            ),
        },
        outputs=("logits",),
        parameters=11_685_122,
        source="https://huggingface.co/albert/albert-base-v2",
        requires=_requires("albert"),
        head=("classifier",),
        export=Export(dynamic=MASKED_INPUT),
        tolerance=Tolerance(
            rtol=1e-4,
            atol=1e-5,
            reason="untrained and tiny, it answers two texts within 3e-3 of each other, and the graph within 3e-7",
        ),
        tags=("encoder", "attention", "shared_weights"),
    ),
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
                quantization=brief.TINY_DYNAMIC,
                build={
                    "vocabulary": TINY,
                    "width": 64,
                    "heads": 4,
                    "layers": 2,
                    "feed_forward": 128,
                    "longest": 160,
                    "dropout": 0.0,
                },
                inputs=_text(vocabulary=TINY, length=32, longest=160),
            ),
            "base": Size(
                training=brief.ATTENTION_TRAINING,
                finetuning=brief.ATTENTION_FINETUNING,
                pruning=replace(brief.FEED_FORWARD, parameters_left=0.9, macs_left=0.9),
                quantization=brief.DYNAMIC,
                build={
                    "vocabulary": 37000,
                    "width": 512,
                    "heads": 8,
                    "layers": 6,
                    "feed_forward": 2048,
                },
                inputs=_text(vocabulary=37000, length=128, longest=512),
            ),
        },
        outputs=("logits",),
        # Table 3 of the paper rounds its base model to 65e6; "about 37000" shared tokens of width 512 and
        # nn.Transformer's biases and two last normalizations give this.
        parameters=63_084_544,
        source="https://arxiv.org/abs/1706.03762",
        requires=("suite.nets.translator",),
        # To be traced with two samples or more: from one, torch.export (2.15) takes the batch for a constant in
        # layer_norm, and ONNX Runtime then refuses every other batch.
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
                training=Training(learning_rate=0.01, steps=120, batch=16, margin=4.0),
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
                quantization=brief.TINY_DYNAMIC,
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
                inputs=_text(vocabulary=TINY, length=32),
            ),
            "base": Size(
                training=brief.ATTENTION_TRAINING,
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("q", "v")),
                pruning=brief.FEED_FORWARD,
                quantization=brief.DYNAMIC,
                build={
                    "vocab_size": 32128,
                    "use_cache": False,
                    "decoder_start_token_id": START,
                    "attn_implementation": "eager",
                    **IDS,
                },
                inputs=_text(vocabulary=32128, length=128),
            ),
        },
        outputs=("logits", "encoder_last_hidden_state"),
        parameters=60_506_624,
        source="https://huggingface.co/google-t5/t5-small",
        requires=_requires("t5"),
        head=("lm_head",),
        export=Export(dynamic=PAIR_INPUT),
        tags=("encoder", "decoder", "attention"),
    ),
    ModelSpec(
        name="gpt2",
        family="text",
        task="language_modeling",
        build=from_config("gpt2", "GPT2LMHeadModel"),
        pretrained=from_hub("gpt2", "GPT2LMHeadModel", "openai-community/gpt2", use_cache=False),
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.002, steps=150, batch=24, margin=8.0, parallel=("ddp", "fsdp")
                ),
                finetuning=Finetuning(
                    steps=30,
                    learning_rate=0.001,
                    rates={"partial": 0.004},
                    batch=24,
                    lora=("c_attn",),
                ),
                pruning=Pruning(
                    method="feed_forward",
                    ratio=0.75,
                    parameters_left=0.8,
                    macs_left=0.8,
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=8.0,
                ),
                quantization=brief.TINY_DYNAMIC,
                build={
                    "vocab_size": TINY,
                    "n_positions": 160,
                    "n_embd": 64,
                    "n_layer": 2,
                    "n_head": 4,
                    "use_cache": False,
                    **IDS,
                },
                inputs=_text(vocabulary=TINY, length=64, longest=160),
            ),
            "base": Size(
                training=replace(brief.ATTENTION_TRAINING, parallel=("ddp", "fsdp")),
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("c_attn",)),
                pruning=brief.FEED_FORWARD,
                quantization=brief.DYNAMIC,
                build={"vocab_size": 50257, "use_cache": False, **IDS},
                inputs=_text(vocabulary=50257, length=128, longest=1024),
            ),
        },
        outputs=("logits",),
        parameters=124_439_808,
        source="https://huggingface.co/openai-community/gpt2",
        requires=_requires("gpt2"),
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
                training=Training(learning_rate=0.002, steps=150, batch=24, margin=8.0),
                finetuning=Finetuning(
                    steps=30,
                    learning_rate=0.001,
                    rates={"partial": 0.004},
                    batch=24,
                    lora=("q_proj", "v_proj"),
                ),
                pruning=Pruning(
                    method="feed_forward",
                    ratio=0.75,
                    parameters_left=0.8,
                    macs_left=0.8,
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=8.0,
                ),
                quantization=brief.TINY_DYNAMIC,
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
                inputs=_text(vocabulary=TINY, length=64, longest=160),
            ),
            "base": Size(
                training=brief.ATTENTION_TRAINING,
                finetuning=replace(brief.ATTENTION_FINETUNING, lora=("q_proj", "v_proj")),
                pruning=brief.FEED_FORWARD,
                quantization=brief.DYNAMIC,
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
                inputs=_text(vocabulary=49152, length=128, longest=2048),
            ),
        },
        outputs=("logits",),
        parameters=134_515_008,
        source="https://huggingface.co/HuggingFaceTB/SmolLM-135M",
        requires=_requires("llama"),
        head=("lm_head",),
        export=Export(dynamic=PACKED_INPUT),
        tags=("decoder", "attention", "generative", "grouped_query"),
    ),
)
