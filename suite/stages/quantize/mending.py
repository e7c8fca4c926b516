"""Worker side. Mending: a quantized graph that lost too much is made again in other ways, then with the layers that
hurt left in float.
"""

from __future__ import annotations

import glob
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from suite.claims import Claim
from suite.quantization.errors import QuantizationError
from suite.quantization.exclusion import Search, order_of, search
from suite.quantization.report import claims_of
from suite.quantization.sensitivity import BUDGET, Loss, sensitivity_of
from suite.quantization.sessions import open_quietly
from suite.quantization.smooth import smooth
from suite.quantization.switched import Feeds, Switched, open_for, shares_of_time
from suite.results.quantize import Mending, QuantizationReport, Sensitivity, Way
from suite.stages.quantize.quantized_pair import GraphRecipe, QuantizedPair
from suite.stages.quantize.ways import PLAIN, WAYS
from suite.training.quality import Forward, session_forward

ROUNDS: Final = 3
"""Searches, each with half the held-out limit of the one before: the samples that the stage judges on are others."""

HALVINGS: Final = 3
"""Graphs that are made with fewer layers in float after their number was doubled."""

SEARCH: Final = 600.0
"""Seconds after which no further set of layers is judged."""

PROFILED: Final = 2
"""Runs from which the time of every layer is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Samples on which layers are judged: neither calibrated on nor what the stage's claim is judged on."""

    feeds: Sequence[Feeds]
    num_samples: int
    loss: Loss
    """How much worse the outputs for all feeds are than float: drop of the metric, or relative error."""
    few: Sequence[Feeds]
    """Feeds for the error alone, where the metric of every layer would take too long."""
    num_few: int
    is_metric: bool


def measured(
    pair: QuantizedPair, graph: Path, report: QuantizationReport, held: HeldOut, budget: float
) -> Sensitivity:
    """Return what every layer of the quantized graph costs by itself."""
    with tempfile.TemporaryDirectory(prefix="layers-") as folder:
        switched = opened(recipe_of(pair), graph, report, Path(folder))
        return _sensitivity(switched, held, budget)


def mended(
    pair: QuantizedPair,
    held: HeldOut,
    allowed: float,
    before: float,
    final: Callable[[Forward], float],
    *,
    budget: float = BUDGET,
) -> tuple[QuantizedPair, Mending, Sensitivity | None]:
    """Return the pair with a graph within its limit, or the plain one and why there is none; and the layers' harm.

    `before`: the plain graph's loss; `final(forward)`: the loss as the stage judges it. Other ways of quantizing the
    whole come first. If none suffices, the layers of the best one are left in float in the order of their harm until
    the loss on held-out samples is within `allowed`, and the graph so made is judged finally.
    """
    begin, recipe = time.perf_counter(), recipe_of(pair)
    with tempfile.TemporaryDirectory(prefix="mending-") as name:
        folder = Path(name)
        plain = _tried(PLAIN, pair.report, recipe.output, held, recipe, begin)
        ways, best = [plain.way], plain
        for way in WAYS.values():
            if not way.applies(recipe.settings, pair.report):
                continue
            other, made_so = _way(way.name, recipe, folder, held)
            ways.append(other)
            best = made_so if made_so and made_so.loss < best.loss else best
            if made_so and made_so.loss <= allowed:
                break
        mending = Mending(
            limit=allowed,
            before=before,
            after=before,
            kept=best.way.name,
            ways=tuple(ways),
            num_quantized=(pair.report.num_quantized or 0,) * 2,
            num_conversions=(_conversions(pair.report),) * 2,
            num_samples=held.num_samples,
        )
        sensitivity = None
        made = best if best is not plain else None
        after = _judged(made, final, recipe.threads) if made else before
        if made is None or after > allowed:
            switched = opened(best.recipe, best.path, best.report, folder)
            sensitivity = _sensitivity(switched, held, budget)
            made, found, after = _without_layers(
                best, switched, sensitivity, held, allowed, final, folder
            )
            mending = replace(
                mending,
                excluded=found.excluded,
                num_layers=len(switched.layers),
                num_trials=found.num_trials,
                failure=found.failure,
            )
        mending = replace(mending, seconds=time.perf_counter() - begin)
        if made is None:
            return pair, mending, sensitivity
        mending = replace(
            mending,
            after=after,
            num_quantized=(pair.report.num_quantized or 0, made.report.num_quantized or 0),
            num_conversions=(_conversions(pair.report), _conversions(made.report)),
        )
        shutil.copyfile(made.path, recipe.output)
    return _replaced(pair, recipe, made.report), mending, sensitivity


