"""Worker side. Speech recognition: letters from a waveform, aligned by CTC (Graves et al. 2006)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import ctc_loss

from suite.data.errors import DataError
from suite.data.samples import Dataset, Speech
from suite.data.sources import Source
from suite.data.splits import TRAIN_SPLIT
from suite.flat_tensors import flatten_outputs
from suite.results.step_result import DataSet
from suite.tasks.batch import Batch
from suite.tasks.edit_distance import edit_distance
from suite.tasks.examples import Example, Examples, must_hold, sampled
from suite.tasks.tokens import IGNORED

LETTERS: Final = (*("<pad>", "<s>", "</s>", "<unk>"), *"|ETAONIHSRDLUMWCFGYPBVK'XJQZ")
"""Output of the model -> letter, in the order of facebook/wav2vec2-base-960h; `|` separates words."""
BLANK: Final = 0
"""The CTC blank is the padding."""
UNKNOWN: Final = 3
SPACE: Final = 4
LONGEST: Final = 64
"""Maximum letters in a row of labels."""


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return input_values [samples, length], normalized; targets for CTC: labels and label_lengths.

    labels are [samples, 64] ids, IGNORED after the last letter; label_lengths is [samples].
    """
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=DataSet(
            name=source.name,
            split=split,
            length=inputs["length"],
            preprocessing="zero mean and unit variance, silence behind; noise and gain in training",
        ),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per utterance of at most `length` samples: a truncated one would not match its transcript.

    Training adds noise, different in each epoch. Raise DataError if no utterance is so short.
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
    make = partial(_heard, length=length, noisy=split == TRAIN_SPLIT)
    return Examples(data=data, make=make, seed=seed, indices=short)


def labels_of(transcript: str) -> list[int]:
    """Return the ids of the letters; letters not in the alphabet are UNKNOWN."""
    spelled = transcript.upper().replace(" ", "|")
    return [LETTERS.index(letter) if letter in LETTERS else UNKNOWN for letter in spelled]


def heard(path: Sequence[int]) -> list[int]:
    """Return the ids decoded from a path over the frames: without repeats, blanks, and leading and trailing spaces."""
    kept = [b for a, b in zip([BLANK, *path], path, strict=False) if b not in (a, BLANK)]
    while kept and kept[-1] == SPACE:
        kept.pop()
    begin = next((i for i, letter in enumerate(kept) if letter != SPACE), 0)
    return kept[begin:]


def letters_of(path: Sequence[int]) -> str:
    """Return the transcript decoded from a best path, with `|` as a space."""
    return "".join(LETTERS[i] for i in heard(path)).replace("|", " ")


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """Return the CTC loss in nats per letter, mean over utterances; infinite for more letters than frames.

    Computed on the CPU on any device: the backward pass of CTC on CUDA sums in no fixed order, and two runs with one
    seed would differ (torch.use_deterministic_algorithms names it).
    """
    scores = flatten_outputs(module(**batch.inputs))[0].float().log_softmax(dim=-1).cpu()
    num_samples, num_frames, _ = scores.shape
    return ctc_loss(
        scores.transpose(0, 1),
        batch.targets["labels"].cpu().clamp(min=BLANK),  # labels after the last letter are not read
        torch.full((num_samples,), num_frames),
        batch.targets["label_lengths"].cpu(),
        blank=BLANK,
    )


@torch.no_grad()
def judge(outputs: list[Tensor], batch: Batch, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """Return errors (edits from logits' [N, frames, 32] best paths to the transcripts) and letters of the latter."""
    paths, said = outputs[0].argmax(dim=-1).tolist(), said_in(batch)
    errors = sum(edit_distance(heard(path), ids) for path, ids in zip(paths, said, strict=True))
    return {"errors": torch.tensor(errors), "letters": torch.tensor(sum(map(len, said)))}


def summarize(parts: Sequence[dict[str, Tensor]]) -> float:
    """Return the character error rate in %, counting spaces; it can exceed 100.

    Raise ValueError if all transcripts are empty.
    """
    letters = sum(int(part["letters"]) for part in parts)
    if not letters:
        raise ValueError("error rate over no letter: all transcripts are empty")
    return 100 * sum(int(part["errors"]) for part in parts) / letters


def trivial(batches: Sequence[Batch]) -> float:
    """Return the character error rate in % of the best constant transcript: one of these, or an empty one (100)."""
    said = [ids for batch in batches for ids in said_in(batch)]
    guesses = ((), *sorted(set(said)))
    errors = (sum(edit_distance(guess, ids) for ids in said) for guess in guesses)
    return 100 * min(errors) / sum(map(len, said))


def said_in(batch: Batch) -> list[tuple[int, ...]]:
    """Return the letter ids of every utterance in the batch."""
    lengths = batch.targets["label_lengths"].tolist()
    rows = zip(batch.targets["labels"].tolist(), lengths, strict=True)
    return [tuple(ids[:length]) for ids, length in rows]


def _heard(
    data: Dataset[Speech], index: int, rng: np.random.Generator, *, length: int, noisy: bool
) -> Example:
    sample = data[index]
    ids = labels_of(sample.transcript)
    if len(ids) > LONGEST:
        raise DataError(
            f"utterance {index}: its transcript has {len(ids)} letters; expected {LONGEST} or fewer"
        )
    wave = np.zeros(length, np.float32)
    wave[: len(sample.waveform)] = sample.waveform
    if noisy:
        wave *= np.float32(rng.uniform(0.7, 1.3))
        wave += np.float32(rng.uniform(0.0, 0.02)) * rng.standard_normal(length, np.float32)
    wave = (wave - wave.mean()) / np.sqrt(wave.var() + np.float32(1e-7))
    return Example(
        inputs={"input_values": torch.from_numpy(wave)},
        targets={
            "labels": torch.tensor(ids + [IGNORED] * (LONGEST - len(ids))),
            "label_lengths": torch.tensor(len(ids)),
        },
    )
