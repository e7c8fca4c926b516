"""Worker side. A small convolutional classifier: two convolutions, one pooling, two linear layers."""

from __future__ import annotations

from torch import Tensor, nn


class Cnn(nn.Module):
    """The network of PyTorch's own MNIST example, with its widths as arguments."""

    def __init__(
        self,
        *,
        channels: int,
        side: int,
        widths: tuple[int, int],
        hidden: int,
        num_classes: int,
    ) -> None:
        super().__init__()
        pooled = (side - 4) // 2  # two 3x3 convolutions without padding, then 2x2 pooling
        self.features = nn.Sequential(
            nn.Conv2d(channels, widths[0], 3),
            nn.ReLU(),
            nn.Conv2d(widths[0], widths[1], 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
        )
        self.head = nn.Sequential(
            nn.Linear(widths[1] * pooled * pooled, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, classes] of pictures [N, channels, side, side]."""
        logits: Tensor = self.head(self.features(x).flatten(1))
        return logits
