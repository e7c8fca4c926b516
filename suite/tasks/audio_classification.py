"""Worker side. Audio classification: the first letter of an utterance of the embedded synthetic speech."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from suite.data.speech import ALPHABET, load
from suite.spec import Metric
from suite.tasks.open_task import OpenParts


def batch(
    *, num_samples: int, seed: int, split: str, length: int, classes: int
) -> tuple[dict[str, Tensor], Tensor]:
    """Return input_values [samples, length] at 16 kHz, cut or followed by silence, and labels [samples].

    Raise ValueError if the model has fewer classes than the alphabet has letters.
    """
    if classes < len(ALPHABET):
        raise ValueError(
            f"audio_classification: `classes` is {classes}; expected at least {len(ALPHABET)}, the letters"
        )
    data = load("", split)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    waves, labels = torch.zeros(min(num_samples, len(data)), length), []
    for row, index in enumerate(order[:num_samples].tolist()):
        sample = data[index]
        wave = torch.from_numpy(sample.waveform)[:length]
        waves[row, : len(wave)] = wave
        labels.append(ALPHABET.index(sample.transcript[0]))
    return {"input_values": waves}, torch.tensor(labels)


def accuracy(answers: Tensor, targets: Tensor) -> float:
    """Return the accuracy in %."""
    return 100 * float((answers.argmax(dim=-1) == targets).float().mean())


def of_the_commonest(targets: Tensor) -> float:
    """Return the accuracy in % of always answering the commonest letter."""
    return 100 * float(targets.bincount().max()) / len(targets)


PARTS = OpenParts(
    batch=batch,
    loss=lambda answers, targets: cross_entropy(answers.float(), targets),
    metric=Metric(
        name="accuracy", function=accuracy, unit="%", is_relative=False, trivial=of_the_commonest
    ),
    data="speech",
)
