"""Worker side. Turns: two processes measure alternately, in the order A BB AA BB A, never both at once.

Neighbouring turns meet the same state of the machine, so its effect cancels in their ratio. A turn has parts of a few
milliseconds, each checked for disturbances. On two cores with other load, the spread of block effects at equal arms
was 3 to 10% with one long turn per arm, 1 to 4% with paired turns, and 0.5 to 1.4% with the undisturbed parts of paired
turns (five tiny models, 12 blocks each).

A turn is the same for the gate (two processes with different sources, which pass a lock) and for a sitting of several
cells (`bench.instruments.sitting`, one process that asks each of its arms in turn). `suite/timing.py` alternates
callables within one process; like there, a turn ends when the thread pools sleep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.instruments.counters import disturbances, read_counters
from bench.instruments.cuda import throttle_reader
from bench.instruments.garbage import paused_garbage_collector
from bench.instruments.options import TurnOptions
from bench.instruments.results import Turns, TurnsResult
from bench.instruments.sentinel import sentinel
from bench.instruments.stopwatch import CLOCK, NS, Clock, overhead, time_round
from bench.instruments.turn_lock import TurnLock, join
from bench.instruments.turn_subjects import SUBJECTS
from bench.instruments.warmup import Warmup, warm_up
from bench.plan import Plan, plan_of
from bench.stats import median
from suite.axes import BUILD
from suite.backends.runnable import Runnable
from suite.results.step_output import StepOutput
from suite.timing import wait_for_idle_threads
from suite.worker.protocol import CellJob, Emit

CONTROL_SIDE: Final = 192
CONTROL_PRODUCTS: Final = 4
"""Matrix products per pass: about a millisecond on one core, with matrices that fit the second-level cache."""
PART_SECONDS: Final = 0.0025
"""Shortest duration of a part of a turn: less than a scheduler's time slice, so that on a busy machine some parts of a
turn stay undisturbed."""
PATIENCE: Final = 0.5
"""Share of its deadline that an arm waits for the other one's turn: the one that hangs runs out of time alone."""
MEETING: Final = 0.9
"""Share of it that an arm waits for the other one to be built."""
LONG_CALL: Final = 0.25
"""A call shorter than this share of a turn is made once untimed first: the other arm has displaced the caches."""


Turn = Callable[[], tuple[float, float, tuple[str, ...]]]
"""Takes one turn; returns seconds per call, the slower of the sentinel's two readings in seconds, and disturbances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTaker:
    """A subject that is warm, and how it takes a turn."""

    turn: Turn
    wake: Callable[[], None]
    """Brings the caches back before a turn, if the call is short."""
    warm: Warmup
    parts_per_turn: int
    target_seconds: float
    """Shortest duration of a part."""


def run(job: CellJob, emit: Emit) -> StepOutput[TurnsResult]:
    """Take this arm's turns on the job's cell.

    Options: TurnOptions, and `plan`, of which round_seconds and warmup_seconds count.
    """
    return run_subject(job, emit, SUBJECTS[job.read(TurnOptions).step](job, emit))


def run_control(job: CellJob, emit: Emit) -> StepOutput[TurnsResult]:
    """Take the turns of the negative control: matrix products that are the same in every version."""
    import torch

    torch.set_num_threads(max(1, job.options.threads))
    emit("phase", name=BUILD)
    matrix = torch.rand(CONTROL_SIDE, CONTROL_SIDE, generator=torch.Generator().manual_seed(0))
    out = torch.empty_like(matrix)

    def call() -> None:
        for _ in range(CONTROL_PRODUCTS):
            torch.mm(matrix, matrix, out=out)

    subject = Runnable(
        call=call,
        outputs=lambda: [out],
        synchronize=lambda: None,
        inference=torch.inference_mode,
    )
    return run_subject(job, emit, subject)


def run_subject(job: CellJob, emit: Emit, subject: Runnable) -> StepOutput[TurnsResult]:
    """Take this arm's turns on that subject."""
    asked = job.read(TurnOptions)
    with subject.inference():
        emit("phase", name="first_forward")
        subject.call()
        subject.synchronize()
        emit("phase", name="meet")
        with join(
            asked.meeting,
            begins=asked.begins,
            deadline=MEETING * job.deadline,
            patience=PATIENCE * job.deadline,
        ) as lock:
            found = alternate(
                subject,
                plan_of(job.options),
                lock,
                emit,
                begins=asked.begins,
                device=job.cell.device,
                num_turns=asked.num_turns,
                seconds=asked.block_seconds,
            )
    return StepOutput(result=TurnsResult(turns=found))


