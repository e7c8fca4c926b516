"""Worker side. Extractive question answering on clozes: which words of the passage fill the gap in a sentence of it?

No set of questions can be had without a download, so questions are made from the passage itself, the way unsupervised
question answering does it (Lewis et al. 2019): one of the passage's longest words that occurs in it only once is the
answer, and the question is the words around it with a mask in its place. So the answer is in the context by
construction, it is unique, and it takes reading the question to tell it from the other long words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from suite.data.bpe import END, MASK, START
from suite.data.errors import DataError
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.tokens import cropped, facts_of, ids_of, mask_of, padded, text_examples

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORD: Final = re.compile(r"[^\W\d_]{4,}")
CANDIDATES: Final = 3
"""Longest words among which the answer is drawn."""
AROUND: Final = 4
"""Words of the question on either side of the gap, where there are as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One cloze; `context[begin:end]` is its answer."""

    context: str
    before: str
    after: str
    begin: int
    end: int


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """input_ids, attention_mask, token_type_ids [samples, length]: question (type 0), then context (type 1).

    Targets: start_positions and end_positions [samples], the first and the last token of the answer.
    """
    how = "cloze: words around one of the 3 longest unique words of the passage, then the passage"
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        facts=facts_of(inputs, source, split, how),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One question per passage; another epoch may ask for another word of it."""
    return text_examples(_asked, inputs, source, seed=seed, split=split)


def question_from(context: str, rng: np.random.Generator) -> Question | None:
    """A question about the context; None when no word of four letters or more occurs in it only once."""
    words = list(WORD.finditer(context))
    counts = Counter(word[0].lower() for word in words)
    unique = [word for word in words if counts[word[0].lower()] == 1]
    if not unique:
        return None
    longest = sorted(unique, key=lambda word: (-len(word[0]), word.start()))[:CANDIDATES]
    answer = longest[int(rng.integers(len(longest)))]
    return Question(
        context=context,
        before=" ".join(context[: answer.start()].split()[-AROUND:]),
        after=" ".join(context[answer.end() :].split()[:AROUND]),
        begin=answer.start(),
        end=answer.end(),
    )


def _asked(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    *,
    tokenizer: Tokenizer,
    length: int,
    cropping: bool,
) -> Example:
    # Tokens of the question on either side of the gap at most; the context gets nearly three quarters of the length.
    room = length // 8
    question = _question_near(
        data, index, rng, tokenizer, most=length - 2 * room - 4, cropping=cropping
    )
    before = ids_of(question.before, tokenizer)[-room:]
    after = ids_of(question.after, tokenizer)[:room]
    asked = [START, *before, MASK, *after, END]
    encoded = tokenizer.encode(question.context, add_special_tokens=False)
    ends = [end for _, end in encoded.offsets]
    first = next(i for i, end in enumerate(ends) if end > question.begin)
    last = next(i for i, end in enumerate(ends) if end >= question.end)
    ids = [*asked, *encoded.ids, END]
    types = (torch.arange(length) >= len(asked)) & (torch.arange(length) < len(ids))
    return Example(
        inputs={
            "input_ids": padded(ids, length),
            "attention_mask": mask_of(len(ids), length),
            "token_type_ids": types.long(),
        },
        targets={
            "start_positions": torch.tensor(len(asked) + first),
            "end_positions": torch.tensor(len(asked) + last),
        },
        num_tokens=len(ids),
    )


def _question_near(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    tokenizer: Tokenizer,
    *,
    most: int,
    cropping: bool,
) -> Question:
    """A question about the passage at `index`, or about the next one that gives one."""
    for step in range(len(data)):
        text = cropped(data[(index + step) % len(data)].text, rng, cropping)
        question = question_from(_beginning(text, tokenizer, most), rng)
        if question is not None:
            return question
    raise DataError(
        f"no text has a word of four letters or more that occurs only once in its first {most} tokens;"
        " expected prose, or a larger length"
    )


def _beginning(text: str, tokenizer: Tokenizer, most: int) -> str:
    """The whole words at the text's beginning that fit into `most` tokens."""
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    if len(offsets) <= most:
        return text
    kept = text[: offsets[most][0]]
    kept = kept.rpartition(" ")[0] or kept
    while len(tokenizer.encode(kept, add_special_tokens=False).ids) > most:
        kept = kept[:-1]  # the cut went through a character of several bytes
    return kept
