"""Open axes: names and expressions such as `2*batch` or `Min(160, sequence)`, and their values for given sizes."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

LONGEST: Final = 2000
"""Maximum length in characters of an evaluated expression."""
LARGEST: Final = 2**63
"""Limit of an extent, which stops power towers."""

_BATCH: Final = re.compile(r"n|b|bs|batch([_ ]?(size|dim))?", re.IGNORECASE)
_OPERATORS: Final[dict[type[ast.AST], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "min": min,
    "max": max,
    "mod": operator.mod,
    "floor": math.floor,
    "ceiling": math.ceil,
    "ceil": math.ceil,
    "floordiv": operator.floordiv,
    "ceiltoint": math.ceil,
    "floortoint": math.floor,
}


def default_sizes(names: Sequence[str]) -> dict[str, int]:
    """Return 1 for an axis that is named like a batch; nothing for the others."""
    return {name: 1 for name in names if _BATCH.fullmatch(name)}


def extent(expression: str, sizes: Mapping[str, int]) -> int | None:
    """Return the value of an axis, or None if a name in it has no size or it is not an expression.

    No code is executed. Supported: names, integers, + - * // / %, Min, Max, Mod, floor and ceiling.
    """
    if expression in sizes:
        return sizes[expression]
    if len(expression) > LONGEST:
        return None
    try:
        value = _value(ast.parse(expression.strip(), mode="eval").body, sizes)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError):
        return None
    if not isinstance(value, int | float) or not 0 <= value < LARGEST or value != int(value):
        return None
    return int(value)


def parse_sizes(text: str) -> dict[str, int]:
    """Return `batch=8,sequence=128` as a mapping; raise ValueError, whose text has the expected form."""
    sizes = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, number = part.rpartition("=")
        if not name or not number.strip().isdecimal():
            raise ValueError(
                f"--axes {part!r}: expected NAME=SIZE, such as batch=8,sequence=128, or"
                " INPUT:AXIS=SIZE for an axis without a name"
            )
        sizes[name.strip()] = int(number)
    return sizes


def _value(node: ast.expr, sizes: Mapping[str, int]) -> Any:
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name):
            return sizes[name] if name in sizes else _unknown(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, sizes)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, sizes), _value(right, sizes))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            function = _FUNCTIONS.get(name.lower())
            return function(*(_value(a, sizes) for a in arguments)) if function else _unknown(name)
    return _unknown(ast.dump(node)[:40])


def _unknown(what: str) -> Any:
    raise ValueError(f"{what} has no value")
