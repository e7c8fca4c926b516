"""Worker side. A search: a sitting whose arms leave as it becomes clear that they are slower (successive halving).

All arms take turns as in `bench.instruments.sitting`, each in a process of its own. After each round the arms that
cannot be the fastest leave (`bench.halving`), and arms that had no room in memory come in.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.halving import FIRST, GLANCE, costly, is_clear, leaving, next_length
from bench.instruments.options import SearchArm, SearchOptions
from bench.instruments.results import SearchResult
from bench.instruments.sentinel import is_off
from bench.instruments.sitting import ArmFailed, Ask, ask_arm, start_arm
from bench.instruments.stopwatch import CLOCK, NS, Clock
from suite.axes import CPU
from suite.results.measuring import PairedArm, SearchedArm
from suite.results.step_output import StepOutput, encode_output
from suite.worker.errors import Unavailable
from suite.worker.gpu import forks_can_use_it
from suite.worker.protocol import CellJob, Emit

MOST_ARMS: Final = 16
"""Arms that are loaded at once: a pass of more would take so long that its first and last turns are no neighbours."""
SPARE_BYTES: Final = 2**30
"""Memory that stays free."""
MEMORY: Final = Path("/proc/meminfo")


@dataclass(slots=True)
class _Taken:
    """What an arm has answered so far."""

    first_pass: int
    seconds: list[float] = field(default_factory=list)
    sentinels: list[float] = field(default_factory=list)
    reasons: list[tuple[str, ...]] = field(default_factory=list)
    warm: Mapping[str, Any] = field(default_factory=dict)
    left_because: str = ""
    left_after: int = 0


def run(job: CellJob, emit: Emit) -> StepOutput[SearchResult]:
    """Hold the search of SearchOptions; after each round a part `round` has what is known so far."""
    asked = job.read(SearchOptions)
    if not hasattr(os, "fork") or not forks_can_use_it():
        raise Unavailable(
            "arms cannot be measured in turns here: a process cannot be forked, or not with this GPU"
        )
    streams: dict[int, tuple[socket.socket, int]] = {}
    room = Room()

    def ask(number: int, word: str) -> Mapping[str, Any]:
        if word == "ready":
            arm = asked.arms[number]
            streams[number] = start_arm(arm.cell, arm.options, job.deadline)
        stream, child = streams[number]
        stream.settimeout(asked.load_seconds)
        answer = ask_arm(stream, word)
        if word == "warm":
            room.loaded(child)
        return answer

    def stop(number: int) -> None:
        if number in streams:
            stream, child = streams.pop(number)
            stream.close()
            with suppress(OSError):  # it has ended by itself
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)

    return StepOutput(result=search(asked, ask, stop, room.is_left, emit))


class Room:
    """Whether one more arm fits into memory, going by the largest one so far."""

    def __init__(self) -> None:
        self._largest = 0

    def loaded(self, child: int) -> None:
        """Remember what the arm's process has for itself."""
        with suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{child}/statm").read_text(encoding="ascii").split()
            own = (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
            self._largest = max(self._largest, own)

    def is_left(self, num_loaded: int) -> bool:
        """Return whether another arm may be loaded beside `num_loaded`."""
        if num_loaded >= MOST_ARMS:
            return False
        with suppress(OSError, ValueError, IndexError):
            lines = dict(line.split(":", 1) for line in MEMORY.read_text("ascii").splitlines())
            free = int(lines["MemAvailable"].split()[0]) * 1024
            return num_loaded < 2 or free > SPARE_BYTES + 2 * self._largest
        return num_loaded < 2


def search(
    asked: SearchOptions,
    ask: Ask,
    stop: Callable[[int], None],
    has_room: Callable[[int], bool],
    emit: Emit,
    *,
    clock: Clock = CLOCK,
) -> SearchResult:
    """Take turns until the choice is clear, `seconds` are used up, or `passes` are made. An arm that fails is left out.

    `ask(number, word)` loads an arm for `ready`, then answers `warm` and `turn`; raises ArmFailed.
    """
    arms = asked.arms
    waiting, here = [*range(len(arms))], list[int]()
    taken: dict[int, _Taken] = {}
    lost: dict[str, str] = {}
    passes = rounds = 0
    loading = turning = 0.0

    def answered(number: int, word: str) -> Mapping[str, Any] | None:
        try:
            return ask(number, word)
        except ArmFailed as error:
            lost[arms[number].label] = str(error)
            stop(number)
            taken.pop(number, None)
            if number in here:
                here.remove(number)
            return None

    def admit() -> bool:
        came = False
        while waiting and has_room(len(here)):
            number = waiting.pop(0)
            if answered(number, "ready") is not None:
                warm = answered(number, "warm")
                if warm is not None:
                    taken[number] = _Taken(first_pass=passes, warm=warm)
                    here.append(number)
                    came = True
        return came

    def dismiss(why: Mapping[str, str]) -> None:
        for number in [n for n in here if arms[n].label in why]:
            taken[number].left_because = why[arms[number].label]
            taken[number].left_after = rounds
            here.remove(number)
            stop(number)

    def found(because: str = "") -> SearchResult:
        return SearchResult(
            arms=tuple(_arms(arms, taken).values()),
            lost=dict(lost),
            passes=passes,
            rounds=rounds,
            stopped_because=because,
            load_seconds=loading,
            turn_seconds=turning,
        )

    anchors = [arm.label for arm in arms if arm.is_anchor]
    contenders = [arm.label for arm in arms if arm.is_contender]
    since = 0
    because = ""
    while not because:
        emit("phase", name="load")
        began = clock() * NS
        if admit():
            since = passes
        loading += clock() * NS - began
        if not here:
            because = "decided"
            break
        emit("phase", name="turns")
        began = clock() * NS
        length = next_length(passes - since)
        for step in range(length):
            _pass(here if passes % 2 == 0 else [*reversed(here)], taken, answered)
            passes += 1
            if asked.halves and passes - since == GLANCE and step + 1 < length:
                live = _live(arms, taken, here)
                dismiss(costly(live, anchors, contenders))
            if passes == asked.passes:
                break
        turning += clock() * NS - began
        rounds += 1
        if asked.halves:
            live = _live(arms, taken, here)
            dismiss(leaving(live, anchors, contenders, max_seconds=asked.max_seconds))
        live = _live(arms, taken, here)
        if asked.passes and passes >= asked.passes:
            because = "passes"
        elif turning >= asked.seconds and (not waiting or turning >= 2 * asked.seconds):
            because = "time_cap"
        elif not asked.passes and not waiting and passes - since >= FIRST:
            is_over = is_clear(live, anchors, contenders, most_turns=asked.most_turns)
            because = "decided" if is_over else ""
        emit("part", name="round", output=encode_output(StepOutput(result=found(because))))
    for number in [*here]:
        stop(number)
    for number in waiting:
        lost[arms[number].label] = "the time was used up before its first turn"
    return found(because)


def _pass(
    order: list[int],
    taken: Mapping[int, _Taken],
    answered: Callable[[int, str], Mapping[str, Any] | None],
) -> None:
    """Take one turn of every arm; one that fails is gone."""
    for number in [*order]:
        if (answer := answered(number, "turn")) is not None:
            one = taken[number]
            one.seconds.append(answer["seconds"])
            one.sentinels.append(answer["sentinel"])
            one.reasons.append(tuple(answer["reasons"]))


def _live(
    arms: tuple[SearchArm, ...], taken: Mapping[int, _Taken], here: list[int]
) -> list[SearchedArm]:
    found = _arms(arms, taken)
    return [found[number] for number in here]


def _arms(arms: tuple[SearchArm, ...], taken: Mapping[int, _Taken]) -> dict[int, SearchedArm]:
    """Return the arms' turns; those in which the sentinel strayed over all readings of the search are void, too."""
    readings = [value for one in taken.values() for value in one.sentinels]
    off = iter(is_off(readings))
    found = {}
    for number, one in taken.items():
        bad = [next(off) | bool(reasons) for reasons in one.reasons]
        arm = arms[number]
        found[number] = SearchedArm(
            label=arm.label,
            first_pass=one.first_pass,
            threads=arm.options.threads if arm.cell.device == CPU else 0,
            num_samples=arm.cell.batch,
            left_because=one.left_because,
            left_after=one.left_after,
            turns=PairedArm(
                cell=arm.cell.id,
                seconds=tuple(one.seconds),
                void=tuple(i for i, is_void in enumerate(bad) if is_void),
                starved=tuple(i for i, reasons in enumerate(one.reasons) if "starved" in reasons),
                iterations=int(one.warm.get("iterations", 1)),
                warmup_ended_because=str(one.warm.get("ended_because", "")),
            ),
        )
    return found
