"""Causes of slow lanes: one row each, found in what the steps of a run recorded; nothing is measured here.

What a graph spends its time on is in its profile: `bench.graph_analysis.causes`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from bench.compilation import STEP
from bench.output.names import NOT_REACHED, outcome_name, plural
from bench.output.text import shortened
from bench.paired_ratio import CLOSE
from bench.summary.labels import interval_text, times
from bench.summary.lane_facts import Compiled
from bench.summary.model import Lane, Report, Row, Speedup
from bench.summary.ship import compilation_command
from suite import units
from suite.axes import COMPILED, DTYPES, REFERENCE
from suite.results.measuring import GraphBreak, Recompilation

LEAST: Final = 0.15
"""Share of a run in nodes that fell back, below which they are not named."""
PAYS_WITHIN: Final = 120.0
"""Seconds of inference within which compiling pays for itself: no cause then."""
REUSED: Final = 0.5
"""Share of the cold compilation below which a kept cache is worth naming."""
SOURCE: Final = re.compile(r"\s{2,}# .*$", re.DOTALL)
"""Where torch appends the source line to a guard."""
CALLED: Final = re.compile(r"`([\w.]+)`")
"""What is called there, as torch names it."""
TOP: Final = re.compile(r"[/.]")
"""Ends the first part of a place."""
LIBRARIES: Final = frozenset({*sys.stdlib_module_names, "torch"})
LONGEST: Final = 120
"""Most characters of a guard or of a detail in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFinding:
    """Why a lane is slow, or not faster."""

    cause: str
    sentence: str
    """What was seen, with its places and figures."""
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A kind of graph break, or of guard that fails."""

    name: str
    words: re.Pattern[str]
    """Found in torch's reason or detail; the first row that fits is taken."""
    what: str
    cure: str


def _kind(name: str, words: str, what: str, cure: str) -> _Kind:
    return _Kind(name=name, words=re.compile(words, re.IGNORECASE), what=what, cure=cure)


SIDE_EFFECT: Final = "Python side effect"
ANY_BREAK: Final = "graph break"
BREAKS: Final = (
    _kind(
        "data-dependent branch",
        r"data-dependent (branching|jump)|dynamic control flow",
        "`if` or `while` on the value of a tensor",
        "compute both sides and choose with torch.where, or write it with torch.cond",
    ),
    _kind(
        "value read out of a tensor",
        r"\.item\(\)|\.tolist\(\)|scalar|data-dependent (expression|value)",
        "a number read out of a tensor (.item(), int(), .tolist())",
        "keep the number in a tensor; where it must be one, torch._dynamo.config.capture_scalar_outputs = True",
    ),
    _kind(
        "shape that depends on data",
        r"dynamic shape operator|output shape depends|nonzero|data-dependent operator",
        "an operator whose output's shape depends on the data",
        "a mask or top-k of a fixed number of rows, or torch._dynamo.config.capture_dynamic_output_shape_ops = True",
    ),
    _kind(
        SIDE_EFFECT,
        r"`(print|input|open)`|_warnings\.warn|logging|`time\.|time function|random\.|side effect",
        "something that Python does beside the tensors (print, a log, a clock, a file)",
        "move it out of forward, or leave it out `if torch.compiler.is_compiling()`",
    ),
    _kind(
        "function kept from the compiler",
        r"torch\.compiler\.disable|torch\._dynamo\.disable|wrapped with `torch",
        "a function under torch.compiler.disable",
        "take torch.compiler.disable away where the compiler can trace the function by now",
    ),
    _kind(
        ANY_BREAK,
        "",
        "code that torch.compile does not trace",
        "write that line in tensor operations, or register the call with torch.library.custom_op",
    ),
)
"""Kinds of graph breaks; the last fits any."""

GUARDS: Final = (
    _kind(
        "dynamic shapes",
        r"(size|stride|rank) mismatch|\.size\(\)|\.shape|Ne\(|Eq\(|s\d+ ",
        "a shape that changes from pass to pass",
        "open that axis from the start (dynamic=True of torch.compile, or torch._dynamo.mark_dynamic), or keep it at"
        " one size and mask what is not filled yet",
    ),
    _kind(
        "recompilation: mode of autograd",
        r"key set mismatch|requires_grad|grad_mode|inference",
        "an array made in another mode of autograd than it comes back in",
        "make such arrays where they are used, under the same torch.inference_mode or no_grad",
    ),
    _kind(
        "recompilation: Python state",
        "",
        "Python state that changes from pass to pass",
        "keep what changes in a tensor (register_buffer), not in an attribute, a list or an argument of Python",
    ),
)
"""Kinds of guards; the last fits any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A lane with its row, and its speed-up over eager if that is known."""

    row: Row
    lane: Lane
    speedup: Speedup | None

    @property
    def compiled(self) -> Compiled | None:
        """What torch.compile made of it."""
        return self.lane.compiled