def claim_of(mending: Mending, unit: str) -> Claim:
    """Return the claim about its effect: a smaller loss, within the limit, with fewer layers in 8 bits but some."""
    before, after = mending.num_quantized
    told = [
        f"loss {mending.before:.4g} -> {mending.after:.4g} {unit}, {mending.limit:g} allowed",
        f"8-bit operators {before} -> {after}",
        f"conversions {mending.num_conversions[0]} -> {mending.num_conversions[1]}",
        f"way: {mending.kept}",
    ]
    if mending.excluded:
        told.append(
            f"in float: {', '.join(mending.excluded[:8])}"
            + (", ..." if len(mending.excluded) > 8 else "")
        )
    if mending.failure:
        told.append(mending.failure)
    has_effect = after < before if mending.excluded else mending.kept != PLAIN
    return Claim(
        name="what 8 bits hurt was mended, and the rest is in 8 bits",
        holds=not mending.failure
        and mending.after <= mending.limit
        and mending.after < mending.before
        and has_effect
        and after > 0,
        evidence="; ".join(told),
    )


def recipe_of(pair: QuantizedPair) -> GraphRecipe:
    """Return the pair's recipe; raise ValueError if it has one way only."""
    if pair.recipe is None:
        raise ValueError("this recipe quantizes in one way only")
    return pair.recipe


def opened(recipe: GraphRecipe, graph: Path, report: QuantizationReport, folder: Path) -> Switched:
    """Return the float graph with a switch for every layer that the quantized one has in 8 bits."""
    return open_for(
        recipe.graph,
        graph,
        report,
        folder,
        excluded=recipe.settings.excluded,
        threads=recipe.threads,
        profile=True,
    )


