"""Worker side. Row classification: one label for a picture read as a sequence of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from suite.data.samples import Dataset, Image
from suite.data.sources import Source
from suite.tasks import image_classification
from suite.tasks.accuracy import judge, loss, summarize, trivial
from suite.tasks.batch import Batch
from suite.tasks.examples import Example, Examples, sampled
from suite.tasks.pictures import data_set, picture_examples, refuse_more_classes

__all__ = ["batch", "examples", "judge", "loss", "summarize", "trivial"]


def batch(
    inputs: Mapping[str, Any], source: Source, *, num_samples: int, seed: int, split: str
) -> Batch:
    """Return x [samples, steps, side]; targets: labels [samples]."""
    return sampled(
        examples(inputs, source, seed=seed, split=split),
        num_samples=num_samples,
        data=data_set(
            source, split, f"grey, {inputs['steps']} rows of {inputs['side']}, normalized"
        ),
    )


def examples(inputs: Mapping[str, Any], source: Source, *, seed: int, split: str) -> Examples:
    """Return one example per picture; raise DataError if there are more classes than the model's `classes`."""
    result = picture_examples(
        _rows, image_classification.ready, inputs, source, seed=seed, split=split
    )
    refuse_more_classes(result.data, inputs, source)
    return result


def _rows(
    data: Dataset[Image],
    index: int,
    rng: np.random.Generator,
    *,
    inputs: Mapping[str, Any],
    is_training: bool,
) -> Example:
    """Return the rows from the top, starting over if there are more steps than rows."""
    picture = image_classification.labelled(
        data, index, rng, inputs={**inputs, "channels": 1}, is_training=is_training
    )
    order = torch.arange(inputs["steps"]) % inputs["side"]
    return Example(inputs={"x": picture.inputs["x"][0, order]}, targets=picture.targets)
