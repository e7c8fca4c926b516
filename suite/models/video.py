"""Video classification: MViT v2 (a video transformer) and R3D-18 (a residual net with 3D convolutions)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from suite import presets
from suite.lifecycle import Finetuning, Pruning, Training
from suite.nets.published import torchvision_weights
from suite.spec import Export, ModelSpec, Size

BATCH: Final = Export(dynamic={"x": {0: "batch"}})


def build_mvit_v2_s(*, num_classes: int, small_side: int = 0) -> Any:
    """Return torchvision's MViTv2-S; with `small_side` 4 narrow blocks for 8 frames of that side."""
    from torchvision.models.video import mvit_v2_s

    if small_side:
        from suite.nets.small_mvit import small_mvit

        return small_mvit(num_classes, small_side)
    return mvit_v2_s(weights=None, num_classes=num_classes)


def build_r3d_18(*, num_classes: int, divisor: int = 1) -> Any:
    """Return torchvision's R3D-18, every width divided by `divisor`."""
    from torchvision.models.video import r3d_18

    from suite.nets.narrow import narrow

    return narrow(partial(r3d_18, weights=None, num_classes=num_classes), divisor, heads=("fc",))


MODELS: Final = (
    ModelSpec(
        name="mvit_v2_s",
        family="video",
        task="video_classification",
        build=build_mvit_v2_s,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.001,
                    warmup=0.3,
                    steps=320,
                    batch=16,
                    test_samples=96,
                    overfit_steps=40,
                    margin=5.0,
                ),
                finetuning=Finetuning(
                    steps=30, learning_rate=0.001, rates={"partial": 0.004}, batch=16
                ),
                pruning=Pruning(
                    method="feed_forward",
                    ratio=0.75,
                    parameters_left=0.8,
                    macs_left=0.85,
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=8.0,
                ),
                quantization=replace(presets.TINY_STATIC, torchao=presets.TORCHAO),
                build={"num_classes": 8, "small_side": 32},
                inputs={"frames": 8, "side": 32, "classes": 8},
            ),
            "base": Size(
                training=replace(presets.ATTENTION_TRAINING, steps=400),
                finetuning=presets.ATTENTION_FINETUNING,
                pruning=replace(presets.FEED_FORWARD, macs_left=0.85),
                quantization=replace(presets.STATIC, torchao=presets.TORCHAO),
                build={"num_classes": 400},
                inputs={"frames": 16, "side": 224, "classes": 400},
            ),
        },
        outputs=("logits",),
        parameters=34_537_744,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.video.mvit_v2_s.html",
        pretrained=partial(torchvision_weights, "mvit_v2_s"),
        requires=("torchvision",),
        head=("head",),
        export=BATCH,
    ),
    ModelSpec(
        name="r3d_18",
        family="video",
        task="video_classification",
        build=build_r3d_18,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.003,
                    steps=100,
                    batch=16,
                    test_samples=96,
                    overfit_steps=30,
                    margin=5.0,
                ),
                finetuning=Finetuning(
                    steps=15, learning_rate=0.0015, rates={"partial": 0.05}, batch=16
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    recovery_steps=140,
                    learning_rate=0.003,
                    max_drop=8.0,
                ),
                quantization=presets.TINY_STATIC,
                build={"num_classes": 8, "divisor": 8},
                inputs={"frames": 8, "side": 40, "classes": 8},
            ),
            "base": Size(
                training=replace(presets.TRAINING, steps=300),
                finetuning=presets.FINETUNING,
                pruning=presets.CHANNELS,
                quantization=presets.STATIC,
                build={"num_classes": 400},
                inputs={"frames": 16, "side": 112, "classes": 400},
            ),
        },
        outputs=("logits",),
        parameters=33_371_472,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.video.r3d_18.html",
        pretrained=partial(torchvision_weights, "r3d_18"),
        requires=("torchvision",),
        head=("fc",),
        export=BATCH,
    ),
)
