"""Generation in the report: what one backend's record of the step `generate` says; a pure function of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench.derived_metrics import decode_rate, prefill_rate
from bench.stats import Estimate, percentile
from suite.record import Measurement, Record
from suite.results.generate import GenerateResult, TokenAgreement

STEP: Final = "generate"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedPoint:
    """One prompt length at one depth."""

    prompt: int
    """Tokens of the prompt."""
    depth: int
    """Tokens in the cache before it."""
    mode: str = ""
    """Name of the `GeneratedMode`."""
    ttft: Estimate | None
    """Median time to the first token in seconds."""
    prefill_rate: Estimate | None
    """Tokens of the prompt per second."""
    decode_rate: Estimate | None = None
    """Tokens per second of one user; None where this prompt was not decoded."""
    itl: Estimate | None = None
    """Median latency between tokens in seconds."""
    itl_p99: Estimate | None = None
    """None with too few tokens to bound it."""
    cache_bytes: int = 0
    formula_bytes: int | None = None
    peak: float | None = None
    """Peak memory of a request in bytes, above the level of the loaded model."""
    bandwidth_share: float | None = None
    """Bytes that a step of decoding reads at least, weights and cache, over the median step, as a share of the memory
    bandwidth measured here; None if one of these is not known.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedMode:
    """One kind of cache with one format of the weights."""

    name: str
    """Empty for the backend's first one."""
    cache: str
    """dynamic, static, carried or in_place."""
    read_bytes: int
    """Bytes of the weights that one step of decoding reads; 0 = not known."""
    file_bytes: int | None = None
    """Bytes of the graph with its weights; None without one."""
    perplexity: float | None = None
    """On text that the model was not trained on; None where it was not computed."""
    compile_seconds: float | None = None
    """None if nothing is compiled."""
    operators: Mapping[str, float] = field(default_factory=dict)
    """Operator -> its own seconds per decoded token; empty if that was not measured."""
    agreement: TokenAgreement | None = None
    """The tokens against full recomputation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """One backend's generation."""

    cache: str
    """Kind of cache of the first mode."""
    num_new: int
    """Tokens generated per request."""
    positions: int
    """Longest context of the model; 0 = not known."""
    bytes_per_token: float | None
    """Bytes of the cache per token of one sample."""
    read_bytes: int = 0
    """Bytes of the weights that one step of decoding reads; 0 = not known."""
    points: tuple[GeneratedPoint, ...]
    """By mode, depth and prompt, as measured."""
    modes: tuple[GeneratedMode, ...] = ()
    """The first one first."""
    agreement: TokenAgreement | None = None
    """The tokens against full recomputation."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Prompt, depth or mode that was not measured -> reason."""
    emulated: str = ""
    """Why the dtype is emulated on the device; empty if it is not."""
    weights: str = ""
    """random, pretrained, or a folder; of a model as built they say what its perplexity means."""

    def mode_of(self, point: GeneratedPoint) -> GeneratedMode:
        """Return the point's mode."""
        return next((one for one in self.modes if one.name == point.mode), _first(self))


def _first(found: Generated) -> GeneratedMode:
    """Return the mode of a record that tells of none."""
    return GeneratedMode(
        name="", cache=found.cache, read_bytes=found.read_bytes, agreement=found.agreement
    )


def generated_of(records: Sequence[Record]) -> Generated | None:
    """Return the generation in these records of one cell; None if none passed."""
    record = next((r for r in records if r.step == STEP and r.outcome.has_run), None)
    result = record.result if record else None
    if record is None or not isinstance(result, GenerateResult):
        return None
    each = record.measurement("kv_bytes_per_token")

    by_place = {
        (m.metric, m.facts.prompt, m.facts.depth, m.facts.mode): m
        for m in reversed(record.measurements)
        if m.samples
    }

    def at(metric: str, *place: int | str) -> Measurement | None:
        return by_place.get((metric, *place))  # type: ignore[arg-type]

    points = []
    for point in result.points:
        place = (point.prompt, point.depth, point.mode)
        ttft, prefill = at("ttft", *place), at("prefill", *place)
        itl, peak = at("itl", *place), at("generation_peak", *place)
        points.append(
            GeneratedPoint(
                prompt=point.prompt,
                depth=point.depth,
                mode=point.mode,
                ttft=percentile(ttft.samples, 0.5) if ttft else None,
                prefill_rate=prefill_rate(prefill, result) if prefill else None,
                decode_rate=decode_rate(itl, result) if itl else None,
                itl=percentile(itl.samples, 0.5) if itl else None,
                itl_p99=percentile(itl.samples, 0.99) if itl else None,
                cache_bytes=point.cache_bytes,
                formula_bytes=point.formula_bytes,
                peak=peak.samples[0] if peak else None,
            )
        )
    return Generated(
        cache=result.cache,
        num_new=result.num_new,
        positions=result.positions,
        bytes_per_token=each.samples[0] if each and each.samples else None,
        read_bytes=result.read_bytes,
        points=tuple(points),
        modes=tuple(
            GeneratedMode(
                name=one.name,
                cache=one.cache,
                read_bytes=one.read_bytes,
                file_bytes=one.file_bytes,
                perplexity=one.perplexity,
                compile_seconds=one.compile_seconds,
                operators=one.operators,
                agreement=one.agreement,
            )
            for one in result.modes
        ),
        agreement=result.agreement,
        left_out=result.left_out,
        emulated=result.emulated,
        weights=result.weights,
    )


def with_bandwidth(found: Generated | None, bandwidth: float | None) -> Generated | None:
    """Return the generation with each point's share of the memory bandwidth (bytes per second; None = not measured).

    The bytes are the least: every weight that a step reads once, and the cache of the whole batch once.
    """
    if found is None or not bandwidth:
        return found

    def share(point: GeneratedPoint) -> float | None:
        read_bytes = found.mode_of(point).read_bytes
        if point.itl is None or not point.itl.value > 0 or not read_bytes:
            return None
        return (read_bytes + point.cache_bytes) / point.itl.value / bandwidth

    return replace(
        found, points=tuple(replace(point, bandwidth_share=share(point)) for point in found.points)
    )
