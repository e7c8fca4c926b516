"""The synthetic speech: its letters can be told apart, and every utterance stays what it is."""

from __future__ import annotations

import numpy as np
import pytest

from suite.data import speech


def test_an_utterance_is_the_same_whenever_it_is_asked_for() -> None:
    first, second = speech.load("", "train")[7], speech.load("", "train")[7]
    assert first.transcript == second.transcript
    assert np.array_equal(first.waveform, second.waveform)


def test_every_utterance_is_audio_within_bounds_and_below_one_second() -> None:
    data = speech.load("", "test")
    for index in range(len(data)):
        sample = data[index]
        assert sample.waveform.dtype == np.float32
        assert sample.waveform.ndim == 1
        assert np.abs(sample.waveform).max() <= 1.0
        assert 0 < len(sample.waveform) <= speech.RATE
        assert 1 <= len(sample.transcript) <= speech.LONGEST
        assert set(sample.transcript) <= {*speech.ALPHABET, " "}


def test_there_are_utterances_of_half_a_second_for_a_second_shape() -> None:
    data = speech.load("", "test")
    assert sum(len(data[i].waveform) <= speech.RATE // 2 for i in range(len(data))) >= 8


def test_the_splits_differ() -> None:
    train, test = speech.load("", "train"), speech.load("", "test")
    assert len(train) > len(test)
    assert not np.array_equal(train[0].waveform[:100], test[0].waveform[:100])


@pytest.mark.parametrize("letter", list(speech.ALPHABET))
def test_a_letter_is_recognized_by_its_two_strongest_tones(letter: str) -> None:
    wave = speech.spoken(letter, np.random.default_rng(3))
    power = np.abs(np.fft.rfft(wave, 1 << 16))
    hertz = np.fft.rfftfreq(1 << 16, 1 / speech.RATE)
    low = hertz[np.argmax(np.where(hertz < 1000, power, 0))]
    high = hertz[np.argmax(np.where(hertz > 1000, power, 0))]
    heard = min(
        speech.ALPHABET,
        key=lambda other: sum(
            abs(np.log(a / b)) for a, b in zip((low, high), speech.tones(other), strict=True)
        ),
    )
    assert heard == letter


def test_all_words_can_be_spelled_and_are_short_enough() -> None:
    assert all(set(word) <= set(speech.ALPHABET) for word in speech.WORDS)
    assert max(map(len, speech.WORDS)) <= speech.LONGEST
    assert set("".join(speech.WORDS)) == set(speech.ALPHABET)


def test_an_utterance_beyond_the_last_does_not_exist() -> None:
    with pytest.raises(IndexError):
        speech.load("", "test")[speech.COUNTS["test"]]


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="'dev'"):
        speech.load("", "dev")
