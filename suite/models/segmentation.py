"""Semantic segmentation: FCN and DeepLabV3 on ResNet-50, U-Net and PSPNet on ResNet-34."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from suite import presets
from suite.lifecycle import Finetuning, Pruning, Training
from suite.nets.published import torchvision_weights
from suite.spec import Export, Gap, ModelSpec, Size

BATCH: Final = Export(dynamic={"x": {0: "batch"}})

SMP: Final = "https://github.com/qubvel-org/segmentation_models.pytorch/tree/main/segmentation_models_pytorch/decoders"

RESNET34: Final = 21_797_672 - 513_000
"""Published parameter count of ResNet-34 without its classifier."""


NOT_AT_DUSK: Final = Gap(
    stage="finetune",
    size="tiny",
    data="coco",
    reason=(
        "what a tiny U-Net learns from some sixty pictures in a minute (mIoU 38, where background alone has 31) does"
        " not reach pictures in another light: before fine-tuning it has 32 there, from scratch 37 after six steps"
    ),
    url=f"{SMP}/unet",
)


def build_fcn_resnet50(*, num_classes: int, divisor: int = 1) -> Any:
    """Return torchvision's FCN with its checkpoint's auxiliary head; with a divisor, narrow and one block a stage."""
    from torchvision.models.segmentation import fcn_resnet50

    if divisor > 1:
        from suite.nets.small_segmentation import small_fcn

        return small_fcn(num_classes, divisor)
    return fcn_resnet50(weights=None, weights_backbone=None, num_classes=num_classes, aux_loss=True)


def build_deeplabv3_resnet50(*, num_classes: int, divisor: int = 1) -> Any:
    """Return torchvision's DeepLabV3 with its checkpoint's auxiliary head; `divisor` as for FCN."""
    from torchvision.models.segmentation import deeplabv3_resnet50

    if divisor > 1:
        from suite.nets.small_segmentation import small_deeplabv3

        return small_deeplabv3(num_classes, divisor)
    return deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=num_classes, aux_loss=True
    )


def build_unet(
    *,
    num_classes: int,
    divisor: int = 1,
    decoder: tuple[int, ...] = (256, 128, 64, 32, 16),
    weights: str | None = None,
) -> Any:
    """Return segmentation-models-pytorch's U-Net on ResNet-34, every width divided by `divisor`."""
    from segmentation_models_pytorch import Unet

    from suite.nets.narrow import narrow

    build = partial(
        Unet,
        "resnet34",
        encoder_weights=weights,
        decoder_channels=decoder,
        classes=num_classes,
    )
    return narrow(build, divisor, heads=("segmentation_head.0",))


def build_pspnet(*, num_classes: int, divisor: int = 1, weights: str | None = None) -> Any:
    """Return segmentation-models-pytorch's PSPNet on ResNet-34, every width divided by `divisor`."""
    from segmentation_models_pytorch import PSPNet

    from suite.nets.narrow import narrow

    build = partial(PSPNet, "resnet34", encoder_weights=weights, classes=num_classes)
    return narrow(build, divisor, heads=("segmentation_head.0",))


def unet_parameters(num_classes: int) -> int:
    """Return the parameters of U-Net on ResNet-34: two 3x3 convolutions with batch normalization a block, 3x3 head."""
    num_in = (512 + 256, 256 + 128, 128 + 64, 64 + 64, 32)
    num_out = (256, 128, 64, 32, 16)
    decoder = sum(9 * i * o + 9 * o * o + 4 * o for i, o in zip(num_in, num_out, strict=True))
    return RESNET34 + decoder + (9 * 16 + 1) * num_classes


def pspnet_parameters(num_classes: int) -> int:
    """Return the parameters of PSPNet on ResNet-34: four pooled 1x1 branches, a 1x1 fusion, 3x3 head."""
    branches = (
        4 * 128 * 32 + 32 + 3 * 2 * 32
    )  # the branch pooled to 1x1 has a bias, the others a normalization
    fusion = 256 * 512 + 2 * 512
    return RESNET34 + branches + fusion + (9 * 512 + 1) * num_classes


LONGER: Final = replace(presets.TRAINING, steps=240, test_samples=64)
"""For base, to separate classes: after sixty steps a net finds salient objects but labels them background."""
LONGEST: Final = replace(LONGER, steps=600)
"""For models that have found too few classes after `LONGER`."""

