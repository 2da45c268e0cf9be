"""Who may hear a direct call in its room, and when its audio is there at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc

from telephony.audio.detect import goertzel
from telephony.bridge import attributes
from telephony.calls.job_attributes import AUDIO_PATH
from tests.bridge.direct import DirectLine, HiddenListener, JobDouble
from tests.bridge.phone import Phone, PhoneCall, Tone
from tests.waiting import until

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from tests.dispatch.machine import WorkerDouble

pytestmark = pytest.mark.component

CALLER_HZ, AGENT_HZ, OTHER_HZ = 700.0, 400.0, 1000.0


def has(samples: Samples, frequency_hz: float) -> bool:
    """Whether a tone is clearly in a stretch of sound, alone or among others."""
    return len(samples) > 1600 and goertzel(samples, frequency_hz, 8000) > 0.1


async def talking(direct: DirectLine, phone: Phone, worker: WorkerDouble) -> tuple[PhoneCall, JobDouble]:
    """A call in which both sides speak their tones for a long time."""
    call = await phone.call(direct.number, direct.port, voice_hz=CALLER_HZ)
    job = await direct.ready_job(worker)
    await call.final()
    await job.join()
    await job.say(AGENT_HZ, 60.0)
    return call, job


def tracks(direct: DirectLine, room: rtc.Room) -> set[str]:
    """The caller's tracks as the room has them."""
    return {
        publication.name
        for participant in room.remote_participants.values()
        if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
        for publication in participant.track_publications.values()
    }


async def set_on_caller(direct: DirectLine, **values: str) -> None:
    """Change the caller's attributes by the server API."""
    request = api.UpdateParticipantRequest(room=direct.room_name, identity="sip_+15550199", attributes=values)
    await direct.api.room.update_participant(request)


async def test_a_visible_listener_hears_both_sides_and_is_heard(direct: DirectLine, phone: Phone) -> None:
    """Tracks are there while somebody is, and only then; what the person says reaches the caller."""
    await direct.provision_agent()
    async with direct.worker() as worker:
        call, job = await talking(direct, phone, worker)
        assert job.room is not None
        assert tracks(direct, job.room) == set()
        async with direct.person(identity="visitor", kind="standard") as visitor:
            await visitor.speak(OTHER_HZ)
            await until(lambda: has(visitor.samples(0.5), CALLER_HZ) and has(visitor.samples(0.5), AGENT_HZ))
            await until(lambda: has(call.samples(0.5), OTHER_HZ) and has(call.samples(0.5), AGENT_HZ))
            assert not has(job.samples(0.5), OTHER_HZ), "the agent's ear is the caller's alone"
            assert tracks(direct, job.room) == {"caller", "agent"}
        await until(lambda: job.room is not None and tracks(direct, job.room) == set())
        assert has(job.samples(0.5), CALLER_HZ)
        await call.bye()
    await direct.ended()


async def test_a_hidden_listener_needs_the_command(direct: DirectLine, phone: Phone) -> None:
    """Nobody is told of a hidden participant; an attribute set by the API starts and stops the taps."""
    await direct.provision_agent()
    async with direct.worker() as worker:
        call, job = await talking(direct, phone, worker)
        async with HiddenListener(direct.url, direct.room_name) as listener:
            await until(lambda: bool(listener.room.remote_participants))
            await set_on_caller(direct, **{attributes.TAPS: "on"})
            await until(
                lambda: (
                    has(listener.samples("caller", 0.5), CALLER_HZ)
                    and has(listener.samples("agent", 0.5), AGENT_HZ)
                )
            )
            await set_on_caller(direct, **{attributes.TAPS: ""})
            await until(lambda: job.room is not None and tracks(direct, job.room) == set())
        await call.bye()
    await direct.ended()


async def test_a_call_moves_to_the_room_while_it_runs(direct: DirectLine, phone: Phone) -> None:
    """By command the caller's audio goes into the room, the job is told, and its own track is heard."""
    async with direct.up(phone, voice_hz=CALLER_HZ) as (call, job, _):
        room = await job.join()
        moved: list[str] = []
        job.end.on_room_ready = lambda: moved.append("ready")
        async with direct.person(identity="visitor", kind="standard") as visitor:
            await visitor.speak(OTHER_HZ)
            await until(lambda: has(visitor.samples(0.5), CALLER_HZ))
            await set_on_caller(direct, **{AUDIO_PATH: "room"})
            await until(lambda: moved == ["ready"])
            await until(lambda: tracks(direct, room) == {"caller"})
            source = rtc.AudioSource(8000, 1, queue_size_ms=100)
            track = rtc.LocalAudioTrack.create_audio_track("agent", source)
            await room.local_participant.publish_track(track, rtc.TrackPublishOptions())
            voice = JobVoice(source)
            job.end.leave()
            async with voice:
                await until(lambda: has(call.samples(0.5), AGENT_HZ) and has(call.samples(0.5), OTHER_HZ))
                await until(
                    lambda: has(visitor.samples(0.5), AGENT_HZ) and has(visitor.samples(0.5), CALLER_HZ)
                )
                assert not call.session.ended.is_set(), "the socket's end is not the agent's"
        await room.disconnect()
        await call.hung_up(5.0)
    assert (await direct.ended())["data"]["reason"] == "agent_left"


class JobVoice:
    """The agent's tone, spoken into a track."""

    def __init__(self, source: rtc.AudioSource) -> None:
        self._source = source

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._speak())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _speak(self) -> None:
        tone = Tone(AGENT_HZ)
        while True:
            frame = tone.frame()
            await self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), 8000, 1, len(frame)))
