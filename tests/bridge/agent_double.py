"""Somebody in the room: joins as an agent or a person, speaks a tone, hears the caller."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Self

import numpy as np
from livekit import api, rtc

from telephony.audio.frame import RATE, Samples, silence
from telephony.bridge.track_audio import close_track_audio, track_audio
from tests.bridge.phone import Tone
from tests.bridge.servers import API_KEY, API_SECRET

if TYPE_CHECKING:
    from livekit.api.access_token import AccessToken


_FRAME_S = 0.02

# The SDK names rooms in its log, and rooms are named after callers.
logging.getLogger("livekit").setLevel(logging.WARNING)


class RoomPerson:
    """One participant; a context that leaves at its end."""

    def __init__(
        self,
        url: str,
        room_name: str,
        *,
        identity: str = "agent",
        kind: str = "agent",
        key: tuple[str, str] = (API_KEY, API_SECRET),
    ) -> None:
        self._url = url
        self._room_name = room_name
        self._identity = identity
        self._kind = kind
        self._key = key
        self.room = rtc.Room()
        self.heard: list[Samples] = []
        self.keys: list[str] = []
        self.callers_attributes: list[dict[str, str]] = []
        self._tone: Tone | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.streams: dict[str, rtc.AudioStream] = {}
        self._hearing: dict[str, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.subscribed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.room.on("track_subscribed", self._listen)
        self.room.on("track_unsubscribed", self._listen_no_more)
        self.room.on("local_track_subscribed", lambda *_: self.subscribed.set())
        self.room.on("sip_dtmf_received", lambda dtmf: self.keys.append(dtmf.digit))
        self.room.on(
            "participant_attributes_changed",
            lambda changed, participant: self.callers_attributes.append(dict(participant.attributes)),
        )
        await self.room.connect(self._url, self._token().to_jwt(), rtc.RoomOptions(connect_timeout=5.0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for sid in list(self._hearing):
            self._close(sid)
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self.room.disconnect()

    def _token(self) -> AccessToken:
        grants = api.VideoGrants(
            room_join=True, room=self._room_name, room_create=True, agent=self._kind == "agent"
        )
        token = api.AccessToken(*self._key).with_identity(self._identity).with_grants(grants)
        return token.with_kind("agent") if self._kind == "agent" else token

    async def speak(self, frequency_hz: float = 440.0, *, seconds: float | None = None) -> None:
        """Publish a track and, from the moment somebody listens, speak a tone: for ever, or for so long."""
        source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        track = rtc.LocalAudioTrack.create_audio_track("voice", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._speak(source, Tone(frequency_hz), seconds)))

    async def _speak(self, source: rtc.AudioSource, tone: Tone, seconds: float | None) -> None:
        await self.subscribed.wait()
        left = math.inf if seconds is None else round(seconds / _FRAME_S)
        while True:
            frame = tone.frame() if left > 0 else silence()
            left -= 1
            await source.capture_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, len(frame)))
            await asyncio.sleep(0 if source.queued_duration < 0.06 else _FRAME_S)

    def _listen(self, track: rtc.Track, *_: object) -> None:
        if isinstance(track, rtc.RemoteAudioTrack):
            stream = self.streams[track.sid] = track_audio(track)
            self._hearing[track.sid] = asyncio.create_task(self._hear(stream))

    def _listen_no_more(self, track: rtc.Track, *_: object) -> None:
        if track.sid in self._hearing:
            self._close(track.sid)

    def _close(self, sid: str) -> None:
        """The SDK goes on with a stream whose track is gone."""
        hearing = self._hearing.pop(sid)
        hearing.cancel()
        closing = asyncio.create_task(close_track_audio(self.streams.pop(sid), hearing))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _hear(self, stream: rtc.AudioStream) -> None:
        async for event in stream:
            self.heard.append(np.frombuffer(event.frame.data, np.int16).copy())

    def samples(self, last_s: float) -> Samples:
        """The end of what was heard."""
        frames = self.heard[-int(last_s / _FRAME_S) :]
        return np.concatenate(frames) if frames else silence(0)

    @property
    def caller(self) -> rtc.RemoteParticipant:
        """The SIP participant."""
        return next(
            participant
            for participant in self.room.remote_participants.values()
            if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
        )
