"""Worker side. Detection of tensor values that a module's Python code reads and on which its output depends.

A tracer that records one example (the legacy exporter) makes each of them a constant: an `if` on a value is frozen to
the example's branch, and the graph is wrong for every input that takes the other.
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
"""Maximum number of places tried; each costs one forward pass."""

TORCH: Final = str(Path(torch.__file__).parent)


class FrozenValueError(RuntimeError):
    """Error raised if the module's output depends on a value read by Python code: one trace does not represent the
    module.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A place where Python code reads the value of a tensor."""

    at: str
    """File and line: `net.py:12`."""
    code: str
    """Source text of the line."""
    number: int
    """Index of the read within the forward pass, from 0."""
    value: Any


class _ValueReads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records every read, and replaces the value at the selected one."""

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
    """Raise FrozenValueError if another value at one of the reads changes the output.

    Every place is tried once with the opposite boolean or another number. A boolean whose opposite makes the module
    raise is an input check, and one that changes nothing chooses between two equivalent paths: both may be frozen.
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
    """Return file and line of the innermost frame outside PyTorch."""
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
