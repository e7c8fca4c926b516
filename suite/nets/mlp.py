"""Worker side. A multilayer perceptron over flattened pictures."""

from __future__ import annotations

from torch import Tensor, nn


class Mlp(nn.Module):
    """Linear, ReLU, Linear: a perceptron with one hidden layer."""

    def __init__(self, *, num_features: int, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(num_features, hidden)
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, classes] of pictures [N, channels, height, width]."""
        logits: Tensor = self.head(self.hidden(x.flatten(1)).relu())
        return logits
