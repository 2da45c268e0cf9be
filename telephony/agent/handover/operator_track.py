"""A voice for the operator: a track of its own in the caller's room, heard by whoever is not on hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit import rtc

from telephony.agent.session import PROVIDER_LIMITS
from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from livekit.agents import tts

log = get_logger(__name__)

_TRACK = "briefing"
_QUEUE_MS = 100
"""What the SDK may hold: ``capture_frame`` blocks when it is full, which paces the speech."""
_PIECE_S = 0.02
_CLOSE_S = 2.0


class OperatorTrack:
    """One call's.

    Args:
        room: connected.
        voice: who speaks.
    """

    def __init__(self, room: rtc.Room, voice: tts.TTS[Any]) -> None:
        self._room = room
        self._voice = voice
        self._source = rtc.AudioSource(voice.sample_rate, 1, queue_size_ms=_QUEUE_MS)
        self._sid = ""

    async def publish(self) -> None:
        """Be in the room before the operator is, so that the first word is heard.

        Raises:
            LiveKitError: the server does not let us.
        """
        track = rtc.LocalAudioTrack.create_audio_track(_TRACK, self._source)
        # Discontinuous transmission would let the track's clock stand still in pauses.
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_UNKNOWN, dtx=False, red=False)
        try:
            publication = await self._room.local_participant.publish_track(track, options)
        except rtc.participant.PublishTrackError as error:
            raise LiveKitError(f"the operator cannot be spoken to: {error.message}") from error
        self._sid = publication.sid

    async def say(self, text: str) -> None:
        """Speak a text to its end; cancelled, it falls silent at once.

        Raises:
            Exception: whatever the voice raises.
        """
        try:
            async with self._voice.synthesize(text, conn_options=PROVIDER_LIMITS) as stream:
                async for audio in stream:
                    await self._play(audio.frame)
            await self._source.wait_for_playout()
        except asyncio.CancelledError:
            self._source.clear_queue()
            raise

    async def close(self) -> None:
        """Take the track out of the room; bounded, harmless when repeated."""
        sid, self._sid = self._sid, ""
        if sid:
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await self._room.local_participant.unpublish_track(sid)
            except (TimeoutError, rtc.participant.UnpublishTrackError) as error:
                log.info("briefing_not_unpublished", reason=type(error).__name__)
            await self._source.aclose()

    async def _play(self, frame: rtc.AudioFrame) -> None:
        step = round(frame.sample_rate * _PIECE_S)
        samples = frame.data
        for at in range(0, len(samples), step):
            piece = samples[at : at + step]
            await self._source.capture_frame(rtc.AudioFrame(bytes(piece), frame.sample_rate, 1, len(piece)))
