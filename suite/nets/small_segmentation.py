"""Worker side. Torchvision's FCN and DeepLabV3 with fewer layers and channels."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torchvision.models import ResNet
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.resnet import Bottleneck
from torchvision.models.segmentation import FCN, DeepLabV3
from torchvision.models.segmentation.deeplabv3 import DeepLabHead
from torchvision.models.segmentation.fcn import FCNHead

from suite.nets.narrow import narrow


def small_fcn(num_classes: int, divisor: int) -> nn.Module:
    """Return FCN with one bottleneck block per stage, widths divided by `divisor`."""
    return _small(
        lambda: FCN(_dilated(), FCNHead(2048, num_classes), _auxiliary(num_classes)), divisor
    )


def small_deeplabv3(num_classes: int, divisor: int) -> nn.Module:
    """Return DeepLabV3 with one bottleneck block per stage, widths divided by `divisor`."""
    return _small(
        lambda: DeepLabV3(_dilated(), DeepLabHead(2048, num_classes), _auxiliary(num_classes)),
        divisor,
    )


def _small(build: Callable[[], nn.Module], divisor: int) -> nn.Module:
    model: nn.Module = narrow(build, divisor, heads=("classifier.4", "aux_classifier.4"))
    return model


def _dilated() -> nn.Module:
    backbone = ResNet(Bottleneck, [1, 1, 1, 1], replace_stride_with_dilation=[False, True, True])
    stages: nn.Module = IntermediateLayerGetter(backbone, {"layer4": "out", "layer3": "aux"})
    return stages


def _auxiliary(num_classes: int) -> nn.Module:
    head: nn.Module = FCNHead(1024, num_classes)
    return head
