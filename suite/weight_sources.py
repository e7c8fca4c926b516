"""Names of where weights come from, beside folders: for who reads them in records and may not import torch's side."""

from __future__ import annotations

from typing import Final

PRETRAINED: Final = "pretrained"
RANDOM: Final = "random"
