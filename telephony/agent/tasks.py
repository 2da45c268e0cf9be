"""The tasks of one call: each is kept until it is over, and none outlives the call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit.agents import utils

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Tasks:
    """One call's."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin something that nobody waits for."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def cancel(self) -> None:
        """Cancel what still runs, and wait until it has ended."""
        await utils.aio.cancel_and_wait(*self._running)
