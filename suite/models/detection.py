"""Object detection: Faster R-CNN, SSD300, and this project's YOLO."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from suite import presets
from suite.lifecycle import Finetuning, Pruning, Quantization, Training
from suite.nets.published import torchvision_weights
from suite.spec import Export, Gap, ModelSpec, Size, Tolerance

STATIC: Final = Export(
    recipe="detection",
    static_reason=(
        "the model takes a list of pictures and unrolls it, and computes anchors from the picture's size:"
        " the graph holds for one picture of one size; the number of detections stays dynamic"
    ),
)


PIXELS: Final = Tolerance(
    outputs={"boxes": 2e-3}, reason="boxes are in pixels: their corners are sums of hundreds"
)

SCALED_PIXELS: Final = Tolerance(
    outputs={"boxes": 1e-2},
    reason=(
        "boxes are in pixels of a picture scaled to 800: eager and the graph lie up to 0.006 on"
        " either side of the float64 result, next to the border too"
    ),
)

NO_HALF_NMS: Final = tuple(
    Gap(
        device="cpu",
        dtype=dtype,
        reason="torchvision's non-maximum suppression has no half-precision kernel on a CPU",
        url="https://github.com/pytorch/vision/blob/main/torchvision/csrc/ops/cpu/nms_kernel.cpp",
    )
    for dtype in ("bfloat16", "float16")
)

NO_PT2E: Final = Gap(
    stage="quantize",
    variant="pt2e",
    reason=(
        "torch.export with the quantizer's patterns guards on the number of boxes that non-maximum suppression leaves"
        " (GuardOnDataDependentSymNode)"
    ),
    url="https://docs.pytorch.org/docs/stable/export.html#limitations-of-torch-export",
)

NOT_ON_COCO: Final = Gap(
    stage="train",
    size="tiny",
    data="coco",
    reason=(
        "some sixty pictures and a minute are too few for an SSD without a pretrained backbone: mAP50 of 1.6 to 4.3"
        " over settings and seeds, where one box for all pictures has 1.4 to 5.6"
    ),
    url="https://arxiv.org/abs/1512.02325",
)

LARGE: Final = {"coco": 24, "dusk_scenes": 24}
"""Folder data set -> `least` of the tiny YOLO: photographs have objects of every size. From some sixty pictures it
learns the large ones with every seed; with those from 12 pixels on, the mAP50 is a third lower and scatters more.
"""

# Pictures are stretched for torchvision's detectors, as in the SSD paper: grey padding gives candidates with identical
# scores, which every backend orders differently. YOLO returns its candidates unsorted and keeps the aspect.
#
# Torchvision's own score thresholds (0.05 and 0.01) stay: random weights spread the scores so far that hundreds of
# candidates exceed them, so that there are detections to suppress, to return and to compare.


def build_faster_rcnn(*, num_classes: int, divisor: int = 1) -> Any:
    """Return torchvision's Faster R-CNN on ResNet-50 with a feature pyramid; with a divisor, narrow and one block a
    stage.
    """
    if divisor == 1:
        from torchvision.models.detection import fasterrcnn_resnet50_fpn

        return fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=num_classes)
    from suite.nets.small_detectors import small_faster_rcnn

    return small_faster_rcnn(num_classes, divisor)


def build_ssd300(*, num_classes: int, divisor: int = 1) -> Any:
    """Return torchvision's SSD300 on VGG-16, every width divided by `divisor`."""
    if divisor == 1:
        from torchvision.models.detection import ssd300_vgg16

        return ssd300_vgg16(weights=None, weights_backbone=None, num_classes=num_classes)
    from suite.nets.small_detectors import small_ssd300

    return small_ssd300(num_classes, divisor)


def build_yolo(*, num_classes: int, width: int, anchor_scale: float) -> Any:
    """Return this project's YOLO, after YOLOv3-tiny; it outputs all candidates, see `suite.nets.yolo.detections`."""
    from suite.nets.yolo import Yolo

    return Yolo(num_classes=num_classes, width=width, anchor_scale=anchor_scale)


