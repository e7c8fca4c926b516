"""Worker side. Values of tensors that a module's Python code reads, and whether its answer depends on them.

A tracer that keeps what one example did (the legacy exporter) makes a constant of each of them: an `if` on a value is
frozen to the branch that the example took, and the graph is wrong for every input that takes the other.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

MOST_READS: Final = 12
"""Places that are tried; each costs one forward pass."""

TORCH: Final = str(Path(torch.__file__).parent)


class FrozenValueError(RuntimeError):
    """The module's answer depends on a value that its Python code reads: a trace of one example is no graph of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A place where Python code reads the value of a tensor."""

    at: str
    """File and line: `net.py:12`."""
    code: str
    """The line."""
    number: int
    """Which read of the forward pass it is, counted from 0."""
    value: Any


class _ValueReads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every read, and gives another value at the one that is asked for."""

    def __init__(self, changed: int | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.changed = changed
        self.found: list[Read] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is not torch.ops.aten._local_scalar_dense.default:
            return result
        file, line = _caller()
        number = len(self.found)
        code = linecache.getline(file, line).strip()
        at = f"{Path(file).name}:{line}"
        self.found.append(Read(at=at, code=code, number=number, value=result))
        return _other_value(result) if number == self.changed else result


def refuse_frozen_values(
    module: nn.Module, inputs: Mapping[str, Any], flatten: Callable[[Any], list[Tensor]]
) -> None:
    """Raises FrozenValueError when another value at one of the reads gives another answer.

    Every place is tried once with the opposite boolean or another number. A boolean whose opposite makes the module
    raise is a check of its input, and one that changes nothing chooses between two ways to one answer: both may be
    frozen.
    """
    with torch.no_grad(), _ValueReads() as plain:
        expected = flatten(module(**inputs))
    places = {read.at: read for read in reversed(plain.found)}
    for read in sorted(places.values(), key=lambda read: read.number)[:MOST_READS]:
        try:
            with torch.no_grad(), _ValueReads(read.number):
                answered = flatten(module(**inputs))
        except Exception:
            matters = not isinstance(read.value, bool)
        else:
            matters = not _same(expected, answered)
        if matters:
            raise FrozenValueError(
                f"forward reads a tensor's value in Python ({read.at}: `{read.code}`) and answers otherwise for"
                " another value; the tracer would keep what the example did"
            )


def _caller() -> tuple[str, int]:
    """File and line of the innermost frame outside PyTorch."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if not name.startswith(TORCH) and name != __file__:
            break
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _other_value(value: Any) -> Any:
    return not value if isinstance(value, bool) else value + 1


def _same(expected: list[Tensor], answered: list[Tensor]) -> bool:
    return len(expected) == len(answered) and all(
        a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())
        for a, b in zip(expected, answered, strict=True)
    )
