"""Worker side. What a file of callgrind says: instructions in all, of each function, in each operator.

Operators of PyTorch are known by the dispatcher's functions, those of ONNX Runtime by its kernels (kernel_names.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from bench.instruments.instruction_profile import InstructionProfile
from bench.instruments.kernel_names import LIBRARY, kernel_names

OPERATOR: Final = re.compile(r"^at::_ops::(\w+)::call\(")
"""The dispatcher's entry of an operator: what is called below it belongs to it."""
RECURSION: Final = re.compile(r"'\d+$")
TOTAL: Final = "totals:"
CUT_OFF: Final = "no line `totals:`; the file of callgrind is cut off"
ADDRESS: Final = re.compile(r"^0x[0-9a-f]+$")
NO_SYMBOL: Final = re.compile(r"^(0x[0-9a-f]+|\?\?\?)$")


def parse_profile(lines: Iterable[str]) -> InstructionProfile:
    """Parse the lines of a callgrind file (format version 1, one event).

    A name is written once, as `fn=(12) name`, and is `(12)` from then on. A line of costs ends with the number of
    instructions; the one after `calls=` has those of the called function, which are no costs of the function itself.
    Raises ValueError if there is no total.
    """
    names: dict[str, str] = {}
    files: dict[str, str] = {}
    functions: Counter[str] = Counter()
    operators: Counter[str] = Counter()
    total: int | None = None
    library = function = called = called_library = ""
    is_call = False
    for line in lines:
        key, equals, value = line.rstrip("\n").partition("=")
        if not equals:
            if line[:1].isdigit() or line[:1] in "+-*":
                cost = int(line.rsplit(maxsplit=1)[-1])
                if not is_call:
                    functions[_title(function, library)] += cost
                elif operator := _operator(called, called_library or library):
                    operators[operator] += cost
                if is_call:
                    is_call, called_library = False, ""
            elif line.startswith(TOTAL):
                total = int(line.split()[1])
            continue
        if key == "ob":
            library = _name(value, files)
        elif key == "fn":
            function = _name(value, names)
        elif key == "cob":
            called_library = _name(value, files)
        elif key == "cfn":
            called = _name(value, names)
        elif key == "calls":
            is_call = True
    if total is None:
        raise ValueError(CUT_OFF)
    return InstructionProfile(total=total, functions=functions, operators=operators)


def parse_total(lines: Iterable[str]) -> int:
    """Return the instructions in all. Raises ValueError if the file does not say."""
    for line in lines:
        if line.startswith(TOTAL):
            return int(line.split()[1])
    raise ValueError(CUT_OFF)


def _name(value: str, known: dict[str, str]) -> str:
    """Return the name that `(12) name` introduces or `(12)` repeats."""
    number, _, name = value.partition(" ")
    if name:
        known[number] = RECURSION.sub("", name)
    return known.get(number, "")


def _operator(called: str, library: str) -> str:
    """Return the operator whose entry is that function; empty for any other function."""
    if found := OPERATOR.match(called):
        return found[1]
    if LIBRARY in library and ADDRESS.match(called):
        return kernel_names(library).get(int(called, 16), "")
    return ""


def _title(function: str, library: str) -> str:
    if NO_SYMBOL.match(function):
        return f"{library.rpartition('/')[2] or 'code made at run time'} (no symbols)"
    return function