def alternate(
    subject: Runnable,
    plan: Plan,
    lock: TurnLock,
    emit: Emit,
    *,
    begins: bool,
    device: str,
    num_turns: int,
    seconds: float,
    clock: Clock = CLOCK,
) -> Turns:
    """Warm up and take turns with the process at the other end of the lock."""
    emit("phase", name="warmup")
    with paused_garbage_collector():
        if not begins:
            lock.acquire()
        taker = warm_taker(subject, plan, device=device, clock=clock)
        waited = wait_for_idle_threads()
        lock.release(num_bad=0)
        emit("phase", name="turns")
        taken = take_turns(
            taker.turn,
            taker.wake,
            lock,
            begins=begins,
            num_turns=num_turns,
            seconds=seconds,
            clock=clock,
        )
    return Turns(
        seconds=tuple(t[0] for t in taken),
        sentinels=tuple(t[1] for t in taken),
        reasons=tuple(t[2] for t in taken),
        iterations=taker.warm.iterations,
        parts_per_turn=taker.parts_per_turn,
        warmup_ended_because=taker.warm.ended_because,
        settle_seconds=waited,
        target_seconds=taker.target_seconds,
    )


def warm_taker(
    subject: Runnable, plan: Plan, *, device: str, clock: Clock = CLOCK, calls: Sequence[float] = ()
) -> TurnTaker:
    """Warm the subject up, nobody else working, and return how it takes its turns.

    `calls` are the seconds of calls just before: see `before` of `warm_up`.
    """
    reasons = throttle_reader(device)
    read_sentinel = sentinel(clock)
    cost = overhead(subject.synchronize, clock=clock)
    target = max(PART_SECONDS, plan.overhead_ratio * cost)

    def timed(iterations: int) -> float:
        return time_round(subject.call, subject.synchronize, iterations, clock=clock)

    warm = warm_up(timed, plan, target, clock=clock, before=calls)
    # As many parts as fill a turn; a call that is longer than a turn is one by itself.
    recent = min(warm.samples[-5:]) * warm.iterations
    num_parts = max(1, round(plan.round_seconds / recent)) if recent > 0 else 1
    is_short = recent / warm.iterations < LONG_CALL * plan.round_seconds

    def turn() -> tuple[float, float, tuple[str, ...]]:
        before_it = read_sentinel()
        parts: list[float] = []
        spoiled: list[tuple[str, ...]] = []
        before = read_counters(reasons)
        for _ in range(num_parts):
            parts.append(timed(warm.iterations))
            after = read_counters(reasons)
            spoiled.append(disturbances(before, after, parts[-1]))
            before = after
        seconds, why = summarize_turn(parts, spoiled)
        return seconds / warm.iterations, max(before_it, read_sentinel()), why

    def wake() -> None:
        if is_short:
            subject.call()
            subject.synchronize()

    return TurnTaker(
        turn=turn, wake=wake, warm=warm, parts_per_turn=num_parts, target_seconds=target
    )


def summarize_turn(
    parts: Sequence[float], spoiled: Sequence[tuple[str, ...]]
) -> tuple[float, tuple[str, ...]]:
    """Return the seconds of a turn (median of its undisturbed parts, or of all if none is), and disturbances."""
    good = [part for part, why in zip(parts, spoiled, strict=True) if not why]
    if good:
        return median(good), ()
    return median(parts), tuple(dict.fromkeys(name for why in spoiled for name in why))


def take_turns(
    turn: Turn,
    wake: Callable[[], None],
    lock: TurnLock,
    *,
    begins: bool,
    num_turns: int,
    seconds: float,
    clock: Clock = CLOCK,
    rest: Callable[[], float] | None = None,
) -> list[tuple[float, float, tuple[str, ...]]]:
    """Take two turns each time the lock is held, until the arm with the first turn has enough.

    The nth turn of one arm is next to the nth of the other. Ends after an even number of turns, at least four:
    `num_turns` without a disturbance in either arm, or `seconds` used up.
    """
    found: list[tuple[float, float, tuple[str, ...]]] = []
    rest = rest or wait_for_idle_threads
    deadline = clock() * NS + seconds
    num_bad = 0
    while True:
        others = lock.acquire()
        if others is None:
            return found
        wake()
        is_first = begins and not found
        found.append(turn())
        num_bad += bool(found[-1][2])
        if begins and len(found) % 2 == 0 and len(found) >= 4:
            good = len(found) - num_bad - others
            if good >= num_turns or clock() * NS >= deadline:
                rest()
                lock.end()
                return found
        if not is_first:
            found.append(turn())
            num_bad += bool(found[-1][2])
        rest()
        lock.release(num_bad=num_bad)
