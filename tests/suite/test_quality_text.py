"""Losses and metrics of the text tasks against answers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from suite.data import bpe
from suite.tasks import (
    language_modeling,
    masked_language_modeling,
    question_answering,
    text_classification,
    translation,
)
from suite.tasks.batch import Batch
from suite.tasks.text_classification import begin_and_end
from suite.tasks.tokens import IGNORED, ids_of, padded

pytestmark = pytest.mark.heavy

LANGUAGE = [language_modeling, masked_language_modeling]


def batch(**targets: Any) -> Batch:
    """A batch of these targets; what goes into the model does not matter."""
    tensors = {name: torch.tensor(values) for name, values in targets.items()}
    return Batch(inputs={}, targets=tensors, num_samples=len(next(iter(tensors.values()))))


def sure_of(ids: Any, vocabulary: int, score: float = 50.0) -> Tensor:
    """Logits that leave no doubt about `ids`; ignored ones get token 0."""
    return torch.nn.functional.one_hot(torch.tensor(ids).clamp(min=0), vocabulary) * score


def quality(task: Any, outputs: list[Tensor], *batches: Batch) -> float:
    """The metric over batches that the model gives these outputs for."""
    return float(task.summarize([task.judge(outputs, each) for each in batches]))


class Fixed(torch.nn.Module):
    """A model that always says the same; its outputs are trained."""

    def __init__(self, *outputs: Tensor) -> None:
        super().__init__()
        self.outputs = torch.nn.ParameterList([o.float().clone() for o in outputs])

    def forward(self) -> tuple[Tensor, ...]:
        return tuple(self.outputs)


# Classification


def test_accuracy_is_the_share_of_right_classes_over_batches_of_any_size() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]])
    parts = [
        text_classification.judge([logits], batch(labels=[0, 1, 1])),
        text_classification.judge([logits[:1]], batch(labels=[1])),
    ]
    assert text_classification.summarize(parts) == 50.0


def test_a_model_that_always_says_one_class_is_as_good_as_trivial() -> None:
    told = batch(labels=[1, 0, 1, 1])
    assert text_classification.trivial([told]) == 75.0
    assert quality(text_classification, [torch.tensor([[0.0, 1.0]] * 4)], told) == 75.0


def test_a_class_that_is_no_number_is_never_right() -> None:
    logits = torch.full((2, 2), math.nan)
    for label in (0, 1):
        assert quality(text_classification, [logits], batch(labels=[label] * 2)) == 0.0


def test_the_loss_of_a_coin_is_the_logarithm_of_two() -> None:
    loss = text_classification.loss(Fixed(torch.zeros(3, 2)), batch(labels=[0, 1, 1]))
    assert loss.item() == pytest.approx(math.log(2))


def test_a_long_text_is_cut_in_the_middle_and_a_short_one_is_whole() -> None:
    text = " ".join(f"word{i}" for i in range(60))
    ids = ids_of(text, 512)
    assert begin_and_end(text, 512, len(ids)) == ids
    for most in (1, 2, 7, 30, len(ids) - 1):
        half = most // 2
        expected = [*ids[: most - half], *ids[len(ids) - half :]]
        assert begin_and_end(text, 512, most) == expected


# Language models


@pytest.mark.parametrize("task", LANGUAGE)
def test_guessing_evenly_has_the_perplexity_of_the_vocabulary(task: Any) -> None:
    told = batch(labels=[[3, 1, IGNORED], [IGNORED, IGNORED, 6]])
    assert quality(task, [torch.zeros(2, 3, 7)], told) == pytest.approx(7.0)
    assert task.loss(Fixed(torch.zeros(2, 3, 7)), told).item() == pytest.approx(math.log(7))


@pytest.mark.parametrize("task", LANGUAGE)
def test_a_perfect_language_model_has_a_perplexity_of_one(task: Any) -> None:
    labels = [[3, 1, IGNORED], [2, IGNORED, 6]]
    assert quality(task, [sure_of(labels, 7)], batch(labels=labels)) == pytest.approx(1.0)


def test_perplexity_weighs_tokens_not_batches() -> None:
    scores = torch.log(torch.tensor([0.5, 0.25, 0.25]))
    one = language_modeling.judge([scores.expand(1, 3, 3)], batch(labels=[[0, 0, 0]]))
    other = language_modeling.judge([scores.expand(1, 3, 3)], batch(labels=[[1, IGNORED, IGNORED]]))
    expected = math.exp((3 * math.log(2) + math.log(4)) / 4)
    assert language_modeling.summarize([one, other]) == pytest.approx(expected)


def test_what_is_kept_of_a_batch_does_not_grow_with_it() -> None:
    kept = language_modeling.judge([torch.zeros(4, 8, 16)], batch(labels=[[1] * 8] * 4))
    assert {name: tensor.numel() for name, tensor in kept.items()} == {"nll": 1, "tokens": 1}


def test_a_hopeless_model_has_an_infinite_perplexity_and_a_broken_one_none() -> None:
    told = batch(labels=[[0]])
    assert quality(language_modeling, [torch.tensor([[[-2000.0, 0.0]]])], told) == math.inf
    assert math.isnan(quality(language_modeling, [torch.tensor([[[math.nan, 0.0]]])], told))


@pytest.mark.parametrize("task", [*LANGUAGE, translation])
def test_a_batch_in_which_nothing_is_asked_for_teaches_nothing(task: Any) -> None:
    model = Fixed(torch.randn(2, 3, 7))
    loss = task.loss(model, batch(labels=[[IGNORED] * 3] * 2))
    loss.backward()
    assert loss.item() == 0.0
    assert not model.outputs[0].grad.any()


@pytest.mark.parametrize("task", [*LANGUAGE, translation])
def test_a_metric_of_nothing_is_refused(task: Any) -> None:
    nothing = batch(labels=[[IGNORED] * 3] * 2)
    with pytest.raises(ValueError, match="ignored"):
        quality(task, [torch.zeros(2, 3, 7)], nothing)
    with pytest.raises(ValueError, match="ignored"):
        task.trivial([nothing])


def test_frequencies_alone_are_worked_out_by_hand() -> None:
    # 2 of token 0, 1 of token 2, one more of each of the three ids: 3/6, 1/6, 2/6
    told = [batch(labels=[[0, 0, IGNORED]]), batch(labels=[[2, IGNORED, IGNORED]])]
    expected = math.exp(-(2 * math.log(3 / 6) + math.log(2 / 6)) / 3)
    for task in LANGUAGE:
        assert task.trivial(told) == pytest.approx(expected)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200))
@settings(deadline=None)
def test_smoothing_takes_nothing_but_certainty_from_the_frequencies(ids: list[int]) -> None:
    counts = torch.bincount(torch.tensor(ids)).double()
    exact = math.exp(-sum(n * math.log(n / len(ids)) for n in counts.tolist() if n) / len(ids))
    found = language_modeling.trivial([batch(labels=[ids])])
    assert exact * (1 - 1e-9) <= found <= len(counts) * (1 + 1e-9)


# Translation


def test_token_accuracy_leaves_padding_out() -> None:
    told = batch(labels=[[4, 5, bpe.END], [6, bpe.END, IGNORED]])
    said = sure_of([[4, 5, 5], [6, bpe.END, bpe.END]], 8)
    assert quality(translation, [said, torch.zeros(1)], told) == pytest.approx(100 * 4 / 5)
    assert quality(translation, [sure_of([[4, 5, 2], [6, 2, 0]], 8)], told) == 100.0


def test_the_most_frequent_token_is_the_trivial_translation() -> None:
    told = batch(labels=[[4, 5, bpe.END], [6, bpe.END, IGNORED]])
    assert translation.trivial([told]) == pytest.approx(40.0)
    constant = torch.zeros(2, 3, 8)
    constant[..., bpe.END] = 1.0
    assert quality(translation, [constant], told) == pytest.approx(40.0)


def test_the_loss_reads_the_logits_and_not_the_encoder() -> None:
    told = batch(labels=[[4, IGNORED]])
    loss = translation.loss(Fixed(torch.zeros(1, 2, 8), torch.randn(1, 2, 3)), told)
    assert loss.item() == pytest.approx(math.log(8))


# Question answering


def spans(*pairs: tuple[int, int]) -> Batch:
    """A batch with these answers."""
    return batch(start_positions=[a for a, _ in pairs], end_positions=[b for _, b in pairs])


def test_token_f1_is_worked_out_by_hand() -> None:
    starts = sure_of([2, 1, 5, 0], 8).float()
    ends = sure_of([3, 4, 5, 0], 8).float()
    wanted = spans((2, 3), (3, 6), (0, 1), (0, 3))
    # whole; 2 of 4 in both; none; 1 of 1 and of 4: 2 * 1 / (1 + 4)
    expected = [1.0, 0.5, 0.0, 0.4]
    assert question_answering.judge([starts, ends], wanted)["f1"].tolist() == pytest.approx(
        expected
    )
    assert quality(question_answering, [starts, ends], wanted) == pytest.approx(47.5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
@settings(deadline=None)
def test_the_best_span_never_ends_before_it_begins(seed: int, length: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    starts, ends = (torch.randn(3, length, generator=generator) for _ in range(2))
    first, last = question_answering.best_span(starts, ends)
    for row in range(3):
        best = max(
            float(starts[row, i] + ends[row, j]) for i in range(length) for j in range(i, length)
        )
        assert first[row] <= last[row]
        assert float(starts[row, first[row]] + ends[row, last[row]]) == pytest.approx(best)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), min_size=1, max_size=8))
@settings(deadline=None, max_examples=30)
def test_the_trivial_answer_is_the_best_of_all_constant_spans(drawn: list[tuple[int, int]]) -> None:
    wanted = spans(*((begin, begin + more) for begin, more in drawn))
    found = [
        quality(
            question_answering,
            [sure_of([i] * len(drawn), 14).float(), sure_of([j] * len(drawn), 14).float()],
            wanted,
        )
        for i in range(14)
        for j in range(i, 14)
    ]
    assert question_answering.trivial([wanted]) == pytest.approx(max(found), abs=1e-4)


def test_the_loss_is_the_mean_of_begin_and_end() -> None:
    model = Fixed(torch.zeros(2, 8), sure_of([3, 4], 8))
    loss = question_answering.loss(model, spans((1, 3), (2, 4)))
    assert loss.item() == pytest.approx(math.log(8) / 2)


def test_a_span_that_is_no_number_scores_nothing() -> None:
    broken = torch.full((1, 4), math.nan)
    assert quality(question_answering, [broken, torch.zeros(1, 4)], spans((0, 3))) == 0.0


# What all have in common


@pytest.mark.parametrize(
    ("task", "shape", "targets"),
    [
        (text_classification, (2, 3), {"labels": [0, 2]}),
        (language_modeling, (2, 4, 9), {"labels": [[1, 2, 3, 4], [5, 6, IGNORED, 8]]}),
        (translation, (2, 4, 9), {"labels": [[1, 2, 3, 4], [5, 6, IGNORED, 8]]}),
        (question_answering, (2, 5), {"start_positions": [0, 3], "end_positions": [2, 3]}),
    ],
)
def test_learning_what_the_loss_says_makes_the_metric_perfect(
    task: Any, shape: tuple[int, ...], targets: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    model = Fixed(torch.randn(shape), torch.randn(shape))
    told = batch(**targets)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        task.loss(model, told).backward()
        optimizer.step()
    kept = task.judge(list(model()), told)
    assert not any(tensor.requires_grad for tensor in kept.values())
    best = 1.0 if task is language_modeling else 100.0
    assert task.summarize([kept]) == pytest.approx(best, rel=1e-3)


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60))
@settings(deadline=None)
def test_tokens_word_by_word_are_those_of_the_whole_text(text: str) -> None:
    text = " ".join(text.split())
    whole = bpe.tokenizer(512).encode(text, add_special_tokens=False).ids
    assert ids_of(text, 512) == whole
    for most in (0, 1, 5, 1000):
        assert ids_of(text, 512, most) == whole[:most]


def test_rows_are_cut_and_filled_to_their_length() -> None:
    assert padded([5, 6], 4).tolist() == [5, 6, bpe.PAD, bpe.PAD]
    assert padded([5, 6, 7], 2, fill=IGNORED).tolist() == [5, 6]
    assert padded([], 2, fill=IGNORED).tolist() == [IGNORED] * 2