def _sensitivity(switched: Switched, held: HeldOut, budget: float) -> Sensitivity:
    """Return the layers' harm by the metric, if that fits the budget, else by the error on fewer samples."""
    for _ in range(PROFILED):
        begin = time.perf_counter()
        for feed in held.few:
            switched.run(feed)
    seconds = (time.perf_counter() - begin) / max(1, held.num_few)
    shares = shares_of_time(switched)
    fits = seconds * held.num_samples * (1 + len(switched.layers)) < budget
    if held.is_metric and fits:
        return sensitivity_of(
            switched,
            held.feeds,
            num_samples=held.num_samples,
            budget=budget,
            loss=held.loss,
            shares=shares,
        )
    return sensitivity_of(
        switched, held.few, num_samples=held.num_few, budget=budget, shares=shares
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A quantized graph that was judged on held-out samples."""

    way: Way
    loss: float
    path: Path
    report: QuantizationReport
    recipe: GraphRecipe
    """That made it: of the float graph, or of a smoothed one."""


def _tried(
    name: str,
    report: QuantizationReport,
    path: Path,
    held: HeldOut,
    recipe: GraphRecipe,
    begin: float,
) -> _Made:
    session = open_quietly(path, recipe.threads)
    names = {value.name for value in session.get_inputs()}
    outputs = [
        session.run(None, {k: v for k, v in feed.items() if k in names}) for feed in held.feeds
    ]
    loss = held.loss(outputs)
    way = Way(name=name, loss=loss, seconds=time.perf_counter() - begin)
    return _Made(way=way, loss=loss, path=path, report=report, recipe=recipe)


def _way(name: str, recipe: GraphRecipe, folder: Path, held: HeldOut) -> tuple[Way, _Made | None]:
    """Return another way and the graph made in it; one that cannot be made so tells why."""
    begin, way = time.perf_counter(), WAYS[name]
    path = folder / f"{name.replace(' ', '-')}.onnx"
    try:
        if way.is_smoothed:
            even = folder / "even.onnx"
            smooth(recipe.graph, even, recipe.samples())
            recipe = replace(recipe, graph=even)
        report = recipe.make(recipe.graph, path, recipe.settings, way.changes)
        made = _tried(name, report, path, held, recipe, begin)
    except Exception as error:  # the library's calibrators raise what NumPy raises
        why = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
        return Way(name=name, seconds=time.perf_counter() - begin, failure=why), None
    return made.way, made


def _judged(made: _Made, final: Callable[[Forward], float], threads: int) -> float:
    return final(session_forward(open_quietly(made.path, threads)))


def _without_layers(
    best: _Made,
    switched: Switched,
    sensitivity: Sensitivity,
    held: HeldOut,
    allowed: float,
    final: Callable[[Forward], float],
    folder: Path,
) -> tuple[_Made | None, Search, float]:
    """Return the graph with the fewest of the worst layers in float that the stage finds within the limit, or None and
    why not; the search; and the loss that the stage found last.
    """
    until, recipe = time.perf_counter() + SEARCH, best.recipe

    def judge(in_8_bits: Collection[str]) -> float:
        return held.loss([switched.run(feed, in_8_bits) for feed in held.feeds])

    changes = WAYS[best.way.name].changes if best.way.name in WAYS else {}

    def build(names: Sequence[str]) -> tuple[_Made, float]:
        path = folder / f"without-{len(names)}.onnx"
        excluded = (*recipe.settings.excluded, *map(glob.escape, names))
        settings = replace(recipe.settings, excluded=excluded)
        report = recipe.make(recipe.graph, path, settings, changes)
        made = _tried("layers in float", report, path, held, recipe, time.perf_counter())
        return made, _judged(made, final, recipe.threads)

    ordered = order_of(sensitivity, allowed)
    least, trials, too_few, reached = 1, 0, 0, float("inf")
    for number in range(ROUNDS):
        found = search(
            ordered,
            judge,
            allowed / 2**number,
            least=least,
            is_over=lambda: time.perf_counter() > until,
        )
        trials += found.num_trials
        if found.failure:
            return None, replace(found, num_trials=trials), reached
        try:
            made, reached = build(found.excluded)
        except QuantizationError as error:
            why = f"with {len(found.excluded)} layers in float: {error}"
            failed = Search(excluded=(), loss=reached, num_trials=trials, failure=why)
            return None, failed, reached
        if reached <= allowed:
            break
        too_few = len(found.excluded)
        least = max(too_few + 1, min(2 * too_few, len(ordered) - 1))
    else:
        why = (
            f"with {too_few} of {len(ordered)} layers in float the held-out samples lose {found.loss:.4g},"
            f" those that are judged {reached:.4g}"
        )
        failed = Search(excluded=(), loss=reached, num_trials=trials, failure=why)
        return None, failed, reached
    enough = found.excluded
    for _ in range(HALVINGS):  # what was doubled may be more than it takes
        middle = (too_few + len(enough)) // 2
        if not too_few < middle < len(enough) or time.perf_counter() > until:
            break
        fewer = tuple(row.name for row in ordered[:middle])
        other, loss = build(fewer)
        trials += 1
        if loss <= allowed:
            made, reached, enough = other, loss, fewer
        else:
            too_few = middle
    return made, replace(found, excluded=enough, num_trials=trials), reached


def _replaced(
    pair: QuantizedPair, recipe: GraphRecipe, report: QuantizationReport
) -> QuantizedPair:
    """Return the pair with the graph that now lies in the state; the plain one stays as an arm of its own."""
    session = open_quietly(recipe.output, recipe.threads)
    plain = pair.calls["quantized"]
    return replace(
        pair,
        quantized=session_forward(session),
        calls={**pair.calls, "quantized": _like(plain, session), PLAIN: plain},
        claims=claims_of(report, recipe.settings),
        report=report,
    )


def _like(call: Any, session: Any) -> Callable[[], Any]:
    """Return the call of another session on the same feeds."""
    _, feeds = call.args
    return lambda: session.run(None, feeds)


def _conversions(report: QuantizationReport) -> int:
    return report.count.num_conversions if report.count else 0
