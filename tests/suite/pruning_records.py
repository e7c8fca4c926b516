"""How each model of the catalogue is pruned: as its record says."""

from __future__ import annotations

from dataclasses import replace

from suite.catalog import spec_for
from suite.lifecycle import Pruning
from suite.spec import ModelSpec

SETTINGS = (
    *("mlp", "cnn", "rnn", "lstm", "gru", "dcgan", "resnet18", "inception_v3", "faster_rcnn"),
    *("ssd300", "yolo", "fcn_resnet50", "deeplabv3_resnet50", "unet", "pspnet", "r3d_18"),
    *("bert", "bert_classifier", "bert_qa", "roberta_classifier", "albert_classifier"),
    *("wav2vec2", "vit_b_16", "mvit_v2_s", "transformer", "t5", "gpt2", "llama"),
)


def pruning_of(name: str, size: str = "tiny") -> Pruning:
    """Widths stay multiples of 4, and of 8 at base: what vector units like."""
    held = spec_for(name).sizes[size].pruning
    return replace(held, round_to=4 if size == "tiny" else 8)


def with_pruning(spec: ModelSpec, pruning: Pruning, size: str = "tiny") -> ModelSpec:
    return replace(spec, sizes={**spec.sizes, size: replace(spec.sizes[size], pruning=pruning)})
