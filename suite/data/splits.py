"""Assignment of samples to training, validation and test: a seeded split that never changes."""

from __future__ import annotations

import hashlib
import random
from typing import Final

TRAIN_SPLIT: Final = "train"
VALIDATION_SPLIT: Final = "validation"
TEST_SPLIT: Final = "test"
SPLITS: Final = (TRAIN_SPLIT, VALIDATION_SPLIT, TEST_SPLIT)

VALIDATION_SHARE: Final = 0.1
"""Share of the non-test samples, held out to monitor training."""

TEST_SHARE: Final = 0.2
"""Share of a data set that has no test part of its own."""


ASIDE: Final = 0.1
"""Share of a folder's training samples reserved for the second task, which has to use other samples."""


def part(num_samples: int, split: str, *, has_own_test: bool = False) -> list[int]:
    """Return the indices below `num_samples` that form `split`, shuffled, the same on every machine.

    With `has_own_test` the samples are the training part of a data set with a separate test part. The parts are
    disjoint and cover all samples. Raise ValueError for an unknown split.
    """
    must_be_split(split)
    order = list(range(num_samples))
    random.Random(num_samples).shuffle(order)
    num_test = 0 if has_own_test else round(num_samples * TEST_SHARE)
    num_validation = round((num_samples - num_test) * VALIDATION_SHARE)
    parts = {
        TEST_SPLIT: order[:num_test],
        VALIDATION_SPLIT: order[num_test : num_test + num_validation],
        TRAIN_SPLIT: order[num_test + num_validation :],
    }
    return parts[split]


def part_beside(num_samples: int, split: str, *, is_aside: bool) -> list[int]:
    """Return `part` of a folder with its own test, less a share of `train` set aside; or a split of that share.

    Raise ValueError for an unknown split, and for `test`, which is stored separately.
    """
    must_be_split(split)
    if split == TEST_SPLIT:
        raise ValueError(
            "the test samples lie in a folder of their own; expected train or validation"
        )
    order = part(num_samples, TRAIN_SPLIT, has_own_test=True)
    kept = round(len(order) * (1 - ASIDE))
    if not is_aside:
        return order[:kept] if split == TRAIN_SPLIT else part(num_samples, split, has_own_test=True)
    rest = order[kept:]
    return [rest[i] for i in part(len(rest), split, has_own_test=True)]


def part_of(text: str, salt: str, *, has_own_test: bool = False) -> str:
    """Return the split of a text, a function of only its characters and `salt`, in the same shares as `part`.

    Equal texts are in the same split, and adding a text moves no other.
    """
    place = _place(text, salt)
    test = 0.0 if has_own_test else TEST_SHARE
    if place < test:
        return TEST_SPLIT
    return VALIDATION_SPLIT if place < test + (1 - test) * VALIDATION_SHARE else TRAIN_SPLIT


def lies_aside(text: str, salt: str) -> bool:
    """Return whether a training text belongs to the second task (a share ASIDE of all), a function of only the text."""
    return _place(text, f"{salt} aside") < ASIDE


def _place(text: str, salt: str) -> float:
    """Return a hash in 0..1 of the characters of both."""
    digest = hashlib.sha256((salt + text).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def must_be_split(split: str) -> None:
    """Raise ValueError for an unknown split."""
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; expected one of {', '.join(SPLITS)}")
