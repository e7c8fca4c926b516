"""Worker side. Torchvision's Faster R-CNN and SSD300 with fewer layers and channels."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchvision.models import ResNet, vgg16_bn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.ssd import SSD, SSDFeatureExtractorVGG
from torchvision.models.resnet import Bottleneck
from torchvision.ops import MultiScaleRoIAlign

from suite.nets.narrow import narrow


def small_faster_rcnn(num_classes: int, divisor: int) -> nn.Module:
    """Return Faster R-CNN for side 96: one bottleneck per stage, widths divided by `divisor`, a small box head."""
    width = 256 // divisor
    backbone = narrow(_pyramid, divisor)
    backbone.out_channels = width
    model: nn.Module = FasterRCNN(
        backbone,
        min_size=96,
        max_size=96,
        rpn_anchor_generator=AnchorGenerator(
            ((6,), (12,), (24,), (48,), (96,)), ((0.5, 1.0, 2.0),) * 5
        ),
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_test=50,
        rpn_pre_nms_top_n_train=200,
        rpn_post_nms_top_n_train=100,
        # Equation 1 of the FPN paper assigns all boxes of so small a picture to the finest level.
        box_roi_pool=MultiScaleRoIAlign(["0"], output_size=4, sampling_ratio=2),
        box_head=TwoMLPHead(width * 4 * 4, 64),
        box_predictor=FastRCNNPredictor(64, num_classes),
        # After a brief training, torchvision's threshold of 0.05 leaves many pictures without boxes
        # to compare.
        box_score_thresh=0.01,
        box_detections_per_img=32,
    )
    return model


def _pyramid() -> nn.Module:
    stages = {f"layer{stage}": str(stage - 1) for stage in (1, 2, 3, 4)}
    backbone = ResNet(Bottleneck, [1, 1, 1, 1])
    pyramid: nn.Module = BackboneWithFPN(backbone, stages, [256, 512, 1024, 2048], 256)
    return pyramid


def small_ssd300(num_classes: int, divisor: int) -> nn.Module:
    """Return SSD300 for side 128: its first four feature maps (16, 8, 4 and 2) and the published box shapes.

    Every width of VGG-16 and of the extra layers is divided by `divisor`.
    """
    extractor: Any = narrow(
        lambda: SSDFeatureExtractorVGG(vgg16_bn(weights=None).features, highres=False), divisor
    )
    with torch.no_grad():
        # The input is 0..255, mean subtracted, as published weights expect. Random ones carry that
        # scale to the scores, where every softmax would be 1 and nothing could be ranked.
        extractor.features[0].weight /= 128
    extractor.extra = extractor.extra[:3]
    widths = [width // divisor for width in (512, 1024, 512, 256)]
    # The published norm is 20 over 512 channels; over fewer, a smaller one keeps each channel's
    # share.
    extractor.scale_weight = nn.Parameter(torch.full((widths[0],), 20 / divisor**0.5))
    extractor.out_channels = widths
    model: nn.Module = SSD(
        extractor,
        DefaultBoxGenerator(
            [[2], [2, 3], [2, 3], [2, 3]],
            scales=[0.07, 0.15, 0.33, 0.51, 0.69],
            steps=[8, 16, 32, 64],
        ),
        (128, 128),
        num_classes,
        image_mean=[0.48235, 0.45882, 0.40784],
        image_std=[1 / 255] * 3,
        detections_per_img=50,
        topk_candidates=50,
    )
    return model
