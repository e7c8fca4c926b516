"""Worker side. Outputs: a model's result as tensors for losses and metrics, with errors for unusable ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from suite.flat_tensors import flatten_outputs


def tensors_of(result: Any) -> list[Tensor]:
    """Return the tensors of a model's (nested) result; raise ValueError if there are none."""
    found = flatten_outputs(result)
    if not found:
        raise ValueError(
            f"the model returned {type(result).__name__} without a tensor in it; expected a tensor, or a tuple,"
            " list or dictionary of tensors. Next: let `forward` return one of these"
        )
    return found


def must_be_finite(outputs: Sequence[Tensor]) -> None:
    """Raise ValueError if an output contains NaN or infinity: such a model cannot be evaluated."""
    for number, output in enumerate(outputs):
        if output.is_floating_point() and not output.isfinite().all():
            raise ValueError(
                f"output {number} of the model, {list(output.shape)}, holds NaN or infinity; expected finite"
                " numbers. Next: look at the training's loss and gradient norms; a lower learning rate often helps"
            )


def must_have_outputs(labels: Tensor, num_outputs: int) -> None:
    """Raise ValueError if a label is outside 0..outputs - 1; on a GPU it would kill the process."""
    if not labels.numel():
        return
    low, high = (int(value) for value in labels.aminmax())
    if low < 0 or high >= num_outputs:
        raise ValueError(
            f"label {low if low < 0 else high} for a model with {num_outputs} outputs; expected 0 to"
            f" {num_outputs - 1}. Next: the model's number of classes, or the labels of the data"
        )
