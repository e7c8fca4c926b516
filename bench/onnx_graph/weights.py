"""Reading of the stored tensors of a graph file: one at a time, or some rows of one, and dequantized."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.onnx_graph.errors import GraphError, explained
from bench.onnx_graph.packed import unpacked_rows
from bench.onnx_graph.record import Graph, Tensor
from bench.onnx_graph.skeleton import DIGEST, WALKED, mapped, release, skeleton_of
from bench.onnx_graph.sources import Source
from bench.onnx_graph.stored import BLOCK, BadTensor, Stored, sparse_parts, stored_tensor

RECENT: Final = 2
"""Tensors of scales and zero points that are kept in memory: those of one tensor of weights."""
MOST_DENSE: Final = 1 << 26
"""Maximum number of elements of a sparse tensor that is made dense."""


class Weights:
    """Stored tensors of one file; a context manager. Nothing is read before it is requested."""

    def __init__(self, path: Path, graph: Graph | None = None) -> None:
        """`graph`: the already read graph of the file, to avoid parsing it again."""
        self._path = path
        listed = graph.tensors if graph is not None else skeleton_of(path).tensors
        self._tensors = {tensor.name: tensor for tensor in listed if tensor.place}
        self._walked = 0
        self._located: dict[str, Stored] = {}
        self._recent: dict[str, Any] = {}
        self._last: tuple[str, Stored] | None = None
        self._files: dict[Path, int] = {}
        self._open = ExitStack()
        self._view = self._open.enter_context(mapped(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def names(self) -> tuple[str, ...]:
        """Names of the tensors, in the order of the file."""
        return tuple(self._tensors)

    def array(self, name: str) -> Any:
        """Return the tensor as a numpy array; raise GraphError if its bytes are missing or do not fit its shape."""
        return self.rows(name, 0, None)

    def rows(self, name: str, low: int, high: int | None) -> Any:
        """Return rows `low` to `high` of the tensor along its first axis, as a numpy array. Raises GraphError."""
        tensor = self._tensor(name)
        with self._errors(name):
            if tensor.place and tensor.place.kind == "sparse":
                dense = self._dense(tensor)
                return dense[low:high] if dense.ndim else dense
            return self._stored(tensor).array(low, high)

    def elements(self, name: str, low: int, high: int) -> Any:
        """Return elements `low` to `high` of the tensor in storage order. Raises GraphError."""
        tensor = self._tensor(name)
        with self._errors(name):
            if tensor.place and tensor.place.kind == "sparse":
                return self._dense(tensor).reshape(-1)[low:high]
            return self._stored(tensor).elements(low, high)

    def digest(self, name: str) -> str:
        """Return a digest of type, shape and elements, independent of the form in the file. Raises GraphError."""
        tensor = self._tensor(name)
        found = hashlib.sha256(f"{tensor.dtype}{list(tensor.shape)}".encode())
        with self._errors(name):
            for part in self._parts(tensor):
                if part.descriptor is not None and part.num_bytes <= BLOCK:
                    # Read whole and kept: its elements are asked for next.
                    part = part.in_memory()
                    self._last = (name, part)
                for block in part.blocks():
                    found.update(block)
        return f"{DIGEST}{found.hexdigest()[:16]}"

    def numbers(self, source: Source) -> Any:
        """Return the tensor in the float domain: dequantized if it has a scale. Raises GraphError."""
        shape = self.shape(source)
        return self.number_rows(source, 0, shape[0] if shape else 1)

    def shape(self, source: Source) -> tuple[int, ...]:
        """Return the shape of the result of `numbers`."""
        shape = source.packing.shape if source.packing else self._tensor(source.tensor).shape
        return (*shape[:-2], shape[-1], shape[-2]) if source.is_transposed and shape[1:] else shape

    def number_rows(self, source: Source, low: int, high: int) -> Any:
        """Return rows `low` to `high` along the first axis of the result of `numbers`. Raises GraphError."""
        tensor = self._tensor(source.tensor)
        is_swapped = source.is_transposed and len(self.shape(source)) == 2
        axis = 1 if is_swapped else 0
        rows = (0, None) if is_swapped else (low, high)
        array = self._codes(source, *rows)
        if is_swapped:
            array = array[:, low:high]
        if source.scale:
            array = self._dequantized(source, array, axis, low, high)
        elif tensor.dtype != "string" and array.dtype.kind not in "biufc":
            array = array.astype("f4")
        return array.swapaxes(-1, -2) if source.is_transposed and array.ndim > 1 else array

    def _codes(self, source: Source, low: int, high: int | None) -> Any:
        """Return stored rows, with packed integers unpacked."""
        packing = source.packing
        if packing is None:
            return self.rows(source.tensor, low, high)
        if packing.table:  # stored flat: two codes a byte
            num_rows, width = packing.shape
            stop = num_rows if high is None else min(high, num_rows)
            array = self.elements(source.tensor, low * width // 2, stop * width // 2)
            array = array.reshape(stop - low, -1)
        else:
            array = self.rows(source.tensor, low, high)
        with self._errors(source.tensor):
            return unpacked_rows(array, packing)

    def _dequantized(self, source: Source, array: Any, axis: int, low: int, high: int) -> Any:
        """Return these rows (`low` to `high` along `axis`) times their scales."""
        import numpy as np

        whole = source.packing.shape if source.packing else self._tensor(source.tensor).shape
        along = source.axis if source.axis >= 0 else source.axis + len(whole)
        scale = self._kept(source.scale).astype(np.float32, copy=False)
        zero = self._zero_point(source)
        if source.packing:
            scale = scale.reshape(source.packing.scales_shape)
            along = source.packing.axis
        window = slice(low, high) if array.ndim else None
        is_own = source.packing is not None and array.flags.c_contiguous
        return _scaled(array, scale, zero, along, source.block, axis, window, whole, is_own=is_own)

    def _zero_point(self, source: Source) -> Any:
        packing = source.packing
        if packing is None:
            return self._kept(source.zero_point) if source.zero_point else None
        import numpy as np

        if not source.zero_point:
            return np.array(packing.default_zero_point, np.float32)
        zero = self._kept(source.zero_point)
        if zero.dtype == np.uint8:
            return packing.unpacked_zero_points(zero)
        return zero.astype(np.float32).reshape(packing.scales_shape)

    def _kept(self, name: str) -> Any:
        """Return a tensor of scales or zero points, which is needed again for the next rows of the same weights."""
        if name not in self._recent:
            if len(self._recent) == RECENT:
                self._recent.clear()
            self._recent[name] = self.array(name)
        return self._recent[name]

    def _tensor(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise GraphError(f"{self._path}: it has no tensor {name[:200]!r} of its own")
        return self._tensors[name]

    def _parts(self, tensor: Tensor) -> tuple[Stored, ...]:
        if tensor.place and tensor.place.kind == "sparse":
            return sparse_parts(self._view, tensor.place, self._path, self._descriptor)
        return (self._stored(tensor),)

    def _stored(self, tensor: Tensor) -> Stored:
        if self._last is not None and self._last[0] == tensor.name:
            return self._last[1]
        known = self._located.get(tensor.name)
        if known is not None:
            return known
        place = tensor.place
        assert place is not None
        if place.content is not None:
            return Stored(
                dtype=place.dtype,
                shape=tensor.shape,
                num_bytes=tensor.num_bytes,
                descriptor=self._descriptor(self._path),
                offset=place.content,
            )
        self._walked += place.end - place.start
        if self._walked > WALKED:
            self._walked = 0
            release(self._view)
        found = stored_tensor(self._view, place, self._path, self._descriptor)
        if found.descriptor is not None:  # only the location of its bytes is known
            self._located[tensor.name] = found
        return found

    def _descriptor(self, path: Path) -> int:
        """Return the file's open descriptor, which is closed with these weights."""
        if path not in self._files:
            self._files[path] = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            self._open.callback(os.close, self._files[path])
        return self._files[path]

    def _dense(self, tensor: Tensor) -> Any:
        import numpy as np

        if prod(tensor.shape) > MOST_DENSE:
            raise BadTensor(f"it is sparse, and written out has {prod(tensor.shape):,} elements")
        values, indices = (part.array() for part in self._parts(tensor))
        dense = np.zeros(tensor.shape, values.dtype)
        places = indices
        if indices.ndim > 1:
            places = np.ravel_multi_index(indices.T, tensor.shape)
        if places.size and not (places.min() >= 0 and places.max() < dense.size):
            raise BadTensor("its indices point outside of its shape")
        dense.reshape(-1)[places] = values
        return dense

    def _errors(self, name: str) -> _Errors:
        return _Errors(self._path, name)


