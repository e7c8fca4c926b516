"""Worker side. Extractive question answering on clozes: find the passage's words that fill a gap in a sentence.

No question set is available without a download, so questions are generated from the passage, as in unsupervised
question answering (Lewis et al. 2019): the answer is one of the passage's longest words that occur only once, and the
question is the words around it with a mask in its place. The answer is therefore in the context and unique, and the
question is needed to tell it from the other long words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from suite.data.bpe import END, MASK, START
from suite.data.errors import DataError
from suite.data.samples import Dataset, Text
from suite.data.sources import Source
from suite.flat_tensors import flatten_outputs
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.tokens import (
    cropped,
    data_set,
    ids_of,
    mask_of,
    padded,
    spelled,
    text_examples,
    words_of,
)

WORD: Final = re.compile(r"[^\W\d_]{4,}")
CANDIDATES: Final = 3
"""Number of longest words from which the answer is drawn."""
AROUND: Final = 4
"""Maximum words of the question on either side of the gap."""
POSITIONS: Final = ("start_positions", "end_positions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One cloze; its answer is `context[begin:end]`."""

    context: str
    before: str
    after: str
    begin: int
    end: int


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return input_ids, attention_mask, token_type_ids [samples, length]: question (type 0), then context (type 1).

    Targets: start_positions and end_positions [samples], the first and last token of the answer.
    """
    how = "cloze: words around one of the 3 longest unique words of the passage, then the passage"
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(inputs, source, split, how),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one question per passage; another epoch may ask for another word."""
    return text_examples(_asked, inputs, source, seed=seed, split=split)


def question_from(context: str, rng: np.random.Generator) -> Question | None:
    """Return a question about the context, or None if no word of four letters or more occurs in it exactly once."""
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


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the mean of the cross entropies of the first and last token in nats, mean per question."""
    starts, ends = flatten_outputs(module(**batch.inputs))[:2]
    first, last = (batch.targets[name].to(starts.device) for name in POSITIONS)
    return (cross_entropy(starts.float(), first) + cross_entropy(ends.float(), last)) / 2


@torch.no_grad()
def judge(outputs: list[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return f1 [N] within 0..1 of the best spans of start and end logits, both [N, length]; NaN scores 0."""
    starts, ends = (tensor.float() for tensor in outputs[:2])
    first, last = best_span(starts, ends)
    wanted = [batch.targets[name].to(starts.device) for name in POSITIONS]
    broken = (starts + ends).isnan().any(dim=-1)
    return {"f1": token_f1(first, last, wanted[0], wanted[1]).masked_fill(broken, 0.0)}


def summarize(parts: Sequence[dict[str, Tensor]]) -> float:
    """Return the token F1 in %, mean per question."""
    return 100 * float(torch.cat([part["f1"].cpu() for part in parts]).double().mean())


def trivial(batches: Sequence[Batch]) -> float:
    """Return the token F1 in % of the best constant answer: the same span of positions for all questions."""
    first, last = (
        torch.cat([batch.targets[name].cpu() for batch in batches]) for name in POSITIONS
    )
    begins = torch.arange(int(first.min()), int(last.max()) + 1)
    ends = begins[:, None].expand(-1, len(first))
    # One start at a time: all spans of a long context at once would not fit into memory.
    best = max(
        float(token_f1(begin.expand_as(ends[i:]), ends[i:], first, last).mean(dim=1).max())
        for i, begin in enumerate(begins)
    )
    return 100 * best


def best_span(starts: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and last token, [N] each, of the span with first <= last and the largest sum of its two logits.

    Logits are [N, length]. The best start for every end is a running maximum, which avoids a table of all pairs.
    """
    highest, begins = starts.cummax(dim=-1)
    last = (highest + ends).argmax(dim=-1)
    return begins.gather(-1, last[:, None])[:, 0], last


def token_f1(first: Tensor, last: Tensor, wanted_first: Tensor, wanted_last: Tensor) -> Tensor:
    """Return the F1 within 0..1 of spans against the wanted ones, by position; both ends are inclusive.

    SQuAD's F1 (Rajpurkar et al. 2016) counts equal words at any position; here an answer occurs only once.
    """
    common = torch.minimum(last, wanted_last) - torch.maximum(first, wanted_first) + 1
    return 2 * common.clamp(min=0) / ((last - first + 1) + (wanted_last - wanted_first + 1))


def _asked(
    data: Dataset[Text],
    index: int,
    rng: np.random.Generator,
    *,
    vocabulary: int,
    length: int,
    cropping: bool,
) -> Example:
    # Maximum question tokens on either side of the gap; the context gets nearly three quarters of
    # the length.
    room = length // 8
    question = _question_near(
        data, index, rng, vocabulary, most=length - 2 * room - 4, cropping=cropping
    )
    before = ids_of(question.before, vocabulary)[-room:]
    after = ids_of(question.after, vocabulary, room)
    asked = [START, *before, MASK, *after, END]
    context, ends = _located(question.context, vocabulary)
    first = next(i for i, end in enumerate(ends) if end > question.begin)
    last = next(i for i, end in enumerate(ends) if end >= question.end)
    ids = [*asked, *context, END]
    types = [0] * len(asked) + [1] * (len(ids) - len(asked))
    return Example(
        inputs={
            "input_ids": padded(ids, length),
            "attention_mask": mask_of(len(ids), length),
            "token_type_ids": padded(types, length, fill=0),
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
    vocabulary: int,
    *,
    most: int,
    cropping: bool,
) -> Question:
    """Return a question about the passage at `index`, or about the next one that yields one."""
    for step in range(len(data)):
        text = cropped(data[(index + step) % len(data)].text, rng, cropping)
        question = question_from(_beginning(text, vocabulary, most), rng)
        if question is not None:
            return question
    raise DataError(
        f"no text has a word of four letters or more that occurs only once in its first {most} tokens;"
        " expected prose, or a larger length"
    )


def _beginning(text: str, vocabulary: int, most: int) -> str:
    """Return the leading whole words that fit into `most` tokens, or part of the first word if it does not fit."""
    words = list(words_of(text, most + 1))
    counts = accumulate(len(spelled(word, vocabulary)[0]) for word in words)
    fitting = list(takewhile(lambda count: count <= most, counts))
    if fitting:
        return "".join(words[: len(fitting)])
    kept = words[0][: spelled(words[0], vocabulary)[1][most - 1]]
    while len(ids_of(kept, vocabulary)) > most:
        kept = kept[:-1]  # the cut went through a multi-byte character
    return kept


def _located(context: str, vocabulary: int) -> tuple[list[int], list[int]]:
    """Return the context's tokens: ids, and the end of each in the context."""
    ids: list[int] = []
    ends: list[int] = []
    begin = 0
    for word in words_of(context):
        tokens, within = spelled(word, vocabulary)
        ids += tokens
        ends += [begin + end for end in within]
        begin += len(word)
    return ids, ends
