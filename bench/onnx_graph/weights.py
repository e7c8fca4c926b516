"""The weights of graph files: read one tensor at a time, dequantized, compared."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.onnx_graph.errors import GraphError, explained
from bench.onnx_graph.skeleton import mapped, skeleton_of
from bench.onnx_graph.sources import Source


class Weights:
    """The stored tensors of one file; a context manager. Nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = skeleton_of(path).places
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
        return name in self._places

    def names(self) -> tuple[str, ...]:
        """The tensors, in the order of the file."""
        return tuple(self._places)

    def array(self, name: str) -> Any:
        """The tensor as a numpy array; raises GraphError when its bytes are missing or not what it says."""
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import numpy_helper

        if name not in self._places:
            raise GraphError(f"{self._path}: it has no tensor {name[:200]!r} of its own")
        start, end = self._places[name]
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString(bytes(self._view[start:end]))
            return numpy_helper.to_array(tensor, base_dir=str(self._path.parent))
        except DecodeError as error:
            raise explained(self._path, f"tensor {name[:200]!r}: {error}") from error
        except (onnx.checker.ValidationError, OSError, KeyError, TypeError, ValueError) as error:
            raise explained(
                self._path, f"the weights of tensor {name[:200]!r} cannot be read ({error})"
            ) from error

    def numbers(self, source: Source) -> Any:
        """The tensor in the float domain: dequantized where it has a scale. Raises GraphError."""
        import numpy as np

        array = self.array(source.tensor)
        if source.scale:
            scale = self.array(source.scale).astype(np.float32)
            zero = self.array(source.zero_point) if source.zero_point else None
            array = dequantized(array, scale, zero, source.axis, source.block)
        return array.swapaxes(-1, -2) if source.is_transposed and array.ndim > 1 else array


def dequantized(array: Any, scale: Any, zero_point: Any, axis: int, block: int = 0) -> Any:
    """(array - zero point) x scale as float32, scales spread over the other axes or over blocks of one."""
    import numpy as np

    def spread(values: Any) -> Any:
        if values.size == 1:
            return values.reshape(())
        if block:
            return np.repeat(values, block, axis=axis).take(range(array.shape[axis]), axis=axis)
        if values.ndim == 1:
            place = axis if array.shape[axis] == values.size else 0
            shape = [1] * array.ndim
            shape[place] = values.size
            return values.reshape(shape)
        return values.reshape([*values.shape[:1], *[1] * (array.ndim - 2), values.shape[-1]])

    result = array.astype(np.float32)
    if zero_point is not None and zero_point.size:
        result -= spread(zero_point.astype(np.float32))
    return result * spread(scale)
