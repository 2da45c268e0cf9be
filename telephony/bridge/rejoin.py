"""Back into the room when livekit-server was away, as whom the caller was before.

The SDK (rtc 1.1.21) mends a lost connection by itself, but at pauses of up to seven seconds, ten times at
most, and with the attributes of the first time. So once the server answers again and the SDK is not there in
a moment, the caller leaves that connection and joins anew: same room, same identity, its attributes as they
were last. Being early matters: livekit-server ends a room of its former life in which only an agent is.
Guarantee: a join that has begun is never cancelled; ``close`` waits for it.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from livekit.protocol.room import RoomConfiguration

from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.io_service import Dispatch
    from telephony.bridge.livekit_rooms import LiveKitRooms
    from telephony.bridge.media import CallMedia
    from telephony.bridge.room import CallerInRoom

log = get_logger(__name__)

LOOK_S = 0.2
"""How often livekit-server is asked whether it is there."""

SDK_FIRST_S = 1.5
"""How long the SDK may take where only the connection was lost: the server then knows us still."""

_SDK_MOMENT_S = 0.2
_CLOSE_S = 6.0


class Rejoin:
    """One call's way back.

    Args:
        place: where the caller was, and as whom.
        media: gives the audio path at that moment, whose tracks are published anew.

    Attributes:
        on_seen: livekit-server answers again, and is being joined.
        on_back: the caller is in the room again.
    """

    def __init__(
        self, caller: CallerInRoom, rooms: LiveKitRooms, place: Dispatch, media: Callable[[], CallMedia]
    ) -> None:
        self.on_seen: Callable[[], None] | None = None
        self.on_back: Callable[[], None] | None = None
        self._caller = caller
        self._rooms = rooms
        self._place = without_agents(place)
        self._media = media
        self._mended = asyncio.Event()
        self._joining = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def lost(self, attributes: dict[str, str] | None = None) -> None:
        """The connection is lost; harmless while one is being mended.

        Args:
            attributes: to come back with; by default those that the caller has now.
        """
        if self._closed or (self._task is not None and not self._task.done()):
            return
        self._mended.clear()
        given = self._caller.attributes if attributes is None else attributes
        self._task = asyncio.get_running_loop().create_task(self._come_back(given))

    def mended(self) -> None:
        """The SDK was faster; its attributes are those of the first join."""
        if not self._joining:
            self._mended.set()

    async def close(self) -> None:
        """Try no more; bounded by the time of one join."""
        self._closed = True
        task = self._task
        if task is None or task.done():
            return
        if not self._joining:
            task.cancel()
        await asyncio.wait({task}, timeout=_CLOSE_S)

    async def _come_back(self, attributes: dict[str, str]) -> None:
        sdk_s = SDK_FIRST_S
        while not self._closed:
            if self._mended.is_set():
                await self._caller.set_attributes(attributes)
                return
            if not await self._rooms.answers():
                sdk_s = _SDK_MOMENT_S
                await asyncio.sleep(LOOK_S)
                continue
            if self.on_seen is not None:
                self.on_seen()
            if not await self._sdk_is_back(sdk_s) and await self._join(attributes):
                return
            sdk_s = _SDK_MOMENT_S

    async def _sdk_is_back(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await self._mended.wait()
        except TimeoutError:
            return False
        return True

    async def _join(self, attributes: dict[str, str]) -> bool:
        self._joining = True
        try:
            url = self._place.ws_url or self._rooms.url
            await self._caller.rejoin(url, self._rooms.token(self._place, attributes))
            await self._media().rejoined()
        except LiveKitError as error:
            log.warning("rejoin_failed", reason=error.message)
            await asyncio.sleep(LOOK_S)
            return False
        finally:
            self._joining = False
        log.info("rejoined")
        if self.on_back is not None and not self._closed:
            self.on_back()
        return True


def without_agents(place: Dispatch) -> Dispatch:
    """The same place for somebody who comes back: those whom its rule sends for were sent for already."""
    if place.room_config is None or not place.room_config.agents:
        return place
    config = RoomConfiguration()
    config.CopyFrom(place.room_config)
    config.ClearField("agents")
    return dataclasses.replace(place, room_config=config)
