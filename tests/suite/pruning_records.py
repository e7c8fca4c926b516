"""How each model of the catalogue is pruned in the tests, until its record says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from suite.lifecycle import Pruning
from suite.spec import ModelSpec

CHANNELS = {"method": "channels", "ratio": 0.5, "parameters_left": 0.4, "macs_left": 0.4}
HEADS = {"method": "heads", "ratio": 0.5, "parameters_left": 0.75, "macs_left": 0.7}
FEED_FORWARD = {"method": "feed_forward", "ratio": 0.75, "parameters_left": 0.8, "macs_left": 0.8}
RECURRENT = {"method": "recurrent", "ratio": 0.5, "parameters_left": 0.45, "macs_left": 0.45}

SETTINGS: dict[str, dict[str, Any]] = {
    "mlp": {**CHANNELS, "parameters_left": 0.55, "macs_left": 0.55},
    "cnn": CHANNELS,
    "rnn": RECURRENT,
    "lstm": RECURRENT,
    "gru": RECURRENT,
    # The discriminator reads the generator's picture, whose channels are colours.
    "dcgan": {**CHANNELS, "ignored": ("generator.12",)},
    "resnet18": CHANNELS,
    "inception_v3": CHANNELS,
    "faster_rcnn": CHANNELS,
    "ssd300": CHANNELS,
    "yolo": CHANNELS,
    "fcn_resnet50": CHANNELS,
    "deeplabv3_resnet50": CHANNELS,
    "unet": CHANNELS,
    # Nine tenths of its parameters are two stages of the encoder that it never runs.
    "pspnet": {**CHANNELS, "parameters_left": 0.96},
    "r3d_18": CHANNELS,
    "bert": HEADS,
    "bert_classifier": HEADS,
    "bert_qa": HEADS,
    "roberta_classifier": HEADS,
    "albert_classifier": HEADS,
    "wav2vec2": HEADS,
    "vit_b_16": FEED_FORWARD,
    "mvit_v2_s": {**FEED_FORWARD, "macs_left": 0.85},
    "transformer": FEED_FORWARD,
    "t5": FEED_FORWARD,
    "gpt2": FEED_FORWARD,
    "llama": FEED_FORWARD,
}


def pruning_of(name: str, size: str = "tiny") -> Pruning:
    """Widths stay multiples of 4, and of 8 at base: what vector units like."""
    return Pruning(**SETTINGS[name], round_to=4 if size == "tiny" else 8)


def with_pruning(spec: ModelSpec, pruning: Pruning, size: str = "tiny") -> ModelSpec:
    return replace(spec, sizes={**spec.sizes, size: replace(spec.sizes[size], pruning=pruning)})
