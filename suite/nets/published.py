"""Worker side. Published weights through torchvision's own loading code."""

from __future__ import annotations

from typing import Any


def torchvision_weights(name: str) -> Any:
    """Torchvision's model `name` with its default weights.

    Downloads them, or takes them from torch's hub cache; raises what torchvision raises when neither is there.
    """
    from torchvision.models import get_model

    return get_model(name, weights="DEFAULT")
