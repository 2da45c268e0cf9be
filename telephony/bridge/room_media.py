"""The audio path through a LiveKit room: the caller's track up, everybody else's tracks down.

Guarantees. Up: one 20 ms frame each tick, also while the phone sends keys or nothing, so that the Opus
track's clock never stands still. Down: every track is kept from the moment it is subscribed and played
from the moment the call is answered, so that the first word is whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from livekit import rtc

from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, RATE
from telephony.bridge.delay import DelayTrim
from telephony.bridge.playout import Mixer
from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from telephony.bridge.room import CallerInRoom

log = get_logger(__name__)

_SOURCE_QUEUE_MS = 100
"""With a queue the SDK fills gaps with silence itself; with none a gap makes the track late for good."""

_WAITING_FRAMES = 5
_FRAME_MS = 20
_PUBLISH_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 1.0


class RoomMedia:
    """The room's audio for one caller; made before joining, so that no track is missed."""

    name = "room"

    def __init__(self, caller: CallerInRoom) -> None:
        self._caller = caller
        caller.on_track_gone = self.remove_track
        self._mixer = Mixer()
        self._streams: dict[str, tuple[rtc.AudioStream, asyncio.Task[None]]] = {}
        self._source: rtc.AudioSource | None = None
        self._up: deque[Samples] = deque(maxlen=_WAITING_FRAMES)
        self._up_ready = asyncio.Event()
        self._up_task: asyncio.Task[None] | None = None
        self._up_trim = DelayTrim(wanted=1.0)
        self._closed = False
        self._refused = 0

    async def start(self) -> None:
        """Publish the caller's track, named like its identity.

        Raises:
            LiveKitError: livekit-server does not let us publish.
        """
        participant = self._caller.room.local_participant
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=_SOURCE_QUEUE_MS)
        track = rtc.LocalAudioTrack.create_audio_track(participant.identity, self._source)
        # Discontinuous transmission would let the track's clock stand still in the caller's pauses.
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False, red=False)
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
                await participant.publish_track(track, options)
        except (rtc.participant.PublishTrackError, TimeoutError) as error:
            raise LiveKitError("the caller's audio track could not be published", retryable=True) from error
        self._up_task = asyncio.create_task(self._send_up())

    def add_track(self, track: rtc.RemoteAudioTrack) -> None:
        """Collect a remote track's audio from now on."""
        if self._closed:
            return
        self.remove_track(track.sid)
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=_FRAME_MS)
        task = asyncio.create_task(self._receive(track.sid, stream))
        self._streams[track.sid] = (stream, task)

    def remove_track(self, sid: str) -> None:
        """Play no more of a track; harmless when unknown."""
        self._mixer.remove(sid)
        if sid in self._streams:
            _, task = self._streams.pop(sid)
            task.cancel()

    def release(self) -> None:
        self._mixer.release()

    def feed(self, frame: Samples) -> None:
        if self._up_trim.leaves_out(frame):
            return
        self._up.append(frame)
        self._up_ready.set()

    def take(self) -> Samples:
        return self._mixer.pull()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        tasks = [task for _, task in self._streams.values()]
        if self._up_task is not None:
            tasks.append(self._up_task)
        for sid in list(self._streams):
            self.remove_track(sid)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_TIMEOUT_S)
        if self._source is not None:
            await self._source.aclose()

    def statistics(self) -> dict[str, int]:
        return {
            "starved": self._mixer.starved,
            "dropped": self._mixer.dropped,
            "up_trimmed": self._up_trim.trimmed,
            "up_refused": self._refused,
        }

    async def _send_up(self) -> None:
        source = self._source
        assert source is not None, "started by start()"
        while True:
            await self._up_ready.wait()
            while self._up:
                frame = self._up.popleft()
                self._up_trim.observe(source.queued_duration / FRAME_S)
                try:
                    await source.capture_frame(
                        rtc.AudioFrame(frame.tobytes(), RATE, 1, samples_per_channel=len(frame))
                    )
                except Exception as error:
                    # The SDK raises a bare Exception; one lost frame must not end a call.
                    self._refused += 1
                    if self._refused == 1:
                        log.warning("caller_frame_refused", reason=str(error))
            self._up_ready.clear()

    async def _receive(self, sid: str, stream: rtc.AudioStream) -> None:
        queue = self._mixer.add(sid)
        try:
            async for event in stream:
                samples = np.frombuffer(event.frame.data, np.int16)
                if len(samples) == FRAME_SAMPLES:
                    queue.push(samples)
        finally:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await stream.aclose()
            except TimeoutError:
                log.warning("track_stream_close_timed_out")
