"""Worker side. Calibration: the real samples that determine the ranges of activations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.quantization.errors import QuantizationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Feeds = Mapping[str, "NDArray[Any]"]
"""Input of the graph -> array: one sample, or several if the graph's batch is dynamic."""


class Calibration:
    """Passes feeds to ONNX Runtime one by one (implements CalibrationDataReader) and counts them.

    Raises QuantizationError when there is no feed, when one lacks an input of the graph, and when one holds a value
    that is not finite: a single NaN would make every range NaN.
    """

    def __init__(self, feeds: Iterable[Feeds], inputs: Iterable[str], name: str) -> None:
        self.inputs = list(inputs)
        self.name = name
        self.num_feeds = 0
        self.num_samples = 0
        self._rest: Iterator[Feeds] = iter(feeds)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next feed, or None at the end."""
        feed = next(self._rest, None)
        if feed is None:
            if not self.num_feeds:
                raise QuantizationError(
                    f"{self.name}: the calibration set is empty; expected at least one real sample of the training"
                    " split; next: look at `calibration_samples` of the model's Quantization and at the data"
                )
            return None
        if missing := [name for name in self.inputs if name not in feed]:
            raise QuantizationError(
                f"{self.name}: calibration feed {self.num_feeds} lacks the inputs {missing}; it has {sorted(feed)}"
            )
        chosen = {name: feed[name] for name in self.inputs}
        for name, array in chosen.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise QuantizationError(
                    f"{self.name}: calibration feed {self.num_feeds} has values in {name!r} that are not finite;"
                    " expected real samples"
                )
        self.num_feeds += 1
        self.num_samples += len(next(iter(chosen.values()))) if chosen else 0
        return chosen
