"""The synthetic speech: its letters can be told apart, and every utterance stays what it is."""

from __future__ import annotations

import numpy as np
import pytest

from suite.data import bass, speech
from suite.data.splits import SPLITS

VOICES = pytest.mark.parametrize("voice", [speech, bass], ids=["speech", "bass"])


@VOICES
def test_an_utterance_is_the_same_whenever_it_is_asked_for(voice) -> None:
    first, second = (speech.Utterances("train", voice.VOICE)[7] for _ in range(2))
    assert first is not second
    assert first.transcript == second.transcript
    assert np.array_equal(first.waveform, second.waveform)


@VOICES
def test_every_utterance_is_audio_within_bounds_and_below_one_second(voice) -> None:
    data = voice.load("", "test")
    for index in range(len(data)):
        sample = data[index]
        assert sample.waveform.dtype == np.float32
        assert sample.waveform.ndim == 1
        assert np.abs(sample.waveform).max() <= 1.0
        assert 0 < len(sample.waveform) <= speech.RATE
        assert 1 <= len(sample.transcript) <= speech.LONGEST
        assert set(sample.transcript) <= {*speech.ALPHABET, " "}


@VOICES
def test_there_are_utterances_of_half_a_second_for_a_second_shape(voice) -> None:
    data = voice.load("", "test")
    assert sum(len(data[i].waveform) <= speech.RATE // 2 for i in range(len(data))) >= 8


@VOICES
def test_no_sentence_is_said_in_two_splits(voice) -> None:
    said = []
    for split in SPLITS:
        data = voice.load("", split)
        assert len(data) == speech.COUNTS[split]
        said.append({data[i].transcript for i in range(len(data))})
    assert len(set.union(*said)) == sum(map(len, said))


@VOICES
@pytest.mark.parametrize("letter", list(speech.ALPHABET))
def test_a_letter_is_recognized_by_its_two_strongest_tones(letter: str, voice) -> None:
    wave = speech.spoken(letter, np.random.default_rng(3), voice.VOICE)
    power = np.abs(np.fft.rfft(wave, 1 << 16))
    hertz = np.fft.rfftfreq(1 << 16, 1 / speech.RATE)
    between = (voice.VOICE.tones("'")[0] + voice.VOICE.columns[0]) / 2
    low = hertz[np.argmax(np.where(hertz < between, power, 0))]
    high = hertz[np.argmax(np.where(hertz > between, power, 0))]
    heard = min(
        speech.ALPHABET,
        key=lambda other: sum(
            abs(np.log(a / b)) for a, b in zip((low, high), voice.VOICE.tones(other), strict=True)
        ),
    )
    assert heard == letter


def test_the_second_voice_says_other_words_in_other_tones() -> None:
    assert not set(bass.WORDS) & set(speech.WORDS)
    assert all(
        low < other_low and high < other_high
        for (low, high), (other_low, other_high) in (
            (bass.VOICE.tones(letter), speech.VOICE.tones(letter)) for letter in speech.ALPHABET
        )
    )


@VOICES
def test_all_words_can_be_spelled_and_are_short_enough(voice) -> None:
    assert all(set(word) <= set(speech.ALPHABET) for word in voice.WORDS)
    assert max(map(len, voice.WORDS)) <= speech.LONGEST
    assert set("".join(voice.WORDS)) == set(speech.ALPHABET)
