"""Worker side. Reference of parity: a module's outputs in float64, and the operators that could not run in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

FLOAT64: Final = "float64"
WIDE: Final = {
    torch.float32: torch.float64,
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.complex64: torch.complex128,
    torch.complex32: torch.complex128,
}
"""Dtype of the module -> dtype of the reference."""


class WideOperators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Run every operator in double precision, including those that the module casts to a narrower dtype.

    Transformers' normalizations and rotary embeddings cast to float32 explicitly, so `module.double()` alone would
    partly run in float32. Operators without a double-precision kernel run in single and are recorded.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.narrow: set[str] = set()
        """Names of the operators that ran in a narrower dtype."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        args = tuple(WIDE.get(a, a) if isinstance(a, torch.dtype) else a for a in args)
        if (dtype := kwargs.get("dtype")) in WIDE:
            kwargs["dtype"] = WIDE[dtype]
        # A copy of an argument that is written to, or of which the result is a view, would be lost.
        if func._schema.is_mutable or func.is_view:
            return func(*args, **kwargs)
        wide_args, wide_kwargs = pytree.tree_map(widened, (args, kwargs))
        try:
            return func(*wide_args, **wide_kwargs)
        except (RuntimeError, TypeError):  # includes NotImplementedError: no such kernel
            narrow_args, narrow_kwargs = pytree.tree_map(_narrowed, (args, kwargs))
            result = func(*narrow_args, **narrow_kwargs)
            self.narrow.add(str(func.name()))
            return pytree.tree_map(widened, result)


def exact_answers(
    module: nn.Module,
    batches: list[Mapping[str, Any]],
    flatten: Callable[[Any], list[Tensor]],
) -> list[tuple[list[Tensor], str]]:
    """Return for each batch the module's output tensors in float64, and what computed them (`float64`, or that with the
    operators that only run in a narrower dtype).

    A copy of the module with widened weights exists during the call; the module and its buffers are unchanged. Raises
    what the module raises in float64.
    """
    wide = wide_copy(module)
    found = []
    for inputs in batches:
        with _float64_by_default(), torch.no_grad(), WideOperators() as operators:
            result = flatten(wide(**pytree.tree_map(widened, dict(inputs))))
        narrow = ", ".join(sorted(operators.narrow))
        found.append((result, f"{FLOAT64} but for {narrow}" if narrow else FLOAT64))
    return found


def wide_copy(module: nn.Module) -> nn.Module:
    """Return a copy of the module in double precision; tied weights stay tied and are copied once."""
    known: dict[int, Any] = {}
    for parameter in module.parameters():
        if parameter.dtype in WIDE:
            known[id(parameter)] = nn.Parameter(widened(parameter), requires_grad=False)
    for buffer in module.buffers():
        if buffer.dtype in WIDE:
            known[id(buffer)] = widened(buffer)
    return copy.deepcopy(module, known)


def widened(value: Any) -> Any:
    """Return a tensor in double precision; anything else, including integers, unchanged."""
    wide = WIDE.get(value.dtype) if isinstance(value, Tensor) else None
    return value if wide is None else value.detach().to(wide)


def _narrowed(value: Any) -> Any:
    """Return a double tensor in single precision; anything else unchanged."""
    narrow = {torch.float64: torch.float32, torch.complex128: torch.complex64}
    kind = narrow.get(value.dtype) if isinstance(value, Tensor) else None
    return value if kind is None else value.to(kind)


@contextmanager
def _float64_by_default() -> Iterator[None]:
    """Within the block, use float64 as the default dtype of new tensors."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
