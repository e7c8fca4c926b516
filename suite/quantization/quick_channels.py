"""Worker side. Weights of ONNX Runtime's dynamic quantizer by channel, all channels of a tensor at once.

The library (onnxruntime 1.32) rounds channel by channel in Python: 13 s of processor for the 200,000 channels of 135
million weights, here 2 s, to the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

PLAIN: Final = {"rmin_override": None, "rmax_override": None}
"""Arguments of the library's function with which a channel's range is that of its weights."""


@contextmanager
def quick_channels() -> Iterator[None]:
    """Within the block, ONNX Runtime's quantizer takes the channels of a weight from one computation; the block does
    nothing if the library no longer has the functions behind which this stands.
    """
    try:
        from onnxruntime.quantization import base_quantizer

        kind = base_quantizer.BaseQuantizer
        whole, one = kind.quantize_weight_per_channel_impl, base_quantizer.quantize_data
    except (ImportError, AttributeError):
        yield
        return

    def by_channel(self: Any, name: str, kept: Any, axis: int, *given: Any, **named: Any) -> Any:
        from onnx import TensorProto

        stored = base_quantizer.find_by_name(name, self.model.initializer())
        if stored is not None and stored.data_type == TensorProto.FLOAT:
            base_quantizer.quantize_data = _rows(stored, axis, one)
        try:
            return whole(self, name, kept, axis, *given, **named)
        finally:
            base_quantizer.quantize_data = one

    kind.quantize_weight_per_channel_impl = by_channel
    try:
        yield
    finally:
        kind.quantize_weight_per_channel_impl = whole


def _rows(stored: Any, axis: int, one: Any) -> Any:
    """Return a function in the place of the library's `quantize_data`, which is called for one channel after the
    other; it leaves to the library's what is not a plain 8-bit integer.
    """
    from onnx import numpy_helper

    weights = np.moveaxis(numpy_helper.to_array(stored), axis, 0)
    weights = np.ascontiguousarray(weights).reshape(len(weights), -1)
    made: list[Iterator[Any]] = []

    def next_row(data: Any, kind: int, symmetric: bool, **named: Any) -> Any:
        if not made:
            made.append(_quantized(weights, kind, symmetric, one, **named))
        return next(made[0], None) or one(data, kind, symmetric, **named)

    return next_row


def _quantized(
    weights: Any,
    kind: int,
    symmetric: bool,
    one: Any,
    *,
    reduce_range: bool = False,
    min_real_range: Any = None,
    **ranges: Any,
) -> Iterator[Any]:
    """Yield (zero point, scale, integers) of every row of `weights` [channels, rest]; nothing for other types."""
    from onnx import TensorProto
    from onnxruntime.quantization.quant_utils import get_qmin_qmax_for_qType

    if kind not in (TensorProto.INT8, TensorProto.UINT8) or min_real_range is not None:
        return
    if (
        any(ranges.get(name, value) is not value for name, value in PLAIN.items())
        or not weights.size
    ):
        return
    least, most = get_qmin_qmax_for_qType(kind, reduce_range, symmetric=symmetric)
    low = np.minimum(weights.min(axis=1), np.float32(0))
    high = np.maximum(weights.max(axis=1), np.float32(0))
    if symmetric:
        high = np.maximum(np.abs(low), np.abs(high))
        low = -high
    exact = (high.astype(np.float64) - low.astype(np.float64)) / (float(most) - float(least))
    is_flat = exact < np.finfo(np.float32).tiny  # a channel of zeros has scale 1
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.full_like(exact, (float(least) + float(most)) / 2)
        zeros = np.round(middle if symmetric else float(least) - low / exact)
    zeros = np.where(is_flat, 0, zeros).astype(least.dtype)
    scales = np.where(is_flat, 1.0, exact).astype(np.float32)
    bottom, top = get_qmin_qmax_for_qType(kind, False, symmetric=False)
    rows = (weights / scales[:, None]).round()
    rows += zeros[:, None]
    integers = np.clip(rows, bottom, top, out=rows).astype(least.dtype)
    yield from zip(map(np.asarray, zeros), map(np.asarray, scales), integers, strict=True)
