"""Inbox of the driver, an actor on the head node: what a node has put there survives the node."""

from __future__ import annotations

import asyncio
from typing import Final

from bench.fleet.task import Message

MAX_BYTES: Final = 256 << 20
"""Bytes of file parts that wait here; then the nodes wait."""


class Inbox:
    """Messages in the order of their arrival."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._num_bytes = 0
        self._changed = asyncio.Condition()

    async def put(self, message: Message) -> None:
        """Take a message; returns when it is here."""
        size = len(message.part.data) if message.part else 0
        async with self._changed:
            while size and self._num_bytes + size > MAX_BYTES:
                await self._changed.wait()
            self._messages.append(message)
            self._num_bytes += size
            self._changed.notify_all()

    async def take(self, seconds: float) -> list[Message]:
        """Return all messages, and forget them; wait up to `seconds` for the first."""
        async with self._changed:
            if not self._messages:
                try:
                    await asyncio.wait_for(self._changed.wait(), seconds)
                except TimeoutError:
                    return []
            found, self._messages, self._num_bytes = self._messages, [], 0
            self._changed.notify_all()
            return found
