"""Both sides of a direct call as tracks in its room, while somebody listens and only then.

The direct line puts no audio into the room. Whoever is to hear a call there gets two tracks, ``caller``
and ``agent``, published by the caller's participant. Guarantee: nothing is published while nobody
listens; whatever comes in between, the last word counts; a room that does not let us publish costs the
call nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.bridge.published_track import PublishedTrack
from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from telephony.bridge.room import CallerInRoom

log = get_logger(__name__)

CALLER, AGENT = "caller", "agent"
"""The tracks' names."""

_SOURCES = {CALLER: rtc.TrackSource.SOURCE_MICROPHONE, AGENT: rtc.TrackSource.SOURCE_UNKNOWN}
_RETRY_S = 2.0


class Taps:
    """The two tracks of one call."""

    def __init__(self, caller: CallerInRoom) -> None:
        self._caller = caller
        self._wanted: frozenset[str] = frozenset()
        self._tracks: dict[str, PublishedTrack] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def published(self) -> frozenset[str]:
        """The names of the tracks that are in the room."""
        return frozenset(self._tracks)

    def want(self, *names: str) -> None:
        """Have exactly these tracks in the room from now on; returns at once."""
        if frozenset(names) == self._wanted or self._closed:
            return
        self._wanted = frozenset(names)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._reconcile())

    async def settled(self) -> None:
        """Wait until what was wanted last is there, or was given up."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def feed(self, name: str, frame: Samples) -> None:
        """The next 20 ms of a side; nothing while it is not published."""
        track = self._tracks.get(name)
        if track is not None:
            track.feed(frame)

    async def rejoined(self) -> None:
        """The caller is in the room anew: publish again what is wanted."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        tracks, self._tracks = self._tracks, {}
        for track in tracks.values():
            await track.close()
        if self._wanted and not self._closed:
            self._task = asyncio.create_task(self._reconcile())

    async def close(self) -> None:
        """Feed no more; the tracks go with the participant. Bounded."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for track in self._tracks.values():
            await track.close()
        self._tracks.clear()

    async def _reconcile(self) -> None:
        while self._wanted != self.published:
            for name in self.published - self._wanted:
                await self._tracks.pop(name).close(unpublish=True)
                log.info("tap_stopped", track=name)
            for name in sorted(self._wanted - self.published):
                try:
                    track = PublishedTrack(self._caller.room.local_participant, name, source=_SOURCES[name])
                    await track.publish()
                except LiveKitError as error:
                    log.warning("tap_not_started", track=name, reason=str(error))
                    await asyncio.sleep(_RETRY_S)
                    break
                self._tracks[name] = track
                log.info("tap_started", track=name)
