"""Calls of our own over the direct line, where the agent of the room is on this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit import rtc

from telephony.audio.detect import dominant_frequency
from telephony.audio.tones import sine
from telephony.calls import job_attributes
from telephony.link.job_end import JobEnd
from telephony.link.listener import connect
from telephony.link.messages import Clip
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import dial
from tests.bridge.direct import GOODBYE_HZ, MOMENT_HZ, DirectLine
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.agent_double import RoomPerson
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


async def _offer(agent: RoomPerson) -> str:
    await until(lambda: agent.room.remote_participants)
    return str(agent.caller.attributes[job_attributes.LINK])


async def test_the_agent_of_the_room_takes_the_socket(redis: Server, livekit: Server, tmp_path: Path) -> None:
    """What it says before the answer is heard from the answer on; its voice needs no track."""
    async with (
        DirectLine(redis, livekit, tmp_path) as line,
        CalledPhone() as called,
        line.person() as agent,
    ):
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        end = JobEnd()
        hung_up: list[str] = []
        end.on_hung_up = hung_up.append
        await end.connect(line.links / await _offer(agent), "AJ_test")
        end.input.on_attached()
        end.ready()
        end.started()
        await say(end, 600, 1.0)
        await leg.answer(voice_hz=1000)
        await dialling
        await until(lambda: abs(dominant_frequency(leg.samples(0.3), 8000) - 600) < 20)
        await until(lambda: agent.caller.attributes.get("sip.callStatus") == "active")
        frame = await anext(end.input)
        assert frame.sample_rate == 8000
        await leg.bye()
        ended = await line.ended()
        await until(lambda: hung_up)
        assert hung_up == ["callee_hung_up"]
        end.leave()
        answered = next(event for event in line.events() if event["type"] == "call.answered")
    assert answered["data"]["audio_path"] == "direct"
    assert ended["data"]["reason"] == "callee_hung_up"


async def test_a_dead_job_is_followed_by_another(redis: Server, livekit: Server, tmp_path: Path) -> None:
    """The phone hears the clip; whoever is sent for finds a new socket in the room, and the talk goes on."""
    async with (
        DirectLine(redis, livekit, tmp_path) as line,
        CalledPhone() as called,
        line.person() as agent,
    ):
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        first = await _job(line, agent, "AJ_first")
        await leg.answer(voice_hz=1000)
        await dialling
        await say(first, 600, 2.0)
        await until(lambda: abs(dominant_frequency(leg.samples(0.1), 8000) - 600) < 20)
        old = agent.caller.attributes[job_attributes.LINK]
        _die(first)
        await until(lambda: abs(dominant_frequency(leg.samples(0.1), 8000) - MOMENT_HZ) < 20)
        await until(lambda: agent.caller.attributes[job_attributes.LINK] != old)
        second = await _job(line, agent, "AJ_second")
        await until(lambda: second.answered)
        await say(second, 700, 1.0)
        await until(lambda: abs(dominant_frequency(leg.samples(0.1), 8000) - 700) < 20)
        await leg.bye()
        assert (await line.ended())["data"]["reason"] == "callee_hung_up"
        second.leave()
        assert not list(line.links.iterdir())


async def test_a_dead_job_that_nobody_follows_ends_in_the_goodbye(
    redis: Server, livekit: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clip, the goodbye, BYE, and the line's fault; the room alone would have been silent."""
    monkeypatch.setattr("telephony.bridge.direct_line.REPLACE_S", 0.8)
    async with (
        DirectLine(redis, livekit, tmp_path) as line,
        CalledPhone() as called,
        line.person() as agent,
    ):
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        job = await _job(line, agent, "AJ_only")
        await leg.answer(voice_hz=1000)
        await dialling
        _die(job)
        await until(lambda: abs(dominant_frequency(leg.samples(0.1), 8000) - GOODBYE_HZ) < 20)
        await leg.hung_up()
        ended = (await line.ended())["data"]
        assert (ended["reason"], ended["ended_by"]) == ("agent_lost", "line")
        assert not list(line.links.iterdir())


async def test_without_a_taker_it_is_the_room(redis: Server, livekit: Server, tmp_path: Path) -> None:
    """An agent of elsewhere is heard by its track, and nobody can take the socket after the answer."""
    async with (
        DirectLine(redis, livekit, tmp_path) as line,
        CalledPhone() as called,
        line.person() as agent,
    ):
        await agent.speak(440)
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        name = await _offer(agent)
        await leg.answer(voice_hz=1000)
        await dialling
        await until(lambda: abs(dominant_frequency(leg.samples(0.3), 8000) - 440) < 20)
        await until(lambda: abs(dominant_frequency(agent.samples(0.3), 8000) - 1000) < 20)
        with pytest.raises(Exception, match="cannot be connected"):
            connect(line.links / name)
        await leg.bye()
        await line.ended()
        answered = next(event for event in line.events() if event["type"] == "call.answered")
    assert answered["data"]["audio_path"] == "room"


async def test_a_call_that_is_not_answered_lets_the_agent_go(
    redis: Server, livekit: Server, tmp_path: Path
) -> None:
    """Whoever took the socket is told, and no socket is left."""
    async with (
        DirectLine(redis, livekit, tmp_path) as line,
        CalledPhone() as called,
        line.person() as agent,
    ):
        dialling = asyncio.create_task(dial(line, called.address, wait_until_answered=False))
        leg = await called.rung()
        end = JobEnd()
        hung_up: list[str] = []
        end.on_hung_up = hung_up.append
        await end.connect(line.links / await _offer(agent), "AJ_test")
        await dialling
        leg.refuse(486)
        await line.ended()
        await until(lambda: hung_up)
        end.leave()
        assert not list(line.links.iterdir())


async def test_the_agent_may_call_it_off(redis: Server, livekit: Server, tmp_path: Path) -> None:
    """Hanging up by the socket while it rings cancels the call."""
    async with (
        DirectLine(redis, livekit, tmp_path) as line,
        CalledPhone() as called,
        line.person() as agent,
    ):
        await dial(line, called.address, wait_until_answered=False)
        leg = await called.rung()
        leg.ring()
        end = JobEnd()
        await end.connect(line.links / await _offer(agent), "AJ_test")
        end.hang_up()
        await until(leg.invite.cancelled.is_set)
        assert (await line.ended())["data"]["reason"] == "agent_hung_up"
        end.leave()


async def _job(line: DirectLine, agent: RoomPerson, job_id: str) -> JobEnd:
    """A job that takes the socket that is offered, hands the clips over, and is ready."""
    end = JobEnd()
    await end.connect(line.links / await _offer(agent), job_id)
    end.input.on_attached()
    for clip, frequency in ((Clip.MOMENT, MOMENT_HZ), (Clip.GOODBYE, GOODBYE_HZ)):
        end.hand_over_clip(clip, sine(frequency, 0.4).tobytes())
    end.ready()
    end.started()
    return end


def _die(end: JobEnd) -> None:
    """What a kill -9 does to the socket."""
    assert end._channel is not None
    end._over = True
    end._channel.close()


async def say(end: JobEnd, frequency_hz: float, seconds: float) -> None:
    """Speak a tone, all at once."""
    samples = sine(frequency_hz, seconds)
    await end.output.capture_frame(rtc.AudioFrame(samples.tobytes(), 8000, 1, len(samples)))
    end.output.flush()
