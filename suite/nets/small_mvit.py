"""Worker side. Torchvision's MViT v2 with four narrow blocks."""

from __future__ import annotations

from torch import nn
from torchvision.models.video import MViT
from torchvision.models.video.mvit import MSBlockConfig

BLOCKS = (
    # heads, input channels, output channels, query stride, key and value stride
    (1, 16, 16, 1, 4),
    (2, 16, 32, 2, 2),
    (2, 32, 32, 1, 2),
    (4, 32, 64, 2, 1),
)
"""The pattern of MViTv2-S: queries are pooled where the channels double, keys and values always."""


def small_mvit(num_classes: int, side: int) -> nn.Module:
    """Return MViT v2 for 8 frames of `side` x `side`."""
    model: nn.Module = MViT(
        spatial_size=(side, side),
        temporal_size=8,
        block_setting=[
            MSBlockConfig(
                num_heads=heads,
                input_channels=num_in,
                output_channels=num_out,
                kernel_q=[3, 3, 3],
                kernel_kv=[3, 3, 3],
                stride_q=[1, q, q],
                stride_kv=[1, kv, kv],
            )
            for heads, num_in, num_out, q, kv in BLOCKS
        ],
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=True,
        num_classes=num_classes,
    )
    return model
