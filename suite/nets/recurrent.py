"""Worker side. A sequence classifier on top of PyTorch's RNN, LSTM or GRU."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

CELLS: Final = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
"""Cell type -> PyTorch's module."""


class SequenceClassifier(nn.Module):
    """Recurrent layers over the steps; the class is predicted from the last step's state."""

    def __init__(
        self, *, cell: str, num_features: int, hidden: int, num_layers: int, num_classes: int
    ) -> None:
        super().__init__()
        self.recurrent = CELLS[cell](num_features, hidden, num_layers, batch_first=True)
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, classes] of sequences [N, steps, features]."""
        states, _ = self.recurrent(x)
        logits: Tensor = self.head(states[:, -1])
        return logits
