"""Worker side. Outputs of a module for the inputs of a comparison: in its own precision and in float64."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from suite.axes import EAGER
from suite.flat_tensors import flatten_outputs
from suite.stages.export.rounding_errors import Answers


class Reference:
    """Outputs of a module, each computed once. Inputs are identified by object identity and kept alive here."""

    def __init__(self, module: nn.Module, outputs: Sequence[str]) -> None:
        self.module = module
        self.outputs = outputs
        """Output names of the record, which order a dictionary that the module returns."""
        self._inputs: list[Mapping[str, Any]] = []
        self._eager: dict[int, list[Any]] = {}
        self._judge: dict[int, tuple[list[Any], str]] = {}
        self._seconds: dict[int, float] = {}

    def flatten(self, result: Any) -> list[Tensor]:
        """Return the module's output tensors in the record's order."""
        return flatten_outputs(result, self.outputs)

    def know(
        self, inputs: Mapping[str, Any], outputs: Sequence[Tensor], seconds: float | None = None
    ) -> None:
        """Store eager's outputs that were computed elsewhere, and the seconds of a warm pass if they are known."""
        self._inputs.append(inputs)
        if seconds is not None:
            self._seconds[id(inputs)] = seconds
        self._eager[id(inputs)] = [as_array(tensor) for tensor in outputs]

    def eager(self, inputs: Mapping[str, Any]) -> list[Any]:
        """Return eager's outputs as NumPy arrays."""
        if id(inputs) not in self._eager:
            with torch.no_grad():
                self.know(inputs, self.flatten(self.module(**inputs)))
        return self._eager[id(inputs)]

    def warm_seconds(self, inputs: Mapping[str, Any]) -> float:
        """Return the seconds of an eager pass on inputs of a shape seen before: the first one prepares kernels."""
        if id(inputs) not in self._seconds:
            begin = time.perf_counter()
            with torch.no_grad():
                self.module(**inputs)
            self._seconds[id(inputs)] = time.perf_counter() - begin
        return self._seconds[id(inputs)]

    def judge(self, batches: Iterable[Mapping[str, Any]]) -> None:
        """Run the module in float64 on those inputs that have no reference yet.

        If that fails, eager is the reference and its error is unknown.
        """
        missing = [inputs for inputs in batches if id(inputs) not in self._judge]
        if not missing:
            return
        try:
            found = exact_answers(self.module, missing, self.flatten)
        except Exception as error:
            print(f"no float64 run: {type(error).__name__}: {error}")
            for inputs in missing:
                why = f"eager (float64 raises {type(error).__name__})"
                self._judge[id(inputs)] = (self.eager(inputs), why)
        else:
            for inputs, (outputs, how) in zip(missing, found, strict=True):
                self._judge[id(inputs)] = ([as_array(tensor) for tensor in outputs], how)
        self._inputs.extend(missing)

    def is_judged(self, inputs: Mapping[str, Any]) -> bool:
        """Return whether `answers` has a float64 run, or a reason why there is none."""
        return id(inputs) in self._judge

    def answers(self, inputs: Mapping[str, Any]) -> Answers:
        """Return eager's outputs and the reference's; eager's twice if no reference was computed."""
        eager = self.eager(inputs)
        judge, how = self._judge.get(id(inputs), (eager, EAGER))
        return Answers(eager=eager, judge=judge, judged_by=how)


def as_array(tensor: Tensor) -> Any:
    """Return the tensor as a NumPy array; bfloat16, which NumPy lacks, as float32, and complex numbers as pairs."""
    tensor = tensor.detach().cpu()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()


# Reference of parity: a module's outputs in float64, and the operators that could not run in it.

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