def causes_of_lane(row: Row, lane: Lane) -> tuple[LaneFinding, ...]:
    """Return what the records of this lane name as causes, the gravest first; a lane without any has none."""
    speedup = next((s for s in row.speedups if s.backend == lane.backend), None)
    seen = _Seen(row=row, lane=lane, speedup=speedup)
    return tuple(finding for find in CAUSES for finding in find(seen))


def is_slow(row: Row, lane: Lane) -> bool:
    """Return whether the lane is known to be slower than eager, or no faster."""
    return any(s.backend == lane.backend and s.verdict in ("slower", "same") for s in row.speedups)


def lacks_compilation(report: Report, row: Row, lane: Lane) -> str:
    """Return what is missing to name the causes of a lane that goes through torch.compile, with the command that gets
    it; empty if nothing is.
    """
    if lane.backend != COMPILED or lane.compiled is not None:
        return ""
    step = next((s for s in lane.steps if s.step == STEP and s.outcome != NOT_REACHED), None)
    told = (
        f"its step {STEP} {outcome_name(step.outcome)}"
        f"{f' ({shortened(first, LONGEST)})' if (first := step.reason.strip().partition(chr(10))[0]) else ''}"
        if step
        else "its graph breaks and recompilations were not looked for"
    )
    return f"{told}; next: {compilation_command(report, row)}"


def _fall_back(seen: _Seen) -> Iterator[LaneFinding]:
    """Nothing of the model is compiled, or a part of it runs in Python for good."""
    own = seen.compiled
    if own is None:
        return
    skipped = _own_first(one for one in own.breaks if one.is_skipped)
    if own.num_graphs == 0:
        first = next(iter((*skipped, *_own_first(own.breaks))), None)
        why = f": {_break_text(first)}" if first else ""
        yield LaneFinding(
            cause="fall-back to eager",
            sentence=f"torch.compile made no graph, every pass runs in Python as eager does{why}",
            cure=_kind_of(first).cure if first else "torch.compile with fullgraph=True says why",
        )
        return
    if own.given_up:
        again = [one for one in own.recompilations if one.place in own.given_up]
        guard = f", the last guard being {_guard_text(again[-1])}" if again else ""
        yield LaneFinding(
            cause="fall-back to eager",
            sentence=f"{_listed(own.given_up)} reached torch's limit of compiled versions and runs in Python since"
            f"{guard}",
            cure=(_guard_kind(again[-1]) if again else GUARDS[-1]).cure,
        )
    if skipped:
        more = f", and at {plural(len(skipped) - 1, 'place')} more" if skipped[1:] else ""
        yield LaneFinding(
            cause="fall-back to eager",
            sentence="a whole function runs in Python, as torch.compile cannot go on in a loop or a `with` after"
            f" {_break_text(skipped[0])}{more}",
            cure=_kind_of(skipped[0]).cure,
        )


def _recompilations(seen: _Seen) -> Iterator[LaneFinding]:
    """A guard fails, though the input is the same."""
    again = seen.compiled.recompilations if seen.compiled else ()
    for row in GUARDS:
        own = [one for one in again if _guard_kind(one) is row]
        if own:
            first = max(own, key=lambda one: one.count)
            total = sum(one.count for one in own)
            yield LaneFinding(
                cause=row.name,
                sentence=f"{row.what}: {first.place} was compiled again {total}× for the same input, for the guard"
                f" {_guard_text(first)}",
                cure=row.cure,
            )


def _breaks(seen: _Seen) -> Iterator[LaneFinding]:
    """The graph is left for Python in every pass."""
    own = seen.compiled
    if own is None or own.num_graphs == 0:
        return
    breaks = _own_first(one for one in own.breaks if not one.is_skipped)
    again = sum(one.count for one in own.recompilations)
    if not own.breaks and (own.num_graphs or 1) > 1 + again:
        yield LaneFinding(
            cause=ANY_BREAK,
            sentence=f"{plural(own.num_graphs or 0, 'graph')} were made of it, {again} of them by compiling again: it"
            " breaks at places that torch did not tell",
            cure="TORCH_LOGS=graph_breaks shows what torch says of them",
        )
    groups = [(row, [one for one in breaks if _kind_of(one) is row]) for row in BREAKS]
    for row, found in sorted(groups, key=lambda group: -len(group[1])):
        if found:
            more = f" and at {plural(len(found) - 1, 'place')} more" if found[1:] else ""
            graphs = f" ({plural(own.num_graphs, 'graph')} in all)" if own.num_graphs else ""
            name = row.name if row.name == ANY_BREAK else f"{ANY_BREAK}: {row.name}"
            yield LaneFinding(
                cause=name,
                sentence=f"every pass leaves its compiled code for Python{graphs} at {_break_text(found[0])}{more}",
                cure=row.cure,
            )


