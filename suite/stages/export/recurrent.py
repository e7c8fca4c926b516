"""Worker side. Recurrent layers in torch.export: as a loop, so that the number of steps stays an axis of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

LOOPS: Final = ("register_lstm_while_loop_decomposition", "register_gru_while_loop_decomposition")
"""What torch.export has for it, turned on by hand."""


@contextmanager
def recurrent_loops() -> Iterator[None]:
    """Within the block torch.export takes nn.LSTM and nn.GRU for loops over the steps, where it would unroll them.

    torch.onnx of PyTorch 2.15 does so by itself, that of 2.11 does not.
    """
    from torch.export import _patches

    with ExitStack() as stack:
        for name in LOOPS:
            if hasattr(_patches, name):
                stack.enter_context(getattr(_patches, name)())
        yield
