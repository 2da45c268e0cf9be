"""The batches of an api process: its conductor, woken by whatever happens to a call or a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.dialer.batches.conductor import Conductor, lead
from telephony.dialer.batches.through_dialer import ThroughTheDialer
from telephony.dialer.batches.windows import hours_for

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from telephony.api.hub import Hub
    from telephony.dialer.requests import DialService
    from telephony.store.stored import StoredEvent


class BatchDesk:
    """One for the process."""

    def __init__(self, dialing: DialService, hub: Hub) -> None:
        self._hub = hub
        self.conductor = Conductor(dialing.database, ThroughTheDialer(dialing), hours_for, hub.publish)

    def changed(self, told: Sequence[StoredEvent]) -> None:
        """A batch was made or changed; ``told``: the events of that."""
        self._hub.publish(told)
        self.conductor.news.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Lead the batches until stopped."""
        with self._hub.listening(None) as happened:
            await lead(self.conductor, happened, stopping)
