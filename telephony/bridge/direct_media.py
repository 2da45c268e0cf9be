"""The direct line as an audio path: a job's socket, and whoever else is in the room.

Frames move on the media thread, where the socket lives too. The caller's frames go to the job, and to the
room as far as somebody listens there (``taps``); the caller hears the job and, mixed with it, every track
of others in the room, such as a person who joined. The call may change to the room while it runs: see
``to_room``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from telephony.bridge.taps import AGENT, CALLER, Taps
from telephony.calls.job_attributes import AUDIO_PATH

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from telephony.bridge.room import CallerInRoom
    from telephony.bridge.room_media import RoomMedia
    from telephony.link.bridge_end import BridgeEnd
    from telephony.rtp.thread import MediaThread


class DirectMedia:
    """The audio of one call over the direct line.

    Args:
        link: to the job.
        caller: in the room, now or later.
        room: plays others' tracks; publishes nothing itself.
        thread: where the link lives.
    """

    def __init__(self, link: BridgeEnd, caller: CallerInRoom, room: RoomMedia, thread: MediaThread) -> None:
        self.name = "direct"
        self._thread = thread
        self._link = link
        self._caller = caller
        self._room = room
        self._taps = Taps(caller)
        self._listened = False
        self._moving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Nothing needs to be made: the socket is there before the call is."""

    def release(self) -> None:
        self._room.release()

    def feed(self, frame: Samples) -> None:
        self._link.hear(frame)
        self._taps.feed(CALLER, frame)

    def take(self) -> Samples:
        said = self._link.playout.take()
        self._taps.feed(AGENT, said)
        if not self._room.has_tracks:
            return said
        total = said.astype(np.int32) + self._room.take()
        mixed: Samples = np.clip(total, -32768, 32767).astype(np.int16)
        return mixed

    def listened(self, is_listened: bool) -> None:
        """Somebody in the room wants to hear the call, or nobody any more."""
        self._listened = is_listened
        self._want_taps()

    def to_room(self) -> None:
        """Carry the caller's audio to the agent through the room from now on; harmless when repeated.

        The job is told when the caller's track is published. What it says until it has moved is still
        played from its socket, so nothing is lost or heard twice.
        """
        if self.name == "direct":
            self.name = "room"
            self._want_taps()
            self._moving = asyncio.create_task(self._move())

    async def close(self) -> None:
        if self._moving is not None:
            self._moving.cancel()
            await asyncio.gather(self._moving, return_exceptions=True)
        await self._taps.close()
        await self._room.close()

    def statistics(self) -> dict[str, int]:
        playout = self._link.playout
        return {
            **self._room.statistics(),
            "link_starved": playout.starved,
            "link_overflowed": playout.overflowed,
        }

    async def _move(self) -> None:
        await self._taps.settled()
        if CALLER in self._taps.published:
            self._thread.post(self._link.room_ready)
            # Said in the room too, for the worker: behind room audio it is the one that sees a job die.
            await self._caller.set_attributes({AUDIO_PATH: self.name})

    def _want_taps(self) -> None:
        if self.name == "room":
            # The agent has a track of its own there.
            self._taps.want(CALLER)
        elif self._listened:
            self._taps.want(CALLER, AGENT)
        else:
            self._taps.want()
