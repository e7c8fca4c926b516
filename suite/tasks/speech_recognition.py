"""Worker side. Speech recognition: letters from a waveform, aligned by CTC (Graves et al. 2006)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any, Final

import numpy as np
import torch

from suite.data.errors import DataError
from suite.data.samples import Dataset, Speech
from suite.data.sources import Source
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, must_hold, sampled
from suite.tasks.tokens import IGNORED

LETTERS: Final = (*("<pad>", "<s>", "</s>", "<unk>"), *"|ETAONIHSRDLUMWCFGYPBVK'XJQZ")
"""Output of the model -> letter, in the order of facebook/wav2vec2-base-960h; `|` stands between words."""
BLANK: Final = 0
"""The CTC blank is the padding."""
UNKNOWN: Final = 3
LONGEST: Final = 64
"""Letters in a row of labels."""


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """input_values [samples, length], normalized; targets for CTC: labels and label_lengths.

    labels are [samples, 64] ids with IGNORED behind the last letter, label_lengths is [samples].
    """
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        facts={
            "data": source.name,
            "split": split,
            "length": inputs["length"],
            "preprocessing": "zero mean and unit variance, silence behind; noise and gain in training",
        },
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """One example per utterance of `length` samples or fewer: a cut one would not match its transcript.

    Training adds noise; another epoch adds other noise. Raises DataError when no utterance is so short.
    """
    data: Dataset[Speech] = import_module(f"suite.data.{source.name}").load(source.root, split)
    must_hold(data, source, split, "utterances with transcripts")
    length: int = inputs["length"]
    short = tuple(i for i in range(len(data)) if len(data[i].waveform) <= length)
    if not short:
        raise DataError(
            f"{source.root or source.name}: no utterance of its {split} split has {length} samples or"
            " fewer; expected shorter utterances or a larger length"
        )
    make = partial(_heard, length=length, noisy=split == "train")
    return Examples(data=data, make=make, seed=seed, indices=short)


def labels_of(transcript: str) -> list[int]:
    """The ids of the letters; what the alphabet lacks is UNKNOWN."""
    spelled = transcript.upper().replace(" ", "|")
    return [LETTERS.index(letter) if letter in LETTERS else UNKNOWN for letter in spelled]


def letters_of(ids: list[int]) -> str:
    """The transcript that a best path spells: repeats and blanks dropped, `|` as a blank."""
    kept = [b for a, b in zip([BLANK, *ids], ids, strict=False) if b not in (a, BLANK)]
    return "".join(LETTERS[i] for i in kept).replace("|", " ").strip()


def _heard(
    data: Dataset[Speech], index: int, rng: np.random.Generator, *, length: int, noisy: bool
) -> Example:
    sample = data[index]
    ids = labels_of(sample.transcript)
    if len(ids) > LONGEST:
        raise DataError(
            f"utterance {index}: its transcript has {len(ids)} letters; expected {LONGEST} or fewer"
        )
    wave = np.zeros(length)
    wave[: len(sample.waveform)] = sample.waveform
    if noisy:
        wave = wave * rng.uniform(0.7, 1.3) + rng.normal(0.0, rng.uniform(0.0, 0.02), length)
    wave = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
    return Example(
        inputs={"input_values": torch.from_numpy(wave.astype(np.float32))},
        targets={
            "labels": torch.tensor(ids + [IGNORED] * (LONGEST - len(ids))),
            "label_lengths": torch.tensor(len(ids)),
        },
    )
