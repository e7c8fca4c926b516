"""Worker side. Counts a cell's pass as it is, and with known shares of instructions added; see witness.py.

A trial adds work of one kind at one place of the pass. Eager models have five places: after the first module of the
pass, the last, and three between them; a graph of ONNX Runtime has two, before and after it. Every place holds an
empty call in all counts, so that what is counted as it is and what is counted with work differ by the work alone.

How much of a kind makes the share is found by counting the kind alone, before the trials. A unit of a kind may cost
more than the share of a small pass; then the work is done in some of the passes of a stretch and not in the others.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from itertools import chain, repeat

import numpy as np
import torch

from bench.instruments.callgrind import CallgrindCounter
from bench.instruments.garbage import paused_garbage_collector
from bench.instruments.instructions import PASSES, SHORT_PASS, warm_up
from suite.backends.runnable import runnable_for

NUM_PLAIN = 5
"""Stretches without work: as many as a row of the gate has, spread over the trials."""
NUM_PLACES = 5
CHUNK = 1 << 15
"""Elements or bytes of one piece; more work is more pieces."""
ENOUGH = 10_000_000
"""Instructions of a stretch after which it ends before the gate's ten passes: cheaper, and no easier to judge."""
TOLERANCE = 0.01
"""Share of the work asked for by which it may be off after fitting."""
STEPS = 8
FIRST = 512
"""Size that is tried first."""
TURNS = 200
"""Calls of a kind of work before it is counted: Python specializes its code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectionOptions:
    """Options of this job."""

    percents: tuple[float, ...]
    number: int = 0
    """Number of the process: it decides which kind goes to which place, and the order of the trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Work of one kind, size and place, and what came of it."""

    kind: str
    place: str
    percent: float
    alone: float
    """What the work takes when it is counted by itself, as a share of the pass in per cent."""
    calls: int
    """Passes of the stretch with the work, of `passes`."""
    passes: int
    count: float
    """Instructions per pass of the one stretch."""


Work = Callable[[], object]


def nothing():
    pass


def loop(size):
    def work():
        for _ in repeat(None, size):  # numbers of a range above 256 would be made, and cost more
            pass

    return work


def objects(size):
    def work():
        return [[] for _ in repeat(None, size)]

    return work


def over(buffer, operation):
    """Return size -> work that gives so many elements of the buffer to the operation, CHUNK at a time."""

    def made(size):
        pieces = [buffer] * (size // CHUNK)
        pieces += [buffer[: size % CHUNK]] if size % CHUNK else []

        def work():
            for piece in pieces:
                operation(piece)

        return work

    return made


def kinds():
    """Name -> how work of a size is made: Python's own, memory, C code, PyTorch, NumPy."""
    numbers = np.random.default_rng(0).random(CHUNK, np.float32)
    return {
        "loop": loop,
        "objects": objects,
        "bytes": over(memoryview(numbers.tobytes()[:CHUNK]), zlib.crc32),
        "torch": over(torch.from_numpy(numbers.copy()), torch.Tensor.sigmoid_),
        "numpy": over(numbers, np.sort),
    }


