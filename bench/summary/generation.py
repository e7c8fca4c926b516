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
class Generated:
    """One backend's generation."""

    cache: str
    """Kind of cache: dynamic, or carried by a graph."""
    num_new: int
    """Tokens generated per request."""
    positions: int
    """Longest context of the model; 0 = not known."""
    bytes_per_token: float | None
    """Bytes of the cache per token of one sample."""
    read_bytes: int = 0
    """Bytes of the weights that one step of decoding reads; 0 = not known."""
    points: tuple[GeneratedPoint, ...]
    """By depth, then by prompt, as measured."""
    agreement: TokenAgreement | None = None
    """The tokens against full recomputation."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Prompt or depth that was not measured -> reason."""


def generated_of(records: Sequence[Record]) -> Generated | None:
    """Return the generation in these records of one cell; None if none passed."""
    record = next((r for r in records if r.step == STEP and r.outcome.has_run), None)
    result = record.result if record else None
    if record is None or not isinstance(result, GenerateResult):
        return None
    each = record.measurement("kv_bytes_per_token")

    def at(metric: str, prompt: int, depth: int) -> Measurement | None:
        found = (
            m
            for m in record.measurements
            if (m.metric, m.facts.prompt, m.facts.depth) == (metric, prompt, depth) and m.samples
        )
        return next(found, None)

    points = []
    for point in result.points:
        place = (point.prompt, point.depth)
        ttft, prefill = at("ttft", *place), at("prefill", *place)
        itl, peak = at("itl", *place), at("generation_peak", *place)
        points.append(
            GeneratedPoint(
                prompt=point.prompt,
                depth=point.depth,
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
        agreement=result.agreement,
        left_out=result.left_out,
    )


def with_bandwidth(found: Generated | None, bandwidth: float | None) -> Generated | None:
    """Return the generation with each point's share of the memory bandwidth (bytes per second; None = not measured).

    The bytes are the least: every weight that a step reads once, and the cache of the whole batch once.
    """
    if found is None or not found.read_bytes or not bandwidth:
        return found

    def share(point: GeneratedPoint) -> float | None:
        if point.itl is None or not point.itl.value > 0:
            return None
        return (found.read_bytes + point.cache_bytes) / point.itl.value / bandwidth

    return replace(
        found, points=tuple(replace(point, bandwidth_share=share(point)) for point in found.points)
    )
