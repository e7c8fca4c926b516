"""Worker side. The instructions of one counted stretch, whoever counts them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionProfile:
    """The instructions of one counted stretch."""

    total: int
    functions: Counter[str] = field(default_factory=Counter)
    """Function -> its own instructions; those of a library without symbols are together under its name.

    Empty where only the total is counted.
    """
    operators: Counter[str] = field(default_factory=Counter)
    """Operator -> instructions in it and below it, those of the operators that it calls included; empty likewise."""


class InstructionCounter(Protocol):
    """Counts the instructions of this process in user space."""

    def start(self) -> None:
        """Begin at zero."""

    def stop(self) -> InstructionProfile:
        """Stop, and return what was counted since `start`."""
