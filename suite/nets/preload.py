"""What the launcher imports before it forks a worker for a model of pictures; imports nothing itself."""

from __future__ import annotations

from typing import Final

PICTURES: Final = ("torchvision", "torchvision.transforms.v2", "sklearn.datasets", "PIL.Image")
"""The models, the preprocessing, the embedded digits and photographs, the decoder of picture files."""