def run(job, emit):
    asked = job.read(InjectionOptions)
    counter = CallgrindCounter()
    subject = runnable_for(job, emit)
    with subject.inference(), paused_garbage_collector():
        places = modules_called_once(subject) if subject.module is not None else []
        slots = dict.fromkeys(places or ("before", "after"), nothing)
        for name in places:
            with_slot(places[name], slots, name)

        def call(place, work):
            slots[place] = work
            slots.get("before", nothing)()
            subject.call()
            subject.synchronize()
            slots.get("after", nothing)()

        def stretch(passes, place, work=nothing, calls=0):
            turns = chain(repeat(work, calls), repeat(nothing))
            return counted(counter, lambda: call(place, next(turns)), passes)

        names = list(slots)
        passes = PASSES if warm_up(lambda: call(names[0], nothing)) < SHORT_PASS else 1
        counter.start()
        empty = stretch(0, names[0])
        passes = min(passes, -(-ENOUGH // stretch(1, names[0])))
        middle = min(stretch(passes, names[0]) - empty for _ in range(2)) / passes
        plans = []
        for number, (kind, made) in enumerate(kinds().items()):
            cost = cache(cost_of(counter, made))
            place = names[(number + asked.number) % len(names)]
            for percent in asked.percents:
                size, calls, alone = fitted(cost, middle * percent / 100, passes)
                fit = {"kind": kind, "place": place, "percent": percent, "calls": calls}
                plans.append((fit, made(size), 100 * alone / middle))
        random.Random(asked.number).shuffle(plans)
        call(names[0], nothing)
        every = -(-len(plans) // (NUM_PLAIN - 1))
        plain, trials = [], []
        for number, (fit, work, alone) in enumerate(plans):
            if number % every == 0:
                plain.append((stretch(passes, names[0]) - empty) / passes)
            total = stretch(passes, fit["place"], work, fit["calls"])
            slots[fit["place"]] = nothing
            found = Trial(**fit, alone=alone, passes=passes, count=(total - empty) / passes)
            trials.append(asdict(found))
        plain.append((stretch(passes, names[0]) - empty) / passes)
    return {
        "result": {"counts": plain, "passes": passes, "places": len(names), "trials": trials},
    }


def counted(counter, call, passes):
    """As the gate's `count`, without the functions; counting goes on."""
    stretch = range(passes)
    counter.again()
    for _ in stretch:
        call()
    return counter.total()


def modules_called_once(subject):
    """Return name -> module of NUM_PLACES leaf modules that a pass calls once, spread over the pass in order."""
    leaves = {
        name: module
        for name, module in subject.module.named_modules()
        if name and not list(module.children())
    }
    called = []
    for name, module in leaves.items():
        with_call(module, lambda name=name: called.append(name))
    subject.call()
    for module in leaves.values():
        del module.forward
    times = Counter(called)
    once = [name for name in called if times[name] == 1]
    spread = np.linspace(0, len(once) - 1, min(NUM_PLACES, len(once))).round().astype(int)
    return {once[index]: leaves[once[index]] for index in spread}


def with_slot(module, slots, name):
    with_call(module, lambda: slots[name]())


def with_call(module, added):
    """Let the module call `added` after its forward; a hook would cost more than a per cent of a small model."""
    forward = module.forward

    def with_added(*inputs, **named):
        found = forward(*inputs, **named)
        added()
        return found

    module.forward = with_added


def cost_of(counter, made):
    """Return size -> instructions of one call of the work of that size, counted by itself."""
    warm = made(1)
    for _ in range(TURNS):
        warm()
    empty = counted(counter, nothing, 3)

    def cost(size):
        work = made(size)
        work()
        return (counted(counter, work, 3) - empty) / 3

    return cost


def fitted(cost, target, passes):
    """Return size, passes of `passes` that have the work, and instructions per pass, near `target` per pass."""
    least = cost(1)
    calls = min(passes, max(1, int(target * passes / (1.5 * least))))
    wanted = target * passes / calls
    tried = {1: least, FIRST: cost(FIRST)}
    for _ in range(STEPS):
        if min(abs(found / wanted - 1) for found in tried.values()) <= TOLERANCE:
            break
        below = max((size for size, found in tried.items() if found <= wanted), default=1)
        above = min((size for size, found in tried.items() if found > wanted), default=None)
        if above is None:
            size = 1 + int(below * wanted / tried[below])
        elif above - below < 2:
            break
        else:
            part = (wanted - tried[below]) / (tried[above] - tried[below])
            size = min(above - 1, max(below + 1, below + round(part * (above - below))))
        tried[size] = cost(size)
    best = min(tried, key=lambda size: abs(tried[size] - wanted))
    return best, calls, tried[best] * calls / passes
