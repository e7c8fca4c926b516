"""Worker side. A sitting: several cells measured in turns, each in a process of its own, never two at once.

This process forks one process per arm before anything heavy runs, lets all of them load, and then asks one after the
other for a turn, in the order A B C | C B A | A B C ..., so that the nth turns of all arms are neighbours and meet the
same machine. It sleeps while an arm works, and an arm answers when its thread pools sleep. A turn is that of the gate
(`bench.instruments.turns`).
"""

from __future__ import annotations

import json
import os
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from bench.instruments.garbage import paused_garbage_collector
from bench.instruments.options import SittingArm, SittingOptions
from bench.instruments.results import SittingResult
from bench.instruments.sentinel import is_off
from bench.instruments.stopwatch import CLOCK, NS, Clock
from bench.instruments.turns import warm_taker
from bench.paired_ratio import MIN_PAIRS, is_decided, relative_width
from bench.plan import plan_of
from suite.axes import COMPILED
from suite.backends.runnable import runnable_for
from suite.cell import Cell
from suite.results.measuring import PairedArm
from suite.results.step_output import StepOutput
from suite.timing import wait_for_idle_threads
from suite.worker.child import die_with_parent
from suite.worker.errors import Unavailable
from suite.worker.gpu import forks_can_use_it
from suite.worker.job_options import JobOptions
from suite.worker.protocol import CellJob, Emit

EARLY: Final = 1 / 3
"""Share of the time cap after which a decided sitting ends, however wide its intervals are."""

Ask = Callable[[int, str], Mapping[str, Any]]
"""Asks an arm (its number) to `warm` up or for a `turn`; returns its answer. Raises ArmFailed."""


class ArmFailed(RuntimeError):
    """An arm ended; the message is its error."""


@dataclass(slots=True)
class _Arm:
    """What an arm has answered so far."""

    seconds: list[float] = field(default_factory=list)
    sentinels: list[float] = field(default_factory=list)
    reasons: list[tuple[str, ...]] = field(default_factory=list)
    warm: Mapping[str, Any] = field(default_factory=dict)


def run(job: CellJob, emit: Emit) -> StepOutput[SittingResult]:
    """Hold the sitting of SittingOptions; `plan` of the options sets the turns' length and the warm-up."""
    asked = job.read(SittingOptions)
    if not hasattr(os, "fork") or not forks_can_use_it():
        raise Unavailable(
            "cells cannot be measured in turns here: a process cannot be forked, or not with this GPU"
        )
    streams = [start_arm(arm.cell, arm.options, job.deadline)[0] for arm in asked.arms]

    def ask(number: int, word: str) -> Mapping[str, Any]:
        return ask_arm(streams[number], word)

    found = sit(ask, asked.arms, emit, seconds=asked.seconds, precision=asked.precision)
    for stream in streams:
        stream.close()  # an arm ends when nobody asks any more
    return StepOutput(result=found)


def sit(
    ask: Ask,
    arms: Sequence[SittingArm],
    emit: Emit,
    *,
    seconds: float,
    precision: float,
    clock: Clock = CLOCK,
) -> SittingResult:
    """Warm every arm up and ask them in turns until each comparison is decided, or `seconds` are used up.

    At least MIN_PAIRS passes are made. An arm that fails is left out from there on; the others go on.
    """
    lost: dict[str, str] = {}
    taken = {number: _Arm() for number in range(len(arms))}

    def asked(number: int, word: str) -> Mapping[str, Any] | None:
        try:
            return ask(number, word)
        except ArmFailed as error:
            lost[arms[number].cell.id] = str(error)
            del taken[number]
            return None

    emit("phase", name="first_forward")
    for word in ("ready", "warm"):
        for number in list(taken):
            if (answer := asked(number, word)) is not None:
                taken[number].warm = answer
        emit("phase", name="turns" if word == "warm" else "warmup")
    began, passes, is_over = clock() * NS, 0, not _pairs(arms, taken)
    stopped = "time_cap"
    while not is_over:
        for number in list(taken) if passes % 2 == 0 else [*reversed(taken)]:
            if (answer := asked(number, "turn")) is not None and number in taken:
                one = taken[number]
                one.seconds.append(answer["seconds"])
                one.sentinels.append(answer["sentinel"])
                one.reasons.append(tuple(answer["reasons"]))
        passes += 1
        if passes < MIN_PAIRS:
            continue
        elapsed = clock() * NS - began
        found = _arms(arms, taken)
        pairs = [(found[a], found[b]) for a, b in _pairs(arms, taken)]
        is_wide = any(relative_width(a, b) > precision for a, b in pairs)
        is_settled = all(is_decided(a, b) for a, b in pairs)
        if is_settled and not (is_wide and elapsed < EARLY * seconds):
            is_over, stopped = True, "decided"
        else:
            is_over = elapsed >= seconds
    found = _arms(arms, taken)
    return SittingResult(arms=tuple(found.values()), lost=lost, stopped_because=stopped)


