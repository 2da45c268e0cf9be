"""Tells whoever listens in this process that events were stored.

What is missed here is found in the database: the hub makes things fast, never complete.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telephony.monitor.metrics import Metrics
    from telephony.store.stored import StoredEvent


class Hub:
    """One for the process.

    ``work``: set when there may be something to deliver. ``files``: set when recordings may be waiting.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.work = asyncio.Event()
        self.files = asyncio.Event()
        self._metrics = metrics
        self._listeners: dict[str | None, set[asyncio.Event]] = {}

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Events were committed."""
        if not events:
            return
        self._metrics.told(events)
        self.work.set()
        for call_id in {event.call_id for event in events}:
            self._wake(call_id)
        self._wake(None)
        if any(event.type.startswith("recording.") for event in events):
            self.files.set()

    def _wake(self, call_id: str | None) -> None:
        for listener in self._listeners.get(call_id, ()):
            listener.set()

    @contextlib.contextmanager
    def listening(self, call_id: str | None) -> Iterator[asyncio.Event]:
        """An event that is set whenever something of a call, or of any (None), was stored."""
        listener = asyncio.Event()
        group = self._listeners.setdefault(call_id, set())
        group.add(listener)
        try:
            yield listener
        finally:
            group.discard(listener)
            if not group:
                self._listeners.pop(call_id, None)

    @property
    def listeners(self) -> int:
        """How many are listening."""
        return sum(len(group) for group in self._listeners.values())


async def changed(listener: asyncio.Event, at_most_s: float) -> None:
    """Wait until a listener is told something, or for so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await listener.wait()
    listener.clear()
