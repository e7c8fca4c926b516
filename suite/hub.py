"""Worker side. The Hub of Hugging Face: asked once whether it answers, because its library tries for over a minute."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

SECONDS: Final = 5.0
"""How long the Hub may take to answer at all."""


@contextmanager
def asked_once() -> Iterator[None]:
    """Within the block the Hub's library takes files from its cache alone, if the Hub does not answer.

    Without, it tries every file again and again, 87 s for one that is not cached. With an answer, or without the
    library, nothing changes.
    """
    if find_spec("huggingface_hub") is None:
        yield
        return
    from huggingface_hub import constants

    was_offline = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = was_offline or not answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = was_offline


def answers() -> bool:
    """Return whether the Hub, or the mirror or proxy that is set for it, gives any answer within SECONDS."""
    found = threading.Event()

    def ask() -> None:
        from huggingface_hub import constants, get_session

        try:
            get_session().head(constants.ENDPOINT, timeout=SECONDS)
        except Exception:  # of whichever library it talks through
            return
        found.set()

    asking = threading.Thread(
        target=ask, daemon=True
    )  # finding the address has no timeout of its own
    asking.start()
    asking.join(SECONDS)
    return found.is_set()
