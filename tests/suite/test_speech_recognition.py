"""What the speech task makes of an utterance: normalized audio, and labels that spell its transcript."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.data import speech
from suite.data.errors import DataError
from suite.data.sources import sources_in
from suite.tasks import speech_recognition as task
from suite.tasks.tokens import IGNORED

pytestmark = pytest.mark.heavy

SPEECH = sources_in(None)["speech"]
INPUTS: dict[str, Any] = {"length": 16_000}


def test_the_audio_is_normalized_and_as_long_as_asked_for() -> None:
    for length in (16_000, 8_000):
        batch = task.batch({"length": length}, SPEECH, num_samples=4, seed=0, split="test")
        values = batch.inputs["input_values"]
        assert values.shape == (4, length)
        assert values.dtype == torch.float32
        assert torch.allclose(values.mean(dim=1), torch.zeros(4), atol=1e-4)
        assert torch.allclose(values.var(dim=1, correction=0), torch.ones(4), atol=1e-2)


def test_the_labels_spell_the_transcript() -> None:
    examples = task.examples(INPUTS, SPEECH, seed=0, split="test")
    for index in range(10):
        targets = examples[index].targets
        length = int(targets["label_lengths"])
        assert (targets["labels"][length:] == IGNORED).all()
        spelled = "".join(task.LETTERS[i] for i in targets["labels"][:length].tolist())
        assert spelled.replace("|", " ") == speech.load("", "test")[index].transcript


def test_ctc_has_frames_enough_for_every_label() -> None:
    batch = task.batch({"length": 8_000}, SPEECH, num_samples=16, seed=0, split="test")
    frames = 24  # 8,000 samples through wav2vec 2.0's seven strides
    doubled = max(2 * int(n) for n in batch.targets["label_lengths"])
    assert doubled <= frames


@given(st.text(alphabet="".join(speech.ALPHABET) + " "))
@settings(deadline=None)
def test_a_best_path_with_blanks_between_spells_the_transcript(transcript: str) -> None:
    path = [i for label in task.labels_of(transcript) for i in (label, label, task.BLANK)]
    assert task.letters_of(path) == transcript.strip()


def test_repeats_without_a_blank_are_one_letter() -> None:
    e, t = task.LETTERS.index("E"), task.LETTERS.index("T")
    assert task.letters_of([0, e, e, t, t, 0, t, 0]) == "ETT"


def test_a_letter_that_the_model_does_not_know_is_unknown() -> None:
    assert task.labels_of("É") == [task.UNKNOWN]


def test_training_adds_other_noise_in_every_epoch_and_testing_adds_none() -> None:
    train = task.examples(INPUTS, SPEECH, seed=0, split="train")
    first, again, second = (train.at_epoch(epoch)[3].inputs["input_values"] for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.corrcoef(torch.stack((first, second)))[0, 1] > 0.9
    test = task.examples(INPUTS, SPEECH, seed=0, split="test")
    assert torch.equal(test[3].inputs["input_values"], test.at_epoch(1)[3].inputs["input_values"])


def test_a_length_that_no_utterance_fits_into_is_refused() -> None:
    with pytest.raises(DataError, match="100 samples or fewer"):
        task.examples({"length": 100}, SPEECH, seed=0, split="test")
