"""A direct call's audio through its room, for a call that changes its way while it runs.

The session keeps the input and output that it has; only where they lead changes (``telephony.link``).
The caller's microphone is subscribed, a track is published, and what the session says is played into it
in real time by the same playout that the bridge uses.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.audio.frame import RATE
from telephony.clock import LoopClock
from telephony.link.playout import Playout
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.link.messages import Report

log = get_logger(__name__)

_TRACK = "agent"
_QUEUE_MS = 60
"""What the SDK may hold: ``capture_frame`` blocks when it is full, which paces the playout."""
_FRAME_MS = 20
_CLOSE_S = 1.0


class RoomAudio:
    """The room's two tracks of one call.

    Args:
        room: connected.
        heard: takes the caller's audio: PCM, 16 bit, 8 kHz, mono.
        report: takes what became of segments.
    """

    def __init__(
        self, room: rtc.Room, heard: Callable[[bytes], None], report: Callable[[Report], None]
    ) -> None:
        self.playout = Playout(LoopClock(), report)
        self._room = room
        self._heard = heard
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=_QUEUE_MS)
        self._stream: rtc.AudioStream | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Publish, subscribe, and play from now on.

        Raises:
            livekit.rtc.participant.PublishTrackError: the server does not let us.
        """
        self._room.on("track_published", self._subscribe)
        self._room.on("track_subscribed", self._subscribed)
        track = rtc.LocalAudioTrack.create_audio_track(_TRACK, self._source)
        # Discontinuous transmission would let the track's clock stand still in pauses.
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False, red=False)
        await self._room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._play()))
        for participant in self._room.remote_participants.values():
            for publication in participant.track_publications.values():
                self._subscribe(publication, participant)

    async def close(self) -> None:
        """Play and hear no more; bounded."""
        self._room.off("track_published", self._subscribe)
        self._room.off("track_subscribed", self._subscribed)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._stream is not None:
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await self._stream.aclose()
            except TimeoutError:
                log.warning("track_stream_close_timed_out")
        await self._source.aclose()

    def _subscribe(self, publication: rtc.RemoteTrackPublication, who: rtc.RemoteParticipant) -> None:
        is_caller = who.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
        if is_caller and publication.source == rtc.TrackSource.SOURCE_MICROPHONE:
            publication.set_subscribed(True)

    def _subscribed(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack) and self._stream is None:
            self._stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=_FRAME_MS)
            self._tasks.append(asyncio.create_task(self._listen(self._stream)))

    async def _listen(self, stream: rtc.AudioStream) -> None:
        async for event in stream:
            self._heard(bytes(event.frame.data))

    async def _play(self) -> None:
        while True:
            frame = self.playout.take()
            await self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, len(frame)))
