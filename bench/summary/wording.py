"""The words of the report: what outcomes, backends, steps and metrics are called and what they mean."""

from __future__ import annotations

from typing import Final

from bench.doubts import DOUBTS
from bench.metrics import METRICS
from suite.axes import VARIANTS as AXES

NOT_REACHED: Final = "not_reached"
"""Planned, and the run ended before it: no record exists, so `Outcome` has no value for it."""

OUTCOMES: Final = {
    "passed": "passed",
    "failed": "failed",
    "crashed": "crashed",
    "out_of_memory": "out of memory",
    "timed_out": "timed out",
    "known_bug": "known bug",
    "unsupported": "unsupported",
    "unavailable": "unavailable",
    NOT_REACHED: "not reached",
}
"""Outcome -> word, in the order in which a reader wants to see them (after passed: worst first)."""

MEANINGS: Final = {
    "passed": "The step ran and its claims hold.",
    "failed": "The work raised an error, or a claim about it did not hold.",
    "crashed": "The worker process died.",
    "out_of_memory": "The worker ran out of memory or was killed for it.",
    "timed_out": "The worker was killed at its deadline.",
    "known_bug": "Declared as failing, and it failed.",
    "unsupported": "A declared gap of the model; not tried.",
    "unavailable": "This machine lacks what it needs.",
    NOT_REACHED: "Planned, and the run ended before it.",
}

MARKS: Final = {
    "passed": "✓",
    "failed": "✗",
    "crashed": "✗",
    "out_of_memory": "✗",
    "timed_out": "✗",
    "known_bug": "!",
    "unsupported": "–",
    "unavailable": "–",
    NOT_REACHED: "·",
}
"""One character per outcome, so that colour is never alone."""

REFERENCE: Final = "eager"
"""The backend that speed-ups are measured against."""

BACKENDS: Final = {"eager": "Eager", "compiled": "Compiled", "onnxruntime": "ONNX Runtime"}

STEPS: Final = {
    "size": "size",
    "export": "export",
    "latency": "latency",
    "memory": "memory",
    "coldstart": "cold start",
    "training": "training step",
    "dataloader": "data loading",
    "finetune": "fine-tune",
}

VARIANTS: Final = {
    "original": "as built",
    "masked": "masks alone",
    "pruned_int8": "pruned + int8",
    "pt2e": "PT2E int8",
    "full": "full",
    "layerwise": "layer-wise",
    "lora": "LoRA",
    "ddp": "DDP",
    "fsdp": "FSDP2",
    "tensor": "tensor",
}
"""State of a model -> what it is called, where its name is not good enough."""

STATES: Final = {
    "masked": "Weights set to zero and nothing removed: the control arm of pruning.",
}
"""State that is no variant -> what it is, in a sentence."""

TITLES: Final = {
    "peak_rss_delta": "peak RSS delta",
    "peak_tensor_bytes": "peak tensor bytes",
    "cuda_allocated": "CUDA peak allocated",
    "cuda_reserved": "CUDA peak reserved",
    "first_run": "first run",
}
"""Metric -> title, where the one in `bench.metrics` needs its column's context to be understood."""


def metric_name(metric: str) -> str:
    """The metric in words."""
    if metric in TITLES:
        return TITLES[metric]
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ")


def metric_meaning(metric: str) -> str:
    """One sentence, or an empty string for a metric this version does not know."""
    return METRICS[metric].meaning if metric in METRICS else ""


def doubt_meaning(code: str) -> str:
    """What a doubt of that code is, in general; the code itself for one this version does not know."""
    check = DOUBTS.get(code)
    return " ".join((check.__doc__ or code).split()) if check else code


def backend_name(backend: str) -> str:
    """The backend as people write it."""
    return BACKENDS.get(backend, backend)


def outcome_name(outcome: str) -> str:
    """The outcome in words."""
    return OUTCOMES.get(outcome, outcome.replace("_", " "))


def step_name(step: str) -> str:
    """The step in words."""
    stage, _, case = step.partition(":")
    name = STEPS.get(stage, stage.replace("_", " "))
    return f"{name}: {case.replace('_', ' ')}" if case else name


def variant_name(variant: str) -> str:
    """The state of a model in words."""
    return VARIANTS.get(variant, variant.replace("_", " "))


def variant_meaning(variant: str) -> str:
    """What the state is, in a phrase; empty for one that this version does not know."""
    return STATES.get(variant) or (AXES[variant].meaning if variant in AXES else "")


def plural(count: int, noun: str) -> str:
    """`1 cell`, `2 cells`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
