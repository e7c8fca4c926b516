"""Who counts instructions here: the processor itself, or Valgrind; and how an arm's launcher is started for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bench.gate.errors import GateError
from bench.gate.valgrind import find_valgrind
from bench.instruments.hardware_counter import HardwareCounter
from suite.worker.errors import Unavailable

ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
START_DEADLINE: Final = 300.0


class InstructionCounter(Protocol):
    """Something that counts the instructions of an arm's processes."""

    @property
    def title(self) -> str:
        """Its name and version, for people; counts of different ones are never compared."""

    @property
    def start_deadline(self) -> float:
        """Seconds that a launcher's imports may take."""

    def prefix(self, folder: Path) -> tuple[str, ...]:
        """Return the command to put before a launcher's; counts go through `folder`."""

    def variables(self, folder: Path) -> Mapping[str, str]:
        """Return the environment variables of such a launcher."""

    def why_not_started(self, message: str) -> str:
        """Return one sentence on a launcher that did not come up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The processor's own counter. Both arms run on this processor, so that they take the same kernels anyhow."""

    title: str = "the processor"
    start_deadline: float = START_DEADLINE

    def prefix(self, folder: Path) -> tuple[str, ...]:
        """Return no command: processes count themselves."""
        return ()

    def variables(self, folder: Path) -> Mapping[str, str]:
        """Return the variables that keep all work on the thread that is counted."""
        return ONE_THREAD

    def why_not_started(self, message: str) -> str:
        """Return the launcher's first words."""
        lines = [line for line in message.splitlines() if line.strip()]
        return f"the arm does not start again: {lines[0] if lines else 'no answer'}"


def find_hardware() -> Hardware:
    """Return the processor's counter. Raises Unavailable, with the reason, where it does not count."""
    counter = HardwareCounter()
    try:
        counter.start()
        if counter.stop().total <= 0:
            raise Unavailable("the processor's counter of instructions stays at zero")
    finally:
        counter.close()
    return Hardware()


def find_counter() -> InstructionCounter:
    """Return who counts here: the processor, which costs nothing; else Valgrind, which knows functions and operators.

    Raises GateError with both reasons if neither can.
    """
    try:
        return find_hardware()
    except Unavailable as reason:
        try:
            return find_valgrind()
        except GateError as error:
            raise GateError(f"{error}. The processor's own counter: {reason}") from error