class _Errors:
    """Converts errors of reading a tensor to GraphError; a class, because a generator takes three times as long."""

    __slots__ = ("_name", "_path")

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, GraphError):
            return
        from google.protobuf.message import DecodeError

        if isinstance(error, (BadTensor, DecodeError, OSError, IndexError, TypeError, ValueError)):
            reason = f"the weights of tensor {self._name[:200]!r} cannot be read ({error})"
            raise explained(self._path, reason) from error


def dequantized(array: Any, scale: Any, zero_point: Any, axis: int, block: int = 0) -> Any:
    """Return (array - zero point) x scale as float32, with scales broadcast over the other axes or over blocks of
    one.
    """
    return _scaled(array, scale, zero_point, axis, block, 0, None, array.shape)


def _scaled(
    array: Any,
    scale: Any,
    zero_point: Any,
    axis: int,
    block: int,
    cut: int,
    window: slice | None,
    whole: tuple[int, ...],
    *,
    is_own: bool = False,
) -> Any:
    """Return the scaled array. `array`: the part `window` along the axis `cut` of a tensor of shape `whole`; `is_own`:
    it is float32 that nobody else has.
    """
    import numpy as np

    def spread(values: Any) -> Any:
        if values.size == 1:
            return values.reshape(())
        if block:
            places = np.arange(whole[axis])
            if window is not None and axis == cut:
                places = places[window]
            elif window is not None:
                values = values[(slice(None),) * cut + (window,)]
            return values.take(places // block, axis=axis)
        if values.ndim == 1:
            place = axis if whole[axis] == values.size else 0
            values = values.reshape([-1 if n == place else 1 for n in range(len(whole))])
        elif values.ndim != len(whole):
            values = values.reshape([*values.shape[:1], *[1] * (len(whole) - 2), values.shape[-1]])
        if window is not None and values.shape[cut] > 1:
            values = values[(slice(None),) * cut + (window,)]
        return values

    result = array if is_own else array.astype(np.float32)
    if block and axis == array.ndim - 1 != cut and whole[axis] % block == 0:
        # Blocks are contiguous: apply one scale each, without expanding it to every element.
        rows = window if window is not None and cut == 0 else slice(None)
        blocks = result.reshape(*array.shape[:-1], -1, block)
        if zero_point is not None and zero_point.size:
            zero = zero_point.astype(np.float32)
            blocks -= zero.reshape(()) if zero.size == 1 else zero[rows][..., None]
        blocks *= scale.reshape(()) if scale.size == 1 else scale[rows][..., None]
        return result
    if zero_point is not None and zero_point.size:
        result -= spread(zero_point.astype(np.float32))
    return result * spread(scale)
