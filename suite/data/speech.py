"""Worker side. Synthetic speech: words spelled in pairs of tones, one pair a letter, with their exact transcripts.

It is not a recording of anybody: no spoken corpus can be had without a download. It has what a recognizer needs to be
run and trained on, though: 16 kHz audio in which every letter can be heard, at changing pitch, loudness and background.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from suite.data.samples import Dataset, Speech

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE: Final = 16_000
"""Samples per second."""
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ'"
TONE: Final = 1200
"""Samples that a letter sounds: 75 ms, as in quick speech."""
GAP: Final = 80
"""Samples of silence after it, so that a doubled letter is heard twice."""
LONGEST: Final = 12
"""Letters and spaces per utterance at most: with the lead, it stays below one second."""
LEAD: Final = 320
"""Samples of silence before the first letter at most."""
COUNTS: Final = {"train": 512, "test": 128}
SEEDS: Final = {"train": 1, "test": 2}

WORDS: Final = tuple(
    "a and as at back be but by can day do each end find for from get give go good have he her him his hand how i if in"
    " is it its just keep know last let life like long look make man may me more my name new no not now of off on one"
    " open or our out over own part play put read run say see she side so some take tell ten than that the them then"
    " they this time to turn two up us use very walk want was water way we well went what when who will with word work"
    " year yes you your can't don't it's we'll zero quick box jazz".upper().split()
)


class Utterances:
    """One split; every utterance is made when it is asked for, always the same."""

    classes: Sequence[str] = ()

    def __init__(self, split: str) -> None:
        self._split = split

    def __len__(self) -> int:
        return COUNTS[self._split]

    def __getitem__(self, index: int, /) -> Speech:
        if not 0 <= index < len(self):
            raise IndexError(f"utterance {index} of {len(self)}")
        import numpy as np

        rng = np.random.default_rng((SEEDS[self._split], index))
        transcript = sentence(rng)
        return Speech(waveform=spoken(transcript, rng), transcript=transcript)


def load(root: str, split: str) -> Dataset[Speech]:
    """The utterances of `split` ("train" or "test"); `root` is not used. Raises ValueError for another split."""
    if split not in COUNTS:
        raise ValueError(f"speech has no split {split!r}; expected 'train' or 'test'")
    return Utterances(split)


def sentence(rng: np.random.Generator) -> str:
    """One to four words, LONGEST characters at most."""
    wanted = int(rng.integers(1, 5))
    text = str(rng.choice(WORDS))
    for _ in range(wanted - 1):
        longer = f"{text} {rng.choice(WORDS)}"
        if len(longer) > LONGEST:
            break
        text = longer
    return text


def spoken(transcript: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """[samples] float32 within -1..1: the letters one after another, TONE + GAP samples each, a space in silence.

    Pitch (3% up or down), loudness, lead and a background 40 dB below full scale are drawn from `rng`.
    """
    import numpy as np

    pitch = rng.uniform(0.97, 1.03)
    loudness = rng.uniform(0.4, 0.8)
    lead = int(rng.integers(0, LEAD + 1))
    wave = np.zeros(lead + len(transcript) * (TONE + GAP))
    time = np.arange(TONE) / RATE
    envelope = np.sin(np.pi * (np.arange(TONE) + 0.5) / TONE)
    for place, letter in enumerate(transcript):
        if letter == " ":
            continue
        low, high = (pitch * tone for tone in tones(letter))
        begin = lead + place * (TONE + GAP)
        sound = (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)) / 2
        wave[begin : begin + TONE] = loudness * envelope * sound
    wave += rng.normal(0.0, 0.01, wave.shape)
    return np.clip(wave, -1.0, 1.0).astype(np.float32)


def tones(letter: str) -> tuple[float, float]:
    """The two frequencies of a letter in hertz, as on a telephone keypad of nine rows and three columns."""
    row, column = divmod(ALPHABET.index(letter), 3)
    return 300.0 * 1.13**row, (1200.0, 1600.0, 2100.0)[column]
