"""Image classification: ResNet-18, Inception v3, ViT-B/16."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from suite import presets
from suite.lifecycle import Finetuning, Pruning, Training
from suite.nets.published import torchvision_weights
from suite.spec import Export, ModelSpec, Size

BATCH: Final = Export(dynamic={"x": {0: "batch"}})


def build_resnet18(*, num_classes: int, divisor: int = 1) -> Any:
    """Return torchvision's ResNet-18, every width divided by `divisor`."""
    from torchvision.models import resnet18

    from suite.nets.narrow import narrow

    return narrow(partial(resnet18, weights=None, num_classes=num_classes), divisor, heads=("fc",))


def build_inception_v3(
    *, num_classes: int, divisor: int = 1, has_auxiliary: bool = True, dropout: float = 0.5
) -> Any:
    """Return torchvision's Inception v3; `has_auxiliary` adds the second head, which works in training only."""
    from torch import no_grad
    from torchvision.models import Inception3

    from suite.nets.narrow import keep_variance, narrow

    build = partial(
        Inception3,
        num_classes=num_classes,
        aux_logits=has_auxiliary,
        init_weights=False,
        dropout=dropout,
    )
    model = narrow(build, divisor, heads=("fc", "AuxLogits.fc"))
    # Torchvision's weights with a deviation of 0.1 double the activations in each of 48 layers, and PyTorch's default
    # halves them: an untrained net would return 1e14, or the same for every picture.
    keep_variance(model)
    if divisor > 1:
        with no_grad():
            # Initial logits are 3 and more either way: a brief training would spend its steps on shrinking them.
            model.fc.weight *= 0.3
    return model


def build_vit_b_16(*, num_classes: int, side: int, layers: int, heads: int, width: int) -> Any:
    """Return torchvision's vision transformer with patches of 16x16."""
    from torch import nn
    from torchvision.models import VisionTransformer

    model = VisionTransformer(
        image_size=side,
        patch_size=16,
        num_layers=layers,
        num_heads=heads,
        hidden_dim=width,
        mlp_dim=4 * width,
        num_classes=num_classes,
    )
    # Torchvision initializes the head to zero: an untrained model returns 0 for every picture, nothing to compare.
    nn.init.xavier_uniform_(model.heads.head.weight)
    return model


MODELS: Final = (
    ModelSpec(
        name="resnet18",
        family="vision",
        task="image_classification",
        build=build_resnet18,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.003, steps=120, margin=10.0, parallel=("ddp", "fsdp")
                ),
                finetuning=Finetuning(
                    steps=15, learning_rate=0.0015, rates={"partial": 0.006}, batch=32
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    recovery_steps=80,
                    learning_rate=0.0015,
                    max_drop=8.0,
                ),
                quantization=replace(presets.TINY_STATIC, pt2e=True),
                build={"num_classes": 10, "divisor": 4},
                inputs={"channels": 3, "side": 64, "classes": 10},
            ),
            "base": Size(
                training=replace(presets.TRAINING, parallel=("ddp", "fsdp")),
                finetuning=presets.FINETUNING,
                pruning=presets.CHANNELS,
                quantization=presets.STATIC,
                build={"num_classes": 1000},
                inputs={"channels": 3, "side": 224, "classes": 1000},
            ),
        },
        outputs=("logits",),
        parameters=11_689_512,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet18.html",
        pretrained=partial(torchvision_weights, "resnet18"),
        requires=("torchvision",),
        head=("fc",),
        export=BATCH,
    ),
    ModelSpec(
        name="inception_v3",
        family="vision",
        task="image_classification",
        build=build_inception_v3,
        sizes={
            # 75 is the smallest side that its pooling reduces to at least one pixel; the second head needs about 299.
            "tiny": Size(
                training=Training(
                    # On CIFAR-10's pictures over four seeds 12.6 points over trivial, with a spread of 2.1.
                    learning_rate=0.001,
                    steps=400,
                    patience=9,
                    batch=16,
                    margin=5.0,
                    overfit_steps=80,
                    overfit_rate=0.001,
                ),
                finetuning=Finetuning(
                    steps=30, learning_rate=0.0015, rates={"partial": 0.006}, batch=16
                ),
                pruning=Pruning(
                    ratio=0.4,
                    parameters_left=0.5,
                    macs_left=0.5,
                    recovery_steps=240,
                    learning_rate=0.003,
                    max_drop=8.0,
                ),
                quantization=presets.TINY_STATIC,
                build={"num_classes": 10, "divisor": 4, "has_auxiliary": False, "dropout": 0.1},
                inputs={"channels": 3, "side": 75, "classes": 10},
            ),
            "base": Size(
                training=replace(presets.TRAINING, overfit_steps=80, test_samples=360),
                finetuning=presets.FINETUNING,
                pruning=presets.CHANNELS,
                # The pruned model loses seven points with 7-bit weights.
                quantization=replace(
                    presets.STATIC, calibration_samples=256, eight_bits=("pruned_int8",)
                ),
                build={"num_classes": 1000},
                inputs={"channels": 3, "side": 299, "classes": 1000},
            ),
        },
        outputs=("logits",),
        parameters=27_161_264,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.inception_v3.html",
        pretrained=partial(torchvision_weights, "inception_v3"),
        requires=("torchvision",),
        head=("fc",),
        export=BATCH,
    ),
    ModelSpec(
        name="vit_b_16",
        family="vision",
        task="image_classification",
        build=build_vit_b_16,
        sizes={
            "tiny": Size(
                training=Training(learning_rate=0.002, steps=150, margin=8.0),
                finetuning=Finetuning(
                    steps=30, learning_rate=0.001, rates={"partial": 0.004}, batch=32
                ),
                pruning=Pruning(
                    method="feed_forward",
                    ratio=0.75,
                    parameters_left=0.8,
                    macs_left=0.8,
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=8.0,
                ),
                quantization=replace(presets.TINY_STATIC, torchao=presets.TORCHAO),
                build={"num_classes": 10, "side": 64, "layers": 2, "heads": 4, "width": 64},
                inputs={"channels": 3, "side": 64, "classes": 10},
            ),
            "base": Size(
                training=replace(presets.ATTENTION_TRAINING, steps=400, batch=32),
                finetuning=presets.ATTENTION_FINETUNING,
                pruning=presets.FEED_FORWARD,
                quantization=replace(presets.STATIC, torchao=presets.TORCHAO),
                build={"num_classes": 1000, "side": 224, "layers": 12, "heads": 12, "width": 768},
                inputs={"channels": 3, "side": 224, "classes": 1000},
            ),
        },
        outputs=("logits",),
        parameters=86_567_656,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.vit_b_16.html",
        pretrained=partial(torchvision_weights, "vit_b_16"),
        requires=("torchvision",),
        head=("heads",),
        export=BATCH,
    ),
)
