"""Worker side. DCGAN for 64x64 pictures: generator and discriminator in one module."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn


class Generator(nn.Sequential):
    """Noise [N, latent, 1, 1] -> picture [N, channels, 64, 64] within -1..1."""

    def __init__(self, *, latent: int, width: int, channels: int) -> None:
        widths = (8 * width, 4 * width, 2 * width, width)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent, widths[0], 4, 1, 0, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        for wide, narrow in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False),
                nn.BatchNorm2d(narrow),
                nn.ReLU(),
            ]
        layers += [nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1, bias=False), nn.Tanh()]
        super().__init__(*layers)


class Discriminator(nn.Sequential):
    """Picture [N, channels, 64, 64] -> logit [N] of being real."""

    def __init__(self, *, width: int, channels: int) -> None:
        widths = (width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = [
            nn.Conv2d(channels, widths[0], 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2),
        ]
        for narrow, wide in pairwise(widths):
            layers += [
                nn.Conv2d(narrow, wide, 4, 2, 1, bias=False),
                nn.BatchNorm2d(wide),
                nn.LeakyReLU(0.2),
            ]
        layers += [nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False), nn.Flatten(0)]
        super().__init__(*layers)


class Dcgan(nn.Module):
    """Both players: `generator` and `discriminator`."""

    def __init__(self, *, latent: int, width: int, channels: int) -> None:
        super().__init__()
        self.generator = Generator(latent=latent, width=width, channels=channels)
        self.discriminator = Discriminator(width=width, channels=channels)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                _keep_variance(module)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures [N, channels, 64, 64] from noise [N, latent, 1, 1], and their scores [N] (logits)."""
        image = self.generator(z)
        return image, self.discriminator(image)


def _keep_variance(layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Initialize the weights to keep the variance of the layer's input (He et al., 2015).

    The paper's N(0, 0.02) relies on batch statistics. In evaluation mode, before any training, batch normalization is
    the identity, the picture fades to about 0.004 and all scores are equal: parity would show nothing.
    """
    taps = math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d) and layer.stride[0] > 1:
        taps //= math.prod(layer.stride)  # only these kernel taps reach one output pixel
    elif isinstance(layer, nn.ConvTranspose2d):
        taps = 1  # the first layer spreads a single pixel
    nn.init.normal_(layer.weight, std=math.sqrt(2.0 / (layer.in_channels * taps)))
