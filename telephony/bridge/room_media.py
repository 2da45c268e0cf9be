"""The audio path through a LiveKit room: the caller's track up, everybody else's tracks down.

Guarantees. Up: one 20 ms frame each tick, also while the phone sends keys or nothing, so that the Opus
track's clock never stands still. Down: every track is kept from the moment it is subscribed and played
from the moment the call is answered, so that the first word is whole.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.frame import FRAME_SAMPLES
from telephony.bridge.playout import Mixer
from telephony.bridge.published_track import PublishedTrack
from telephony.bridge.track_audio import close_track_audio, track_audio

if TYPE_CHECKING:
    from livekit import rtc

    from telephony.audio.frame import Samples
    from telephony.bridge.room import CallerInRoom


class RoomMedia:
    """The room's audio for one caller; made before joining, so that no track is missed."""

    name = "room"

    def __init__(self, caller: CallerInRoom) -> None:
        self._caller = caller
        caller.on_track_gone = self.remove_track
        self._mixer = Mixer()
        self._streams: dict[str, tuple[rtc.AudioStream, asyncio.Task[None]]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._up: PublishedTrack | None = None
        self._closed = False

    async def start(self) -> None:
        """Publish the caller's track, named like its identity.

        Raises:
            LiveKitError: livekit-server does not let us publish.
        """
        participant = self._caller.room.local_participant
        track = PublishedTrack(participant, participant.identity)
        await track.publish()
        self._up = track

    @property
    def has_tracks(self) -> bool:
        """Whether there is anybody to be heard."""
        return bool(self._streams)

    def add_track(self, track: rtc.RemoteAudioTrack) -> None:
        """Collect a remote track's audio from now on."""
        if self._closed:
            return
        self.remove_track(track.sid)
        stream = track_audio(track)
        task = asyncio.create_task(self._receive(track.sid, stream))
        self._streams[track.sid] = (stream, task)

    def remove_track(self, sid: str) -> None:
        """Play no more of a track; harmless when unknown."""
        self._mixer.remove(sid)
        if sid in self._streams:
            stream, receiving = self._streams.pop(sid)
            receiving.cancel()
            closing = asyncio.create_task(close_track_audio(stream, receiving))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def release(self) -> None:
        self._mixer.release()

    def feed(self, frame: Samples) -> None:
        if self._up is not None:
            self._up.feed(frame)

    def take(self) -> Samples:
        return self._mixer.pull()

    async def rejoined(self) -> None:
        up, self._up = self._up, None
        if up is not None:
            await up.close()
            await self.start()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for sid in list(self._streams):
            self.remove_track(sid)
        if self._closing:
            await asyncio.wait(self._closing)
        if self._up is not None:
            await self._up.close()

    def statistics(self) -> dict[str, int]:
        return {
            "starved": self._mixer.starved,
            "dropped": self._mixer.dropped,
            "up_trimmed": self._up.trimmed if self._up else 0,
            "up_refused": self._up.refused if self._up else 0,
        }

    async def _receive(self, sid: str, stream: rtc.AudioStream) -> None:
        queue = self._mixer.add(sid)
        async for event in stream:
            samples = np.frombuffer(event.frame.data, np.int16)
            if len(samples) == FRAME_SAMPLES:
                queue.push(samples)
