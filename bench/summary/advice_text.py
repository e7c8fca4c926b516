"""Wording of advice, the same on the terminal and in the report."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Final

from bench.output.names import backend_name, variant_name
from bench.summary.advice import Advice, Limits
from bench.summary.labels import interval_text, known_text, times
from bench.summary.lifecycle_records import Quality, State
from bench.summary.model import Report
from bench.summary.quality_text import change_text, drop_text, loss_of, named_metric_text
from suite import units
from suite.axes import INT8, ORIGINAL
from suite.origins.reference import LIBRARIES

MODELS_IN_COMMAND: Final = 40
"""Maximum number of models in a command that is to be copied: the whole catalogue; of more, the first ones."""
SAID_AGAIN: Final = ("--data", "--weights", "--seed")
"""Options that a proposed command repeats as they were typed."""


def limits_text(limits: Limits, quality: Quality | None) -> str:
    """Return the limits as text, e.g. `quality within 1.0 points of the trained model, at most 50.0 MB`."""
    parts = [
        f"quality within {drop_text(quality, limits.max_drop)} of the trained model in float32"
    ]
    if limits.max_bytes is not None:
        parts.append(f"at most {units.num_bytes(limits.max_bytes)}")
    if limits.max_seconds is not None:
        parts.append(f"at most {units.seconds(limits.max_seconds)}")
    return ", ".join(parts)


def state_text(state: State) -> str:
    """Return a state as text, e.g. `pruned + int8 on ONNX Runtime`."""
    return f"{variant_name(state.name)} on {backend_name(state.backend)}"


def speed_text(state: State) -> str:
    """Return a speed as text, e.g. `4.35× as fast (4.05–6.02×) as eager, 1.12× (1.05–1.19×) the float graph's speed,
    166 µs`.
    """
    ratio, alike = state.ratio, state.like_for_like
    if ratio is None or not ratio.is_known:
        return "speed unknown" if ratio is None else "speed unknown: too few pairs"
    text = f"{times(ratio.value)} as fast{interval_text(ratio.low, ratio.high)}"
    if alike is not None and alike.is_known:
        text += f" as eager, {known_text(alike)} the float state's speed on {backend_name(state.backend)}"
    return f"{text}, {units.seconds(state.latency.p50)}" if state.latency else text


def size_text(state: State, reference: State | None) -> str:
    """Return a size as text, e.g. `85.6 kB, 3.5× smaller`."""
    text = units.num_bytes(state.num_bytes)
    before = reference.num_bytes if reference else None
    if not state.num_bytes or not before:
        return text
    if state.num_bytes == before:
        return text
    if state.num_bytes < before:
        return f"{text}, {times(before / state.num_bytes)} smaller"
    return f"{text}, {times(state.num_bytes / before)} larger"


def cost_text(state: State, quality: Quality | None) -> str:
    """Return `loses 0.4 points (95.3% to 94.9%)`; `gains ...` if it is better."""
    if state.drop is None:
        return loss_of(quality, state) or "quality unknown"
    now = named_metric_text(quality, state.metric)
    if state.drop == 0:
        return f"no loss ({now})"
    if state.drop < 0:
        return f"no loss ({now}, {change_text(quality, -state.drop)})"
    return f"loses {drop_text(quality, state.drop)} (now {now})"


def verdict(advice: Advice) -> str:
    """Return the answer in one sentence."""
    if advice.fastest is None:
        known = any(refused.state.is_comparable for refused in advice.refused)
        return "No state qualifies." if known else "What to ship is not known."
    if told := not_found_out(advice):
        return f"What to ship is not known: {told}."
    fastest, smallest = advice.fastest, advice.smallest
    if smallest is None or smallest is fastest:
        both = "the fastest and the smallest" if smallest else "the fastest"
        return f"Ship {state_text(fastest)}: {both} that qualifies."
    return f"Ship {state_text(fastest)} for speed, {state_text(smallest)} for size."


def sureness_text(advice: Advice) -> str:
    """Return in a few words how certain the choice of the fastest state is; the advice of the model has them all."""
    parts = []
    if unknown := sum(is_unknown(refused.state, advice.limits) for refused in advice.refused):
        parts.append(f"the speed of {units.plural(unknown, 'other')} is not known")
    if advice.rivals:
        parts.append(f"{units.plural(len(advice.rivals), 'other')} may be as fast")
    lost = (advice.fastest.drop or 0.0) if advice.fastest else 0.0
    if advice.doubts and advice.chance is None:
        parts.append("chance in its quality not known")
    elif advice.chance is not None and lost + advice.chance > advice.limits.max_drop:
        parts.append(f"±{advice.chance:.1f} points by chance")
    elif not parts:
        parts += advice.doubts[:1]
    return f"not sure: {'; '.join(parts)}" if parts else "sure: no other interval reaches it"


def not_found_out(advice: Advice) -> str:
    """Return why the reference is not named though it is the fastest: nothing else has a known speed. To name it would
    say that nothing is faster. Empty where there is something to compare.
    """
    unknown = sum(is_unknown(refused.state, advice.limits) for refused in advice.refused)
    best = advice.fastest
    others = any(s.is_comparable for s in advice.life.states if s is not best)
    if best is None or best is not advice.reference or others or not unknown:
        return ""
    states = units.plural(unknown, "other state")
    return f"the speed of {states} was not found out, too few pairs of turns"


def is_unknown(state: State, limits: Limits) -> bool:
    """Return whether the state might be shipped, had it been found out how fast it is."""
    is_good = state.drop is not None and state.drop <= limits.max_drop
    return is_good and state.outcome == "passed" and not state.is_comparable


def ratio_text(state: State) -> str:
    """Return `4.35× (4.05–6.02×)`, without the interval if there is none."""
    if state.ratio is None:
        return "unknown"
    return times(state.ratio.value) + interval_text(state.ratio.low, state.ratio.high)


def loss_text(state: State, quality: Quality | None) -> str:
    """Return the quality lost: `0.4 points (now 95.3%)`, or `none (now 96.1%)`."""
    if state.drop is None:
        return loss_of(quality, state) or "unknown"
    now = named_metric_text(quality, state.metric)
    # Less than the last digit shown is none: "0.0% lost" leaves the reader in doubt.
    return f"{drop_text(quality, state.drop) if state.drop >= 0.05 else 'none'} (now {now})"


def none_text(advice: Advice) -> str:
    """Return why no state of the model is named: none keeps the limits, or none is known well enough to say."""
    if any(refused.state.is_comparable for refused in advice.refused):
        return f"nothing qualifies: {limits_text(advice.limits, advice.life.quality)}"
    if any(refused.state.ratio for refused in advice.refused):
        return "not known: no state has both a quality and enough pairs of turns"
    return "not known: no state has both a quality and a speed"


def next_command(report: Report) -> str:
    """Return the command that makes the states to choose from, or measures them; empty if that is done.

    Models of the catalogue go through their life. Those of names and files are judged as built, without one.
    """
    made = {life.model for life in report.lives if any(s.ratio for s in life.states[1:])}
    missing = {row.model: row.size for row in report.rows if row.model not in made}
    missing |= {life.model: life.size for life in report.lives if life.model not in made}
    origins = report.options.get("origins", {})
    named = [model for model in missing if model in origins]
    models = [model for model in missing if model not in origins]
    sizes = ",".join(sorted({missing[model] for model in models or named}))
    if models:
        own = report.options.get("models_from", "")
        where = f" --models-from {quote(from_here(own))}" if own else ""
        return f"pytest suite{where} --models {_some(models)} --size {sizes}{said_again(report)}"
    if not named:
        return ""
    typed = _some([as_typed(str(origins[model])) for model in named])
    states = f"--variant {ORIGINAL},{INT8}"
    return f"pytest bench --models {typed} {states} --size {sizes}{said_again(report)}"


def said_again(report: Report) -> str:
    """Return the options of the run's command without which the next one would be of other samples or weights, each
    after a space.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in SAID_AGAIN:
        parser.add_argument(name)
    try:
        given, _ = parser.parse_known_args(shlex.split(report.command))
    except (argparse.ArgumentError, ValueError):  # a command of another tool, or one cut short
        return ""
    return "".join(f" --{name} {quote(value)}" for name, value in vars(given).items() if value)


def _some(models: Sequence[str]) -> str:
    return ",".join(models[:MODELS_IN_COMMAND])


def from_here(path: str) -> str:
    """Return the path below the working folder, and one elsewhere as it is: a command must find the file."""
    try:
        return Path(path).relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path


def as_typed(reference: str) -> str:
    """Return a reference as `--models` takes it in the working folder, quoted: of a file its path, without the kind."""
    kind, _, target = reference.partition(":")
    return quote(reference if kind in LIBRARIES else from_here(target))
