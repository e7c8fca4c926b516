"""What the text tasks make of the prose: exact inputs, targets that fit them, nothing random that was not asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from suite.data import bpe
from suite.data.errors import DataError
from suite.data.samples import Text
from suite.data.sources import Source, sources_in
from suite.tasks import (
    language_modeling,
    masked_language_modeling,
    question_answering,
    text_classification,
    translation,
)
from suite.tasks.examples import collate
from suite.tasks.tokens import IGNORED

pytestmark = pytest.mark.heavy

PROSE = sources_in(None)["text"]
INPUTS: dict[str, Any] = {"vocabulary": 1024, "length": 64, "classes": 2}
TASKS = [
    language_modeling,
    masked_language_modeling,
    question_answering,
    text_classification,
    translation,
]


@pytest.fixture(scope="module", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of our own for this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def same(one: Any, other: Any) -> bool:
    """True when two groups of tensors are equal."""
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("task", TASKS)
def test_one_seed_gives_one_batch_and_another_seed_another(task: Any) -> None:
    batches = [
        task.batch(INPUTS, PROSE, num_samples=4, seed=seed, split="test") for seed in (5, 5, 6)
    ]
    assert same(batches[0].inputs, batches[1].inputs)
    assert same(batches[0].targets, batches[1].targets)
    assert not same(batches[0].inputs, batches[2].inputs)


@pytest.mark.parametrize("task", TASKS)
def test_every_input_has_the_length_asked_for_and_ids_of_the_vocabulary(task: Any) -> None:
    for length in (64, 48):
        batch = task.batch(
            {**INPUTS, "length": length}, PROSE, num_samples=3, seed=0, split="train"
        )
        assert {tuple(tensor.shape) for tensor in batch.inputs.values()} == {(3, length)}
        assert {tensor.dtype for tensor in batch.inputs.values()} == {torch.int64}
        assert 0 <= batch.inputs["input_ids"].min() <= batch.inputs["input_ids"].max() < 1024
        assert batch.num_samples == 3


@pytest.mark.parametrize("task", TASKS)
def test_a_data_loader_in_other_processes_sees_the_same_examples(task: Any) -> None:
    examples = task.examples(INPUTS, PROSE, seed=0, split="train").at_epoch(2)
    here = collate([examples[i] for i in range(4)])
    loader = DataLoader(examples, batch_size=4, collate_fn=collate, num_workers=1)
    there = next(iter(loader))
    assert same(here.inputs, there.inputs)
    assert same(here.targets, there.targets)


@pytest.mark.parametrize("task", TASKS)
def test_training_changes_with_the_epoch(task: Any) -> None:
    train = task.examples(INPUTS, PROSE, seed=0, split="train")
    epochs = [collate([train.at_epoch(e)[i] for i in range(8)]) for e in (0, 1)]
    assert not same(epochs[0].inputs, epochs[1].inputs)


@pytest.mark.parametrize("task", [language_modeling, text_classification, translation])
def test_testing_begins_where_the_passage_does_in_every_epoch(task: Any) -> None:
    test = task.examples(INPUTS, PROSE, seed=0, split="test")
    assert same(test[3].inputs, test.at_epoch(1)[3].inputs)
    ids = [token for token in test[3].inputs["input_ids"].tolist() if token != bpe.START]
    assert test.data[3].text.startswith(bpe.tokenizer(1024).decode(ids[:10]))


def test_padding_is_not_counted_as_tokens() -> None:
    for task in (text_classification, question_answering):
        batch = task.batch({**INPUTS, "length": 512}, PROSE, num_samples=6, seed=0, split="test")
        real = batch.inputs["input_ids"] != bpe.PAD
        assert torch.equal(real, batch.inputs["attention_mask"] == 1)
        assert batch.num_tokens == int(real.sum()) < real.numel()


def test_translation_counts_the_tokens_of_both_sides() -> None:
    batch = translation.batch({**INPUTS, "length": 512}, PROSE, num_samples=6, seed=0, split="test")
    sides = (batch.inputs["input_ids"], batch.inputs["decoder_input_ids"])
    assert batch.num_tokens == sum(int((side != bpe.PAD).sum()) for side in sides)


def test_a_masked_token_is_asked_for_and_the_others_are_shown_as_they_are() -> None:
    batch = masked_language_modeling.batch(
        {**INPUTS, "length": 128}, PROSE, num_samples=64, seed=0, split="test"
    )
    shown, labels = batch.inputs["input_ids"], batch.targets["labels"]
    asked = labels != IGNORED
    assert asked.any(dim=1).all()
    assert asked.float().mean().item() == pytest.approx(0.15, abs=0.02)
    assert (shown[asked] == bpe.MASK).float().mean().item() == pytest.approx(0.8, abs=0.05)
    assert (shown[asked] == labels[asked]).float().mean().item() == pytest.approx(0.1, abs=0.04)
    assert not (shown[~asked] == bpe.MASK).any()
    assert (labels[asked] >= len(bpe.SPECIALS)).all()


def test_even_a_very_short_row_asks_for_a_token() -> None:
    batch = masked_language_modeling.batch(
        {**INPUTS, "length": 2}, PROSE, num_samples=50, seed=0, split="train"
    )
    assert (batch.targets["labels"] != IGNORED).any(dim=1).all()


def test_the_label_of_a_token_is_the_token_after_it() -> None:
    batch = language_modeling.batch(INPUTS, PROSE, num_samples=5, seed=0, split="test")
    ids, labels = batch.inputs["input_ids"], batch.targets["labels"]
    assert torch.equal(ids[:, 1:], labels[:, :-1])
    assert (ids[:, 0] == bpe.START).all()
    assert not (ids == bpe.PAD).any()


def test_the_answer_lies_in_the_context_and_fills_the_gap_in_the_question() -> None:
    tokenizer = bpe.tokenizer(1024)
    for split in ("train", "test"):
        examples = question_answering.examples(
            {**INPUTS, "length": 128}, PROSE, seed=0, split=split
        )
        for index in range(0, len(examples), 7):
            example = examples[index]
            ids, types = example.inputs["input_ids"], example.inputs["token_type_ids"]
            first = int(example.targets["start_positions"])
            last = int(example.targets["end_positions"])
            assert 0 < first <= last < 127
            assert types[first : last + 1].all()
            question = ids[(types == 0) & (example.inputs["attention_mask"] == 1)].tolist()
            assert question.count(bpe.MASK) == 1
            answer = tokenizer.decode(ids[first : last + 1].tolist()).strip()
            assert question_answering.WORD.fullmatch(answer)
            context = tokenizer.decode(ids[types == 1].tolist(), skip_special_tokens=True)
            found = question_answering.WORD.findall(context.lower())
            assert found.count(answer.lower()) == 1


@given(st.text(alphabet="abcdefgh ABéß.,", max_size=200), st.integers(0, 2**32))
@settings(deadline=None)
def test_a_question_never_holds_its_answer(context: str, seed: int) -> None:
    question = question_answering.question_from(context, np.random.default_rng(seed))
    if question is None:
        words = [w.lower() for w in question_answering.WORD.findall(context)]
        assert all(words.count(word) > 1 for word in words)
    else:
        answer = context[question.begin : question.end]
        around = question_answering.WORD.findall(f"{question.before} | {question.after}".lower())
        assert answer.lower() not in around
        assert context[: question.begin].split()[-4:] == question.before.split()


def test_texts_without_any_word_to_ask_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dull:
        classes = ("one",)

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int, /) -> Text:
            return Text(text="a b c", label=0)

    monkeypatch.setattr("suite.data.prose.load", lambda root, split: Dull())
    examples = question_answering.examples(INPUTS, PROSE, seed=0, split="test")
    with pytest.raises(DataError, match="only once"):
        examples[0]


@given(st.lists(st.integers(4, 511)))
@settings(deadline=None)
def test_a_translation_can_be_undone_by_looking_every_token_up(ids: list[int]) -> None:
    target = translation.translated(ids, 512)
    assert len(target) == len(ids)
    lookup = {to: back for back, to in enumerate(translation.dictionary(512))}
    assert [lookup[token] for token in target] == ids


def test_the_dictionary_keeps_special_tokens_and_moves_nearly_all_others() -> None:
    words = translation.dictionary(1024)
    assert sorted(words) == list(range(1024))
    assert words[:4] == (0, 1, 2, 3)
    assert sum(a == b for a, b in enumerate(words)) < 20


def test_the_decoder_sees_the_target_one_step_late() -> None:
    batch = translation.batch(INPUTS, PROSE, num_samples=4, seed=0, split="test")
    shown, labels = batch.inputs["decoder_input_ids"], batch.targets["labels"]
    assert (shown[:, 0] == bpe.START).all()
    real = labels[:, :-1] != IGNORED
    assert torch.equal(
        shown[:, 1:][real & (labels[:, :-1] != bpe.END)],
        labels[:, :-1][real & (labels[:, :-1] != bpe.END)],
    )
    assert ((labels == bpe.END).sum(dim=1) == 1).all()


def test_more_classes_than_the_model_has_outputs_are_refused() -> None:
    with pytest.raises(DataError, match=r"2 classes .* 1 outputs"):
        text_classification.examples({**INPUTS, "classes": 1}, PROSE, seed=0, split="test")


def test_an_empty_split_is_refused_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty:
        classes = ("one",)

        def __len__(self) -> int:
            return 0

    monkeypatch.setattr("suite.data.prose.load", lambda root, split: Empty())
    source = Source(kind="text", name="prose", root="somewhere")
    with pytest.raises(DataError, match="somewhere: its test split is empty"):
        language_modeling.batch(INPUTS, source, num_samples=1, seed=0, split="test")