def _emulated(seen: _Seen) -> Iterator[LaneFinding]:
    """The CPU has no instructions for the dtype."""
    lack = seen.lane.ran.emulated if seen.lane.ran else ""
    against = next(
        (
            one
            for one in seen.lane.comparisons
            if (one.variant, one.backend, one.dtype) == (seen.row.variant, REFERENCE, DTYPES[0])
        ),
        None,
    )
    if not lack or (against is not None and against.low > 1):
        return
    ratio = (
        f": {times(against.ratio)}{interval_text(against.low, against.high)} as fast as eager {DTYPES[0]}"
        if against
        else ""
    )
    yield LaneFinding(
        cause="half precision emulated",
        sentence=f"{lack}, so every product is converted to {DTYPES[0]} and back{ratio}",
        cure=f"--dtype {DTYPES[0]} on this machine; {seen.row.dtype} needs a GPU or a CPU that has it"
        " (AVX512-BF16, AMX)",
    )


def _strays(seen: _Seen) -> Iterator[LaneFinding]:
    """Nodes ran on another execution provider than the one that was asked for."""
    nodes = seen.lane.likeness.fallen_back if seen.lane.likeness else ()
    share = sum(node.share for node in nodes)
    if share < LEAST:
        return
    first = nodes[0]
    homes = dict.fromkeys(node.provider.removesuffix("ExecutionProvider") for node in nodes)
    yield LaneFinding(
        cause="provider fall-back",
        sentence=f"{plural(len(nodes), 'node')} ran on {', '.join(homes)}, {units.percent(share)} of the time:"
        f" {first.operator} {first.name} alone {units.percent(first.share)}",
        cure="export with the newest opset, or run the graph on the provider that has all of its operators",
    )


def _compile_time(seen: _Seen) -> Iterator[LaneFinding]:
    """Compiling takes longer than it gives back for a long time."""
    own, found = seen.compiled, seen.speedup
    if own is None or own.cold is None or found is None or not found.is_known:
        return
    takes = f"takes {units.seconds(own.cold)} to compile"
    if own.cached is not None and own.cached < REUSED * own.cold:
        takes += f" ({units.seconds(own.cached)} from a kept cache)"
    if found.verdict == "same":
        yield LaneFinding(
            cause="compile time",
            sentence=f"as fast as {found.over}, within {CLOSE - 1:.0%}, and {takes}: it never pays",
            cure=f"ship {found.over}",
        )
    if found.verdict != "faster":
        return
    # In t seconds of its own work it saves t * (ratio - 1).
    pays = own.cold / (found.ratio - 1)
    if pays <= PAYS_WITHIN:
        return
    timing = seen.lane.timing
    calls = (
        f" {units.significant(round(pays / timing.p50))} calls,"
        if timing and timing.p50 > 0
        else ""
    )
    yield LaneFinding(
        cause="compile time",
        sentence=f"{times(found.ratio)}{interval_text(found.low, found.high)} as fast as {found.over} and {takes}:"
        f" pays after{calls} {units.seconds(pays)} of work",
        cure="keep Inductor's cache between processes (TORCHINDUCTOR_CACHE_DIR), or compile once ahead of time"
        f" (--backend aotinductor); {found.over} for anything shorter",
    )


CAUSES: Final[tuple[Callable[[_Seen], Iterator[LaneFinding]], ...]] = (
    _fall_back,
    _breaks,
    _recompilations,
    _emulated,
    _strays,
    _compile_time,
)
"""What is looked for, the gravest first: what is not compiled at all, left in every pass, compiled again (maybe as
a break leaves what follows to be compiled by itself), computed by detours or elsewhere, and only slow to make."""


def _kind_of(found: GraphBreak) -> _Kind:
    """Return the first kind that its reason or detail fits."""
    return next(row for row in BREAKS if row.words.search(f"{found.reason}\n{found.detail}"))


def _guard_kind(found: Recompilation) -> _Kind:
    return next(row for row in GUARDS if row.words.search(guard_of(found)))


def guard_of(found: Recompilation) -> str:
    """Return the guard alone: torch appends the line of the source after it."""
    return SOURCE.sub("", found.reason).strip()


def _guard_text(found: Recompilation) -> str:
    return f"`{shortened(guard_of(found), LONGEST)}`"


def _break_text(found: GraphBreak) -> str:
    """Return e.g. ``net.py:12, `if` or `while` on the value of a tensor (Data-dependent branching)``."""
    kind = _kind_of(found)
    more = found.detail.rstrip(".") if kind.name == ANY_BREAK else ""
    if kind.name == SIDE_EFFECT and (called := CALLED.search(found.detail)):
        more = called[1]
    reason = shortened(": ".join(filter(None, (found.reason, more))), LONGEST)
    return f"{found.place}, {kind.what} ({reason})"


def _own_first(breaks: Iterable[GraphBreak]) -> list[GraphBreak]:
    """Return the breaks, those in Python's library or torch itself last: nobody can mend them there."""
    return sorted(breaks, key=lambda one: TOP.split(one.place, maxsplit=1)[0] in LIBRARIES)


def _listed(places: tuple[str, ...]) -> str:
    more = f" and {len(places) - 1} more" if places[1:] else ""
    return f"{places[0]}{more}"
