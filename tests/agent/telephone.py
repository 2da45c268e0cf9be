"""A telephone as the agent sees one: a participant of kind SIP that speaks, hears and hangs up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from typing import TYPE_CHECKING, Self

import numpy as np
from livekit import api, rtc

from telephony.audio.frame import FRAME_SAMPLES, RATE
from telephony.audio.level import dbfs
from tests.bridge.servers import API_KEY, API_SECRET
from tests.waiting import limit

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOUD_DBFS = -45.0
_QUEUE_MS = 100


class Telephone:
    """One call: joins a new room in which an agent is asked for, and leaves it at its end.

    Args:
        url: livekit-server.
        agent_name: the worker's; empty to ask for none.
        metadata: the dispatch's.
        number: the caller's.
    """

    def __init__(
        self, url: str, *, agent_name: str, metadata: str | None = None, number: str = "+15550100199"
    ) -> None:
        self._url = url
        self._agent_name = agent_name
        self._metadata = json.dumps({"assistant": "reception"}) if metadata is None else metadata
        self._number = number
        self.sip_call_id = "SCL_" + secrets.token_hex(6)
        self.call_id = self.sip_call_id.replace("SCL_", "call_")
        self.room_name = f"call_{number}_{secrets.token_hex(4)}"
        self.room = rtc.Room()
        self.heard: list[tuple[float, NDArray[np.int16]]] = []
        """Frames of the agent with the time at which each came."""
        self.hung_up = asyncio.Event()
        """Set when the room was ended for this participant."""
        self.reason: int | None = None
        self._source = rtc.AudioSource(RATE, 1, queue_size_ms=_QUEUE_MS)
        self._to_say: NDArray[np.int16] = np.zeros(0, np.int16)
        self._said = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stream: rtc.AudioStream | None = None
        self.joined_at = 0.0

    async def __aenter__(self) -> Self:
        self.room.on("track_subscribed", self._on_track)
        self.room.on("disconnected", self._on_disconnected)
        self.joined_at = time.monotonic()
        await self.room.connect(self._url, self._token(), rtc.RoomOptions(connect_timeout=5.0))
        track = rtc.LocalAudioTrack.create_audio_track("phone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._speak()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()

    def _token(self) -> str:
        token = (
            api.AccessToken(API_KEY, API_SECRET)
            .with_identity(f"sip_{self._number}")
            .with_kind("sip")
            .with_attributes(
                {
                    "sip.callID": self.sip_call_id,
                    "sip.callStatus": "ringing",
                    "sip.phoneNumber": self._number,
                    "sip.ruleID": "SDR_test",
                }
            )
            .with_grants(
                api.VideoGrants(
                    room_join=True, room=self.room_name, room_create=True, can_update_own_metadata=True
                )
            )
        )
        if self._agent_name:
            dispatch = api.RoomAgentDispatch(agent_name=self._agent_name, metadata=self._metadata)
            token = token.with_room_config(api.RoomConfiguration(agents=[dispatch]))
        return token.to_jwt()

    async def answered(self) -> None:
        """Tell the agent that the telephone was picked up."""
        await self.room.local_participant.set_attributes({"sip.callStatus": "active"})

    def say(self, samples: NDArray[np.int16]) -> None:
        """Speak, in real time; returns at once."""
        self._said.clear()
        self._to_say = samples

    async def said(self) -> float:
        """Wait until everything is spoken; returns when the last sample was handed over."""
        await self._said.wait()
        return time.monotonic()

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self.room.local_participant.publish_dtmf(code="0123456789*#".index(digit), digit=digit)

    async def hang_up(self) -> None:
        """Leave the room."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._stream is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._stream.aclose()
            self._stream = None
        await self.room.disconnect()

    async def hears_agent(self, within_s: float, *, since: float = 0.0) -> float:
        """Wait for a loud frame that came after ``since``; returns when it came."""
        async with limit(within_s):
            while True:
                for at, frame in self.heard:
                    if at >= since and dbfs(frame) > LOUD_DBFS:
                        return at
                await asyncio.sleep(0.02)

    async def hears_silence(self, within_s: float, *, quiet_s: float = 0.6) -> float:
        """Wait until the agent has been quiet for a while; returns when its last loud frame came."""
        async with limit(within_s):
            while True:
                loud = [at for at, frame in self.heard if dbfs(frame) > LOUD_DBFS]
                if loud and time.monotonic() - loud[-1] > quiet_s:
                    return loud[-1]
                await asyncio.sleep(0.02)

    def heard_between(self, start: float, end: float) -> NDArray[np.int16]:
        """What the agent said in a while."""
        frames = [frame for at, frame in self.heard if start <= at <= end]
        return np.concatenate(frames) if frames else np.zeros(0, np.int16)

    def _on_track(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack):
            self._stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=20)
            self._tasks.append(asyncio.create_task(self._hear(self._stream)))

    def _on_disconnected(self, reason: int) -> None:
        self.reason = reason
        self.hung_up.set()

    async def _hear(self, stream: rtc.AudioStream) -> None:
        async for event in stream:
            self.heard.append((time.monotonic(), np.frombuffer(event.frame.data, np.int16).copy()))

    async def _speak(self) -> None:
        silence = np.zeros(FRAME_SAMPLES, np.int16)
        while True:
            piece, self._to_say = self._to_say[:FRAME_SAMPLES], self._to_say[FRAME_SAMPLES:]
            frame = silence.copy()
            frame[: len(piece)] = piece
            if not len(self._to_say):
                self._said.set()
            # Blocks when the queue is full, which is what paces it.
            await self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, len(frame)))
