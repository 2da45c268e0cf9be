"""The agent's voice in the room, played by our own playout instead of livekit-agents'.

That one drops up to 200 ms of audio at each pause, and goes on later than where it stopped. Here the same
playout speaks that the bridge uses on the direct line. What the media stack still holds at a pause is taken
back from it and played first when it is over: silence at once, and nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.audio.frame import RATE
from telephony.clock import LoopClock
from telephony.link.job_end import LinkOutput
from telephony.link.messages import Clear, Flush, Pause, Resume, Speech
from telephony.link.playout import Playout
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telephony.audio.frame import Samples
    from telephony.link.messages import ToBridge

log = get_logger(__name__)

_TRACK = "agent"
_QUEUE_MS = 60
"""What the SDK may hold: ``capture_frame`` blocks when it is full, which paces the playout."""
_FRAME_MS = 20
_CONNECTED_S = 20.0


class RoomVoice(LinkOutput):
    """One call's track.

    Args:
        room: nothing is played before somebody in it has subscribed.
        connect: connects it, and returns at once where that has been done.
    """

    def __init__(self, room: rtc.Room, connect: Callable[[], Awaitable[None]]) -> None:
        super().__init__(self._take)
        self._room = room
        self._connect = connect
        self._playout = Playout(LoopClock(), self.segments.told)
        self._sent: deque[Samples] = deque(maxlen=_QUEUE_MS // _FRAME_MS + 1)
        self._again: deque[Samples] = deque()
        self._paused = False
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=_QUEUE_MS)
        self._task = asyncio.create_task(self._run(), name="room_voice")

    async def aclose(self) -> None:
        """Play no more; harmless when repeated."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.segments.lost()
        await self._source.aclose()

    def _take(self, message: ToBridge) -> None:
        match message:
            case Speech():
                self._playout.push(message.segment, message.pcm)
            case Flush():
                self._playout.flush(message.segment)
            case Clear():
                self._again.clear()
                self._source.clear_queue()
                self._playout.clear(message.segment)
            case Pause():
                self._take_back()
                self._playout.pause()
            case Resume():
                self._paused = False
                self._playout.resume()

    def _take_back(self) -> None:
        if self._paused:
            return
        self._paused = True
        held = min(len(self._sent), round(self._source.queued_duration * 1000 / _FRAME_MS))
        self._source.clear_queue()
        self._again.extendleft(reversed(list(self._sent)[len(self._sent) - held :]))
        self._sent.clear()

    async def _run(self) -> None:
        try:
            await self._published()
        except Exception as error:
            log.error("voice_not_published", reason=str(error) or type(error).__name__)
            # Nobody hears it: what waits for its end must not wait for ever.
            self.segments.lost()
            return
        while True:
            frame = self._again.popleft() if self._again and not self._paused else self._playout.take()
            if not self._paused:
                self._sent.append(frame)
            await self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, len(frame)))

    async def _published(self) -> None:
        async with asyncio.timeout(_CONNECTED_S):
            await self._connect()
        track = rtc.LocalAudioTrack.create_audio_track(_TRACK, self._source)
        # Discontinuous transmission would let the track's clock stand still in pauses.
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False, red=False)
        publication = await self._room.local_participant.publish_track(track, options)
        await publication.wait_for_subscription()
