"""Worker side. The decoder of a module: which of the two conventions its forward follows."""

from __future__ import annotations

from typing import Any

from suite.generation.causal import causal_decoder
from suite.generation.decoder import Decoder
from suite.generation.encoder_decoder import NEEDED, encoder_decoder
from suite.tasks.ready_inputs import forward_arguments


def decoder_of(module: Any, name: str) -> Decoder:
    """Return the module's decoder in eager PyTorch. Raise Unsupported, naming the model, if it has no cache."""
    is_pair = set(NEEDED) <= set(forward_arguments(module))
    return (encoder_decoder if is_pair else causal_decoder)(module, name)
