"""Worker side. The instructions of a forward pass, counted by callgrind or by the processor.

A count does not depend on what else the machine does, so that one per cent of work shows where wall time scatters by
ten. It says nothing of waiting: for memory, for other processes, for the system.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from bench.instruments.callgrind import FOLDER, CallgrindCounter
from bench.instruments.garbage import paused_garbage_collector
from bench.instruments.hardware_counter import HardwareCounter
from bench.instruments.instruction_profile import InstructionCounter, InstructionProfile
from bench.instruments.options import InstructionOptions
from bench.instruments.results import InstructionsResult
from suite.backends.runnable import runnable_for
from suite.results.step_output import StepOutput
from suite.worker.protocol import CellJob, Emit

WARM_PASSES: Final = 40
"""Python specializes the code of a pass during its first thirty, and takes fewer instructions for it afterwards."""
WARM_SECONDS: Final = 8.0
"""Of the processor."""
LEAST_WARM: Final = 3
SHORT_PASS: Final = 0.05
"""Seconds of the processor for a pass, not counted, below which a stretch has several passes."""
PASSES: Final = 10
"""Passes of a stretch if they are short: allocations that happen every few passes are spread over them."""
LEAST_SHARE: Final = 0.0005
"""Share of a pass below which a function or operator is not listed."""


def run(job: CellJob, emit: Emit) -> StepOutput[InstructionsResult]:
    """Count the instructions of InstructionOptions.num_counts stretches of passes of the cell."""
    asked = job.read(InstructionOptions)
    counter = counter_here()
    subject = runnable_for(job, emit)

    def call() -> None:
        subject.call()
        subject.synchronize()

    with subject.inference(), paused_garbage_collector():
        emit("phase", name="warmup")
        passes = PASSES if warm_up(call) < SHORT_PASS else 1
        emit("phase", name="instructions")
        nothing = count(counter, call, 0)
        found = [count(counter, call, passes) for _ in range(asked.num_counts)]
    middle = sorted(found, key=lambda one: one.total)[len(found) // 2]
    return StepOutput(
        result=InstructionsResult(
            counts=tuple((one.total - nothing.total) / passes for one in found),
            passes=passes,
            functions=per_pass(middle.functions, nothing.functions, passes),
            operators=per_pass(middle.operators, nothing.operators, passes),
        )
    )


def counter_here() -> InstructionCounter:
    """Return the counter that the process was started for. Raises Unavailable where it does not count."""
    return CallgrindCounter() if FOLDER in os.environ else HardwareCounter()


def warm_up(call: Callable[[], None], clock: Callable[[], float] = time.process_time) -> float:
    """Call until the code is specialized or WARM_SECONDS are over; return the seconds of the last call.

    Seconds of the processor: what else the machine does decides neither how warm a process is nor how it counts.
    """
    began = last = clock()
    for number in range(WARM_PASSES):
        call()
        before, last = last, clock()
        if number + 1 >= LEAST_WARM and last - began > WARM_SECONDS:
            break
    return last - before


def count(counter: InstructionCounter, call: Callable[[], None], passes: int) -> InstructionProfile:
    """Return what is counted in so many passes; with none, what counting itself takes."""
    stretch = range(passes)
    counter.start()
    for _ in stretch:
        call()
    return counter.stop()


def per_pass(found: Counter[str], nothing: Counter[str], passes: int) -> dict[str, float]:
    """Return name -> instructions per pass, largest first, without those that counting takes and the smallest."""
    shares = {name: (number - nothing[name]) / passes for name, number in found.items()}
    least = LEAST_SHARE * max(shares.values(), default=0.0)
    kept = [(name, number) for name, number in shares.items() if number > least]
    return dict(sorted(kept, key=lambda item: -item[1]))
