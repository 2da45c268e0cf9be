"""Joining the room, begun beside other work and never given up half way.

Guarantee: a connection that is being made is waited for even when its call is over, since one that is
given up half made would leave a participant in the room, and the SDK in a state that ends the process.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from telephony.bridge.record import CallRecord

log = get_logger(__name__)

JOIN_TIMEOUT_S = 6.0
"""How long a call waits for livekit-server to let it in."""

_LATE_JOIN_S = 30.0

Failure = TypeVar("Failure")


class RoomEntry(Generic[Failure]):
    """One call's way into its room; it ends in None or in what kept the call out."""

    def __init__(self, record: CallRecord) -> None:
        self._record = record
        self._joining: asyncio.Task[Failure | None] | None = None

    @property
    def begun(self) -> bool:
        """Whether joining was begun."""
        return self._joining is not None

    def begin(
        self,
        tasks: asyncio.TaskGroup,
        join: Coroutine[Any, Any, Failure | None],
        on_done: Callable[[Failure | None], None] | None = None,
    ) -> None:
        """Join as a task of the call; ``on_done`` is told how that ended."""
        joining = self._joining = tasks.create_task(join)
        if on_done is not None:
            joining.add_done_callback(
                lambda task: on_done(None if task.cancelled() or task.exception() else task.result())
            )

    async def entered(self, unless: asyncio.Task[None] | None = None) -> bool:
        """Wait until joining has ended, well or badly; False where livekit-server took too long.

        Args:
            unless: its end makes joining vain, and ends the wait.
        """
        joining = self._joining
        assert joining is not None, "begun before"
        waited: set[asyncio.Task[Any]] = {joining} if unless is None else {joining, unless}
        await asyncio.wait(waited, timeout=JOIN_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        return joining.done()

    @property
    def failure(self) -> Failure | None:
        """What kept the call out; once ``entered``."""
        assert self._joining is not None, "begun before"
        return self._joining.result()

    async def settled(self) -> None:
        """Wait for a joining that is under way, however the call has ended; bounded."""
        joining = self._joining
        if joining is None or joining.done():
            return
        await asyncio.wait({joining}, timeout=_LATE_JOIN_S)
        if not joining.done():
            log.error("join_never_ended", call_id=self._record.call_id)
            joining.cancel()