MODELS: Final = (
    ModelSpec(
        name="fcn_resnet50",
        family="segmentation",
        task="segmentation",
        build=build_fcn_resnet50,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.002,
                    steps=60,
                    batch=8,
                    test_samples=64,
                    overfit_steps=30,
                    margin=3.0,
                ),
                finetuning=Finetuning(
                    steps=6, learning_rate=0.0005, rates={"partial": 0.001}, batch=8
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    recovery_steps=240,
                    learning_rate=0.003,
                    max_drop=12.0,
                ),
                quantization=replace(presets.TINY_STATIC, pt2e=True),
                build={"num_classes": 2, "divisor": 4},
                inputs={"side": 64, "classes": 2},
            ),
            "base": Size(
                training=LONGER,
                finetuning=presets.FINETUNING,
                pruning=presets.CHANNELS,
                quantization=presets.STATIC,
                build={"num_classes": 21},
                inputs={"side": 256, "classes": 21},
            ),
        },
        outputs=("out", "aux"),
        parameters=35_322_218,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.segmentation.fcn_resnet50.html",
        pretrained=partial(torchvision_weights, "fcn_resnet50"),
        requires=("torchvision",),
        head=("classifier.4", "aux_classifier.4"),
        export=BATCH,
    ),
    ModelSpec(
        name="deeplabv3_resnet50",
        family="segmentation",
        task="segmentation",
        build=build_deeplabv3_resnet50,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.002,
                    steps=60,
                    batch=8,
                    test_samples=64,
                    overfit_steps=30,
                    margin=5.0,
                ),
                finetuning=Finetuning(
                    steps=6, learning_rate=0.0005, rates={"partial": 0.001}, batch=8
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=12.0,
                ),
                quantization=replace(presets.TINY_STATIC, pt2e=True),
                build={"num_classes": 2, "divisor": 4},
                inputs={"side": 64, "classes": 2},
            ),
            "base": Size(
                training=LONGEST,
                finetuning=presets.FINETUNING,
                pruning=presets.CHANNELS,
                quantization=presets.STATIC,
                build={"num_classes": 21},
                inputs={"side": 256, "classes": 21},
            ),
        },
        outputs=("out", "aux"),
        parameters=42_004_074,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.segmentation.deeplabv3_resnet50.html",
        pretrained=partial(torchvision_weights, "deeplabv3_resnet50"),
        requires=("torchvision",),
        head=("classifier.4", "aux_classifier.4"),
        export=BATCH,
    ),
    ModelSpec(
        name="unet",
        family="segmentation",
        task="segmentation",
        build=build_unet,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.002,
                    steps=60,
                    batch=16,
                    test_samples=64,
                    overfit_steps=30,
                    margin=5.0,
                ),
                finetuning=Finetuning(
                    steps=6, learning_rate=0.0005, rates={"partial": 0.001}, batch=16
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    recovery_steps=120,
                    learning_rate=0.003,
                    max_drop=12.0,
                ),
                quantization=presets.TINY_STATIC,
                # With the decoder's last widths of 8 and 4 three of eight seeds ended at background alone.
                build={
                    "num_classes": 2,
                    "divisor": 4,
                    "decoder": (256, 128, 64, 64, 64),
                },
                inputs={"side": 64, "classes": 2},
            ),
            "base": Size(
                training=LONGEST,
                finetuning=presets.FINETUNING,
                pruning=presets.CHANNELS,
                quantization=presets.STATIC,
                build={"num_classes": 21},
                inputs={"side": 256, "classes": 21},
            ),
        },
        outputs=("logits",),
        parameters=unet_parameters(21),
        source=f"{SMP}/unet",
        pretrained=partial(build_unet, num_classes=21, weights="imagenet"),
        requires=("segmentation_models_pytorch",),
        head=("segmentation_head",),
        gaps=(NOT_AT_DUSK,),
        export=BATCH,
    ),
    ModelSpec(
        name="pspnet",
        family="segmentation",
        task="segmentation",
        build=build_pspnet,
        # Sides that are multiples of 48: the pyramid pools an eighth of the side to 6, 3, 2 and 1 evenly.
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.002,
                    steps=60,
                    batch=8,
                    test_samples=64,
                    overfit_steps=30,
                    margin=5.0,
                ),
                finetuning=Finetuning(
                    steps=3, learning_rate=0.0005, rates={"partial": 0.001}, batch=8
                ),
                pruning=Pruning(
                    parameters_left=0.96,
                    macs_left=0.4,
                    recovery_steps=80,
                    learning_rate=0.001,
                    max_drop=12.0,
                ),
                quantization=replace(presets.TINY_STATIC, bytes_left=0.75),
                build={"num_classes": 2, "divisor": 4},
                inputs={"side": 96, "classes": 2},
            ),
            "base": Size(
                training=LONGER,
                finetuning=presets.FINETUNING,
                pruning=replace(presets.CHANNELS, parameters_left=0.96),
                quantization=presets.STATIC,
                build={"num_classes": 21},
                inputs={"side": 288, "classes": 21},
            ),
        },
        outputs=("logits",),
        # Like the library, this counts the last two stages of ResNet-34, which PSPNet contains but never runs.
        parameters=pspnet_parameters(21),
        source=f"{SMP}/pspnet",
        pretrained=partial(build_pspnet, num_classes=21, weights="imagenet"),
        requires=("segmentation_models_pytorch",),
        head=("segmentation_head",),
        export=BATCH,
    ),
)
