"""Worker side. Synthetic speech: words spelled in pairs of tones, one pair per letter, with exact transcripts.

It is not recorded speech: no spoken corpus is available without a download. It is sufficient for a recognizer to be run
and trained: 16 kHz audio in which every letter is audible, at varying pitch, loudness and background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from suite.data.samples import Dataset, Speech
from suite.data.splits import (
    SPLITS,
    TEST_SPLIT,
    TRAIN_SPLIT,
    VALIDATION_SPLIT,
    must_be_split,
    part_of,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE: Final = 16_000
"""Audio samples per second."""
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ'"
TONE: Final = 1200
"""Audio samples per letter: 75 ms, as in quick speech."""
GAP: Final = 80
"""Audio samples of silence after each letter; they separate doubled letters."""
LONGEST: Final = 12
"""Maximum letters and spaces per utterance: with the lead, it is shorter than one second."""
LEAD: Final = 320
"""Maximum audio samples of silence before the first letter."""
COUNTS: Final = {TRAIN_SPLIT: 2048, VALIDATION_SPLIT: 228, TEST_SPLIT: 128}
SALT: Final = "torch-vitals speech 1"
"""Seed of the split: no two splits share a sentence."""

WORDS: Final = tuple(
    "a and as at back be but by can day do each end find for from get give go good have he her him his hand how i if in"
    " is it its just keep know last let life like long look make man may me more my name new no not now of off on one"
    " open or our out over own part play put read run say see she side so some take tell ten than that the them then"
    " they this time to turn two up us use very walk want was water way we well went what when who will with word work"
    " year yes you your can't don't it's we'll zero quick box jazz".upper().split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A speaker: its words, and the sound of its letters."""

    words: tuple[str, ...]
    lowest: float
    """Hertz of the keypad's first row."""
    step: float
    """Factor between consecutive rows, of which there are nine."""
    columns: tuple[float, float, float]
    """Hertz of the keypad's columns."""
    overtone: float = 0.0
    """Amplitude of the octave above each tone, relative to the tone's."""
    seed: int = 0

    def tones(self, letter: str) -> tuple[float, float]:
        """Return the two frequencies of a letter in hertz, as on a telephone keypad of nine rows and three columns."""
        row, column = divmod(ALPHABET.index(letter), 3)
        return self.lowest * self.step**row, self.columns[column]


VOICE: Final = Voice(words=WORDS, lowest=300.0, step=1.13, columns=(1200.0, 1600.0, 2100.0))


class Utterances:
    """One split of a voice's utterances, generated deterministically on first access and kept; 100 MB for all."""

    classes: Sequence[str] = ()

    def __init__(self, split: str, voice: Voice = VOICE) -> None:
        must_be_split(split)
        self._split = split
        self._voice = voice
        self._made: dict[int, Speech] = {}

    def __len__(self) -> int:
        return COUNTS[self._split]

    def __getitem__(self, index: int, /) -> Speech:
        if not 0 <= index < len(self):
            raise IndexError(f"utterance {index} of {len(self)}")
        if index not in self._made:
            self._made[index] = self._make(index)
        return self._made[index]

    def _make(self, index: int) -> Speech:
        import numpy as np

        rng = np.random.default_rng((self._voice.seed, SPLITS.index(self._split), index))
        transcript = sentence(rng, self._voice.words)
        while part_of(transcript, SALT) != self._split:
            transcript = sentence(rng, self._voice.words)
        return Speech(waveform=spoken(transcript, rng, self._voice), transcript=transcript)


@cache
def load(root: str, split: str) -> Dataset[Speech]:
    """Return the utterances of `split`; `root` is unused. Raise ValueError for an unknown split."""
    del root
    return Utterances(split)


def sentence(rng: np.random.Generator, words: Sequence[str] = WORDS) -> str:
    """Return one to four words, at most LONGEST characters."""
    wanted = int(rng.integers(1, 5))
    text = words[int(rng.integers(len(words)))]
    for _ in range(wanted - 1):
        longer = f"{text} {words[int(rng.integers(len(words)))]}"
        if len(longer) > LONGEST:
            break
        text = longer
    return text


def spoken(transcript: str, rng: np.random.Generator, voice: Voice = VOICE) -> NDArray[np.float32]:
    """Return [samples] float32 within -1..1: consecutive letters of TONE + GAP samples each; a space is silence.

    Pitch (3% up or down), loudness, lead and a background 40 dB below full scale are drawn from `rng`.
    """
    import numpy as np

    pitch = rng.uniform(0.97, 1.03)
    loudness = rng.uniform(0.4, 0.8)
    lead = int(rng.integers(0, LEAD + 1))
    wave = np.zeros(lead + len(transcript) * (TONE + GAP))
    envelope = np.sin(np.pi * (np.arange(TONE) + 0.5) / TONE)
    for place, letter in enumerate(transcript):
        if letter == " ":
            continue
        begin = lead + place * (TONE + GAP)
        sound = sum(_tone(pitch * hertz, voice.overtone) for hertz in voice.tones(letter)) / 2
        wave[begin : begin + TONE] = loudness * envelope * sound
    wave += rng.normal(0.0, 0.01, wave.shape)
    return np.clip(wave, -1.0, 1.0).astype(np.float32)


def _tone(hertz: float, overtone: float) -> NDArray[np.float64]:
    """Return one tone, [TONE] within -1..1."""
    import numpy as np

    phase = 2 * np.pi * hertz / RATE * np.arange(TONE)
    sound: NDArray[np.float64] = np.sin(phase)
    return (sound + overtone * np.sin(2 * phase)) / (1 + overtone) if overtone else sound
