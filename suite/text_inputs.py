"""What the records of text models share: ids, inputs and their dynamic axes, what a library's model imports.

The special ids (padding 0, start 1, end 2) are those of our own tokenizer, so that real text goes in without a
download.
"""

from __future__ import annotations

from typing import Any, Final

from suite.data.bpe import END, PAD, START

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


def requires(family: str) -> tuple[str, ...]:
    """What the first forward of this family would import; measured with sys.modules before and after."""
    return (f"transformers.models.{family}.modeling_{family}",)


def text_inputs(*, vocabulary: int, length: int, longest: int = 0, **more: Any) -> dict[str, Any]:
    """The `inputs` of a size: BPE vocabulary of the model, tokens per sample, the most that it has positions for (0 =
    any number), and what the task wants beside.
    """
    return {"vocabulary": vocabulary, "length": length, "longest": longest, **more}
