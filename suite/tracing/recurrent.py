"""Worker side. Recurrent layers in torch.export: exported as a loop, so that the number of steps stays dynamic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

LOOPS: Final = ("register_lstm_while_loop_decomposition", "register_gru_while_loop_decomposition")
"""Decompositions of torch.export that are enabled explicitly."""


@contextmanager
def recurrent_loops() -> Iterator[None]:
    """Within the block, make torch.export represent nn.LSTM and nn.GRU as loops over the steps instead of unrolling
    them.

    torch.onnx of PyTorch 2.15 does so by itself, that of 2.11 does not.
    """
    from torch.export import _patches

    with ExitStack() as stack:
        for name in LOOPS:
            if hasattr(_patches, name):
                stack.enter_context(getattr(_patches, name)())
        yield
