"""Calls of our own over the direct line, where the agent of the room is on this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from telephony.audio.detect import dominant_frequency
from telephony.calls import job_attributes
from telephony.link.job_end import JobEnd
from telephony.link.listener import connect
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import dial
from tests.bridge.direct import GOODBYE_HZ, MOMENT_HZ, DirectLine, LinkedJob
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bridge.agent_double import RoomPerson
    from tests.bridge.called_phone import CalledLeg

pytestmark = pytest.mark.component


@pytest.fixture
async def called() -> AsyncIterator[CalledPhone]:
    """Somebody to be called."""
    async with CalledPhone() as called:
        yield called


@pytest.fixture
async def agent(direct: DirectLine) -> AsyncIterator[RoomPerson]:
    """The agent of the room."""
    async with direct.person() as agent:
        yield agent


async def _offer(agent: RoomPerson) -> str:
    await until(lambda: agent.room.remote_participants)
    return str(agent.caller.attributes[job_attributes.LINK])


async def _job(line: DirectLine, agent: RoomPerson) -> LinkedJob:
    """A job that takes the socket that is offered, and is ready."""
    job = LinkedJob(line.links / await _offer(agent), f"AJ_{len(line.jobs)}")
    line.jobs.append(job)
    await job.come()
    job.end.ready()
    return job


def _hears(leg: CalledLeg, frequency_hz: float) -> bool:
    return abs(dominant_frequency(leg.samples(0.1), 8000) - frequency_hz) < 20


async def test_the_agent_of_the_room_takes_the_socket(
    direct: DirectLine, called: CalledPhone, agent: RoomPerson
) -> None:
    """What it says before the answer is heard from the answer on; its voice needs no track."""
    dialling = asyncio.create_task(dial(direct, called.address))
    leg = await called.rung()
    job = await _job(direct, agent)
    await job.say(600, 1.0)
    await leg.answer(voice_hz=1000)
    await dialling
    await until(lambda: _hears(leg, 600))
    await until(lambda: agent.caller.attributes.get("sip.callStatus") == "active")
    await until(lambda: job.heard)
    assert len(job.heard[0]) == 160
    await leg.bye()
    ended = await direct.ended()
    await until(lambda: job.hung_up)
    assert job.hung_up == ["callee_hung_up"]
    job.end.leave()
    answered = next(event for event in direct.events() if event["type"] == "call.answered")
    assert answered["data"]["audio_path"] == "direct"
    assert ended["data"]["reason"] == "callee_hung_up"


async def test_a_dead_job_is_followed_by_another(
    direct: DirectLine, called: CalledPhone, agent: RoomPerson
) -> None:
    """The phone hears the clip; whoever is sent for finds a new socket in the room, and the talk goes on."""
    dialling = asyncio.create_task(dial(direct, called.address))
    leg = await called.rung()
    first = await _job(direct, agent)
    await leg.answer(voice_hz=1000)
    await dialling
    await first.say(600, 2.0)
    await until(lambda: _hears(leg, 600))
    old = agent.caller.attributes[job_attributes.LINK]
    first.die()
    await until(lambda: _hears(leg, MOMENT_HZ))
    await until(lambda: agent.caller.attributes[job_attributes.LINK] != old)
    second = await _job(direct, agent)
    await until(lambda: second.end.answered)
    await second.say(700, 1.0)
    await until(lambda: _hears(leg, 700))
    await leg.bye()
    assert (await direct.ended())["data"]["reason"] == "callee_hung_up"
    second.end.leave()
    assert not list(direct.links.iterdir())


async def test_a_dead_job_that_nobody_follows_ends_in_the_goodbye(
    direct: DirectLine, called: CalledPhone, agent: RoomPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clip, the goodbye, BYE, and the line's fault; the room alone would have been silent."""
    monkeypatch.setattr("telephony.bridge.direct_line.REPLACE_S", 0.8)
    dialling = asyncio.create_task(dial(direct, called.address))
    leg = await called.rung()
    job = await _job(direct, agent)
    await leg.answer(voice_hz=1000)
    await dialling
    job.die()
    await until(lambda: _hears(leg, GOODBYE_HZ))
    await leg.hung_up()
    ended = (await direct.ended())["data"]
    assert (ended["reason"], ended["ended_by"]) == ("agent_lost", "line")
    assert not list(direct.links.iterdir())


async def test_without_a_taker_it_is_the_room(
    direct: DirectLine, called: CalledPhone, agent: RoomPerson
) -> None:
    """An agent of elsewhere is heard by its track, and nobody can take the socket after the answer."""
    await agent.speak(440)
    dialling = asyncio.create_task(dial(direct, called.address))
    leg = await called.rung()
    name = await _offer(agent)
    await leg.answer(voice_hz=1000)
    await dialling
    await until(lambda: _hears(leg, 440))
    await until(lambda: abs(dominant_frequency(agent.samples(0.3), 8000) - 1000) < 20)
    with pytest.raises(Exception, match="cannot be connected"):
        connect(direct.links / name)
    await leg.bye()
    await direct.ended()
    answered = next(event for event in direct.events() if event["type"] == "call.answered")
    assert answered["data"]["audio_path"] == "room"


async def test_a_call_that_is_not_answered_lets_the_agent_go(
    direct: DirectLine, called: CalledPhone, agent: RoomPerson
) -> None:
    """Whoever took the socket is told, and no socket is left."""
    dialling = asyncio.create_task(dial(direct, called.address, wait_until_answered=False))
    leg = await called.rung()
    end = JobEnd()
    hung_up: list[str] = []
    end.on_hung_up = hung_up.append
    await end.connect(direct.links / await _offer(agent), "AJ_test")
    await dialling
    leg.refuse(486)
    await direct.ended()
    await until(lambda: hung_up)
    end.leave()
    assert not list(direct.links.iterdir())


async def test_the_agent_may_call_it_off(direct: DirectLine, called: CalledPhone, agent: RoomPerson) -> None:
    """Hanging up by the socket while it rings cancels the call."""
    await dial(direct, called.address, wait_until_answered=False)
    leg = await called.rung()
    leg.ring()
    end = JobEnd()
    await end.connect(direct.links / await _offer(agent), "AJ_test")
    end.hang_up()
    await until(leg.invite.cancelled.is_set)
    assert (await direct.ended())["data"]["reason"] == "agent_hung_up"
    end.leave()
