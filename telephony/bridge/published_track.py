"""One audio track that the bridge publishes into a call's room, fed with a frame each tick.

Guarantee: the track's clock never stands still while it is fed, and what waits for the SDK is bounded; a
frame that the SDK refuses is counted and ends nothing. It is fed on the media thread, and all else is done
on the bridge's loop, as the SDK wants it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.audio.frame import FRAME_S, RATE
from telephony.bridge.delay import DelayTrim
from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.audio.frame import Samples

log = get_logger(__name__)

_SOURCE_QUEUE_MS = 100
"""With a queue the SDK fills gaps with silence itself; with none a gap makes the track late for good."""

_WAITING_FRAMES = 5
_PUBLISH_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 1.0


class PublishedTrack:
    """One track; made by ``publish``.

    Args:
        participant: who publishes.
        name: the track's.
        source: what others are told it is; agents listen to a microphone.
    """

    def __init__(
        self,
        participant: rtc.LocalParticipant,
        name: str,
        *,
        source: rtc.TrackSource.ValueType = rtc.TrackSource.SOURCE_MICROPHONE,
    ) -> None:
        self._participant = participant
        self._name = name
        self._kind = source
        self._source: rtc.AudioSource | None = None
        self._track: rtc.LocalAudioTrack | None = None
        self._frames: deque[Samples] = deque(maxlen=_WAITING_FRAMES)
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._trim = DelayTrim(wanted=1.0)
        self._refused = 0

    async def publish(self) -> None:
        """Publish it; it is fed from now on.

        Raises:
            LiveKitError: livekit-server does not let us.
        """
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=_SOURCE_QUEUE_MS)
        self._track = rtc.LocalAudioTrack.create_audio_track(self._name, self._source)
        # Discontinuous transmission would let the track's clock stand still in pauses.
        options = rtc.TrackPublishOptions(source=self._kind, dtx=False, red=False)
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
                await self._participant.publish_track(self._track, options)
        except (rtc.participant.PublishTrackError, TimeoutError) as error:
            raise LiveKitError(f"the track {self._name} could not be published", retryable=True) from error
        self._task = asyncio.create_task(self._send())

    @property
    def trimmed(self) -> int:
        """Frames left out to keep the delay short."""
        return self._trim.trimmed

    @property
    def refused(self) -> int:
        """Frames that the SDK did not take."""
        return self._refused

    def feed(self, frame: Samples) -> None:
        """The next 20 ms; never blocks. Called on the media thread."""
        if self._trim.leaves_out(frame):
            return
        self._frames.append(frame)
        try:
            self._loop.call_soon_threadsafe(self._came.set)
        except RuntimeError:
            log.debug("track_fed_too_late", track=self._name)

    async def close(self, *, unpublish: bool = False) -> None:
        """Feed no more; bounded. The track goes with the participant, or now if ``unpublish``."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CLOSE_TIMEOUT_S)
        if unpublish and self._track is not None:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self._participant.unpublish_track(self._track.sid)
            except (rtc.participant.UnpublishTrackError, TimeoutError) as error:
                log.info("track_not_unpublished", track=self._name, reason=type(error).__name__)
        if self._source is not None:
            await self._source.aclose()

    async def _send(self) -> None:
        source = self._source
        assert source is not None, "started by publish()"
        while True:
            await self._came.wait()
            # Cleared first: a frame that comes while the last one is sent wakes this up again.
            self._came.clear()
            while self._frames:
                frame = self._frames.popleft()
                self._trim.observe(source.queued_duration / FRAME_S)
                try:
                    await source.capture_frame(
                        rtc.AudioFrame(frame.tobytes(), RATE, 1, samples_per_channel=len(frame))
                    )
                except Exception as error:
                    # The SDK raises a bare Exception; one lost frame must not end a call.
                    self._refused += 1
                    if self._refused == 1:
                        log.warning("frame_refused", track=self._name, reason=str(error))