MODELS: Final = (
    ModelSpec(
        name="faster_rcnn",
        family="detection",
        task="detection",
        build=build_faster_rcnn,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.004,
                    steps=160,
                    batch=8,
                    clip=5.0,
                    test_samples=64,
                    overfit_steps=60,
                    overfit_samples=4,
                    margin=1.0,
                ),
                finetuning=Finetuning(
                    steps=15, learning_rate=0.001, rates={"partial": 0.01}, batch=8
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    recovery_steps=220,
                    learning_rate=0.004,
                    max_drop=12.0,
                ),
                quantization=Quantization(calibration_samples=16, bytes_left=0.7, max_drop=3.0),
                build={"num_classes": 2, "divisor": 8},
                inputs={
                    "side": 96,
                    "classes": 2,
                    "least": 20,
                    "form": "list",
                    "keeps_aspect": False,
                },
            ),
            # The model itself scales pictures to a short side of 800.
            "base": Size(
                training=replace(presets.TRAINING, batch=4, steps=400, test_samples=64),
                finetuning=replace(presets.FINETUNING, batch=4),
                pruning=presets.CHANNELS,
                quantization=presets.STATIC,
                build={"num_classes": 91},
                inputs={"side": 640, "classes": 91, "form": "list", "keeps_aspect": False},
            ),
        },
        outputs=("boxes", "labels", "scores"),
        # The published count, plus the backbone's batch normalizations: torchvision freezes them into buffers when it
        # loads published weights, and otherwise builds trainable ones (scale and shift of 26,560 channels).
        parameters=41_755_286 + 2 * 26_560,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.detection.fasterrcnn_resnet50_fpn.html",
        pretrained=partial(torchvision_weights, "fasterrcnn_resnet50_fpn"),
        requires=("torchvision",),
        head=("rpn.head", "roi_heads.box_predictor"),
        export=STATIC,
        tolerance=SCALED_PIXELS,
        gaps=(*NO_HALF_NMS, NO_PT2E),
    ),
    ModelSpec(
        name="ssd300",
        family="detection",
        task="detection",
        build=build_ssd300,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.003,
                    steps=100,
                    batch=8,
                    clip=5.0,
                    test_samples=64,
                    overfit_steps=40,
                    overfit_samples=4,
                    margin=1.0,
                ),
                finetuning=Finetuning(
                    steps=30, learning_rate=0.0015, rates={"partial": 0.006}, batch=8
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    recovery_steps=220,
                    learning_rate=0.003,
                    max_drop=8.0,
                ),
                quantization=Quantization(calibration_samples=16, bytes_left=0.7, max_drop=3.0),
                build={"num_classes": 2, "divisor": 8},
                inputs={
                    "side": 128,
                    "classes": 2,
                    "least": 12,
                    "form": "list",
                    "keeps_aspect": False,
                },
            ),
            "base": Size(
                training=replace(presets.TRAINING, steps=600, test_samples=64),
                finetuning=presets.FINETUNING,
                pruning=presets.CHANNELS,
                quantization=presets.STATIC,
                build={"num_classes": 91},
                inputs={"side": 300, "classes": 91, "form": "list", "keeps_aspect": False},
            ),
        },
        outputs=("boxes", "scores", "labels"),
        parameters=35_641_826,
        source="https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.detection.ssd300_vgg16.html",
        pretrained=partial(torchvision_weights, "ssd300_vgg16"),
        requires=("torchvision",),
        head=("head",),
        export=STATIC,
        tolerance=PIXELS,
        gaps=(*NO_HALF_NMS, NO_PT2E, NOT_ON_COCO),
    ),
    ModelSpec(
        name="yolo",
        family="detection",
        task="detection",
        build=build_yolo,
        sizes={
            "tiny": Size(
                training=Training(
                    learning_rate=0.01,
                    steps=100,
                    batch=16,
                    clip=10.0,
                    test_samples=128,
                    margin=2.0,
                    loss="suite.tasks.yolo_loss:yolo_loss",
                ),
                finetuning=Finetuning(
                    steps=30,
                    # With ten times these rates it forgets, on a few pictures at dusk, more than it learns.
                    learning_rate=0.0001,
                    rates={"partial": 0.0004},
                    batch=16,
                ),
                pruning=Pruning(
                    parameters_left=0.4,
                    macs_left=0.4,
                    recovery_steps=120,
                    learning_rate=0.01,
                    max_drop=8.0,
                ),
                quantization=presets.TINY_STATIC,
                build={"num_classes": 1, "width": 4, "anchor_scale": 128 / 416},
                inputs={
                    "side": 128,
                    "classes": 2,
                    "least": 12,
                    "least_in": LARGE,
                    "form": "tensor",
                    "keeps_aspect": True,
                },
            ),
            "base": Size(
                training=replace(
                    presets.TRAINING,
                    loss="suite.tasks.yolo_loss:yolo_loss",
                    steps=150,
                    test_samples=64,
                ),
                finetuning=presets.FINETUNING,
                pruning=presets.CHANNELS,
                quantization=presets.STATIC,
                build={"num_classes": 80, "width": 16, "anchor_scale": 1.0},
                inputs={"side": 416, "classes": 81, "form": "tensor", "keeps_aspect": True},
            ),
        },
        outputs=("boxes", "scores"),
        # Derived from the published configuration. The published weight file agrees: 35,434,956 bytes are a header of
        # 20, these parameters and 2 x 3,184 running statistics of 4 bytes each.
        parameters=8_852_366,
        source="https://github.com/pjreddie/darknet/blob/master/cfg/yolov3-tiny.cfg",
        requires=("torchvision", "suite.nets.yolo"),
        head=("heads.0.1", "heads.1.1"),
        export=Export(dynamic={"images": {0: "batch"}}),
        tolerance=PIXELS,
    ),
)
