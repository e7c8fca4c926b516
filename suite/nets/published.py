"""Worker side. Published weights, loaded by torchvision."""

from __future__ import annotations

from typing import Any


def torchvision_weights(name: str) -> Any:
    """Return torchvision's model `name` with its default weights.

    They are downloaded or taken from torch's hub cache; torchvision's errors are passed on if neither is possible.
    """
    from torchvision.models import get_model

    return get_model(name, weights="DEFAULT")
