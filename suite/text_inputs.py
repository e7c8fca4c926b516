"""Shared parts of the records of text models: ids, inputs, dynamic axes, and library imports.

The special ids (padding 0, start 1, end 2) are those of our own tokenizer: real text is available without a download.
"""

from __future__ import annotations

from typing import Any, Final

from suite.data.bpe import END, PAD, START

IDS: Final = {"pad_token_id": PAD, "bos_token_id": START, "eos_token_id": END}
"""Published tokenizers' ids are overridden by ours: this changes no shape and no parameter."""

TINY: Final = 512
"""Vocabulary of the tiny models, half of it single bytes: a brief training sees each of so few tokens often."""

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
"""Language models read packed text without padding, so they need no mask and use the causal fast path."""


def requires(family: str) -> tuple[str, ...]:
    """Return the modules imported by the family's first forward, found by comparing sys.modules before and after."""
    return (f"transformers.models.{family}.modeling_{family}",)


def text_inputs(*, vocabulary: int, length: int, longest: int = 0, **more: Any) -> dict[str, Any]:
    """Return a size's `inputs`: BPE vocabulary of the model, tokens per sample, number of positions (0 = no limit).

    `more` holds the task's other settings.
    """
    return {"vocabulary": vocabulary, "length": length, "longest": longest, **more}
