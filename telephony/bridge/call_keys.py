"""The keys of one call, both ways: each way in order, one after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.errors import RtpError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telephony.bridge.call import Call

log = get_logger(__name__)

_MOST_WAITING = 64


class CallKeys:
    """One call's; keys that come before ``start`` wait for it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._up: asyncio.Queue[str] = asyncio.Queue(_MOST_WAITING)
        self._down: asyncio.Queue[str] = asyncio.Queue(_MOST_WAITING)

    def pressed(self, digit: str) -> None:
        """The phone has pressed a key."""
        if self._call.on_secret_key is not None:
            self._call.on_secret_key(digit)
        else:
            _put(self._up, digit)

    def asked(self, digits: str) -> None:
        """Somebody in the call wants them to be sent to the phone."""
        _put(self._down, digits)

    def start(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Pass them on from now on, until the tasks are cancelled."""
        return [
            tasks.create_task(_work_through(self._up, self._to_room)),
            tasks.create_task(_work_through(self._down, self._to_phone)),
        ]

    async def _to_room(self, digit: str) -> None:
        call = self._call
        if call.direct is not None:
            call.services.media.post(call.direct.link.press, digit)
        await call.caller.publish_digit(digit)

    async def _to_phone(self, digits: str) -> None:
        if self._call.rtp is None:
            return
        try:
            await self._call.rtp.send_digits(digits)
        except RtpError as error:
            log.warning("digit_not_sent", call_id=self._call.record.call_id, reason=str(error))


def _put(queue: asyncio.Queue[str], digit: str) -> None:
    if queue.full():
        # More keys than a person can press: whoever sends them loses the rest.
        log.warning("digit_dropped", waiting=queue.qsize())
        return
    queue.put_nowait(digit)


async def _work_through(queue: asyncio.Queue[str], handle: Callable[[str], Awaitable[None]]) -> None:
    while True:
        await handle(await queue.get())