def _pairs(arms: Sequence[SittingArm], taken: Mapping[int, _Arm]) -> list[tuple[int, int]]:
    """Return the comparisons (reference, arm) whose two arms are still there."""
    return [(over, n) for n in taken for over in arms[n].over if over in taken]


def _arms(arms: Sequence[SittingArm], taken: Mapping[int, _Arm]) -> dict[int, PairedArm]:
    """Return the arms' turns; those in which the sentinel strayed over all readings of the sitting are void too."""
    readings = [value for arm in taken.values() for value in arm.sentinels]
    off = iter(is_off(readings))
    found = {}
    for number, arm in taken.items():
        bad = [next(off) | bool(reasons) for reasons in arm.reasons]
        found[number] = PairedArm(
            cell=arms[number].cell.id,
            seconds=tuple(arm.seconds),
            void=tuple(i for i, is_void in enumerate(bad) if is_void),
            starved=tuple(i for i, reasons in enumerate(arm.reasons) if "starved" in reasons),
            iterations=int(arm.warm.get("iterations", 1)),
            warmup_ended_because=str(arm.warm.get("ended_because", "")),
        )
    return found


# One arm: a forked process that answers questions on its end of a stream, one JSON line each.


def start_arm(cell: Cell, options: JobOptions, deadline: float) -> tuple[socket.socket, int]:
    """Fork the arm's process; returns the stream to it and its id."""
    ours, theirs = socket.socketpair()
    if (child := os.fork()) == 0:
        status = 1
        try:
            die_with_parent()
            ours.close()
            job = CellJob(runner="", cell=cell, options=options, deadline=deadline)
            serve(theirs, job)
            status = 0
        finally:
            os._exit(status)
    theirs.close()
    return ours, child


def ask_arm(stream: socket.socket, word: str) -> Mapping[str, Any]:
    """Return the arm's answer to one word. Raises ArmFailed with its error."""
    line = b""
    try:
        stream.sendall(word.encode() + b"\n")
        while not line.endswith(b"\n") and (more := stream.recv(65536)):
            line += more
    except TimeoutError:
        raise ArmFailed(f"no answer within {stream.gettimeout():g} s") from None
    except OSError:
        pass  # it has died: what it said before that counts
    answer: Mapping[str, Any] = json.loads(line) if line.endswith(b"\n") else {"error": GONE}
    if "error" in answer:
        raise ArmFailed(answer["error"])
    return answer


GONE: Final = "its process ended without a word: a crash, or the memory ran out"


def serve(stream: socket.socket, job: CellJob) -> None:
    """Load the job's cell and answer `ready`, `warm` and `turn` until the stream ends; an error is the last answer."""
    words = stream.makefile("rb")

    def answer(**data: Any) -> None:
        stream.sendall(json.dumps(data).encode() + b"\n")

    try:
        subject = runnable_for(job, _silent)
        with subject.inference(), paused_garbage_collector():
            words.readline()
            if (
                job.cell.backend == COMPILED
            ):  # the first call compiles: it says nothing about the next
                subject.call()
                subject.synchronize()
            answer()
            words.readline()
            began = CLOCK()
            subject.call()
            subject.synchronize()
            first = (CLOCK() - began) * NS
            taker = warm_taker(
                subject, plan_of(job.options), device=job.cell.device, calls=(first,)
            )
            wait_for_idle_threads()
            answer(iterations=taker.warm.iterations, ended_because=taker.warm.ended_because)
            while words.readline():
                taker.wake()
                seconds, reading, reasons = taker.turn()
                wait_for_idle_threads()
                answer(seconds=seconds, sentinel=reading, reasons=reasons)
    except Exception as error:
        traceback.print_exc()
        with suppress(OSError):
            answer(error=f"{type(error).__name__}: {error}")


def _silent(kind: str, /, **data: Any) -> None:
    """Drop the arm's events: those of the sitting are its own."""
