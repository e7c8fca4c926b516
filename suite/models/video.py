"""Video classification: MViT v2 (a video transformer) and R3D-18 (a residual net with 3D convolutions)."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from suite.nets.published import torchvision_weights
from suite.spec import Export, ModelSpec, Size

BATCH: Final = Export(dynamic={"x": {0: "batch"}})


def build_mvit_v2_s(*, num_classes: int, is_small: bool = False) -> Any:
    """Torchvision's MViTv2-S; the small one has 4 narrow blocks for 8 frames of 64x64."""
    from torchvision.models.video import mvit_v2_s

    if is_small:
        from suite.nets.small_mvit import small_mvit

        return small_mvit(num_classes)
    return mvit_v2_s(weights=None, num_classes=num_classes)


def build_r3d_18(*, num_classes: int, divisor: int = 1) -> Any:
    """Torchvision's R3D-18, every width divided by `divisor`."""
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
                build={"num_classes": 8, "is_small": True},
                inputs={"frames": 8, "side": 64, "classes": 8},
            ),
            "base": Size(
                build={"num_classes": 400}, inputs={"frames": 16, "side": 224, "classes": 400}
            ),
        },
        outputs=("logits",),
        parameters=34_537_744,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.video.mvit_v2_s.html",
        pretrained=partial(torchvision_weights, "mvit_v2_s"),
        requires=("torchvision",),
        export=BATCH,
    ),
    ModelSpec(
        name="r3d_18",
        family="video",
        task="video_classification",
        build=build_r3d_18,
        sizes={
            "tiny": Size(
                build={"num_classes": 8, "divisor": 4},
                inputs={"frames": 8, "side": 56, "classes": 8},
            ),
            "base": Size(
                build={"num_classes": 400}, inputs={"frames": 16, "side": 112, "classes": 400}
            ),
        },
        outputs=("logits",),
        parameters=33_371_472,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.video.r3d_18.html",
        pretrained=partial(torchvision_weights, "r3d_18"),
        requires=("torchvision",),
        export=BATCH,
    ),
)
