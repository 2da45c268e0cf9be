"""A bus in memory with the behaviour of Redis: subscribers at the time of publishing get the payload."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.errors import BusError

if TYPE_CHECKING:
    from collections.abc import Callable


class MemoryBus:
    """Delivers on the next turn of the loop, to every subscriber; can be taken away and brought back."""

    def __init__(self) -> None:
        self.away = False
        self.published: list[tuple[str, bytes]] = []
        self._handlers: dict[str, list[Callable[[bytes], None]]] = {}
        self._keys: set[str] = set()

    async def subscribe(self, channel: str, handler: Callable[[bytes], None]) -> None:
        self._handlers.setdefault(channel, []).append(handler)

    async def unsubscribe(self, channel: str) -> None:
        self._handlers.pop(channel, None)

    async def publish(self, channel: str, payload: bytes) -> None:
        if self.away:
            raise BusError("the bus is away", code="unavailable", retryable=True)
        self.published.append((channel, payload))
        for handler in self._handlers.get(channel, []):
            asyncio.get_running_loop().call_soon(handler, payload)

    async def win(self, key: str, seconds: int) -> bool:
        if key in self._keys:
            return False
        self._keys.add(key)
        return True


async def settle(turns: int = 20) -> None:
    """Let everything that is ready run."""
    for _ in range(turns):
        await asyncio.sleep(0)
