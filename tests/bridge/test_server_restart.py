"""livekit-server goes away during calls and comes back, or does not."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from livekit import api

from telephony.audio.detect import dominant_frequency
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import IDENTITY, dial
from tests.bridge.direct import GOODBYE_HZ, DirectLine
from tests.bridge.line import TestLine
from tests.bridge.servers import livekit_server, redis_server, started
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from telephony.audio.frame import Samples
    from tests.bridge.phone import Phone
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component

BACK_S = 25.0
"""Promised are ten seconds of outage; the SDK of whoever else is there needs some more to come back."""


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Server]:
    """A Redis of its own: another livekit-server on it would take the rooms over."""
    server = started(lambda: redis_server(tmp_path))
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path: Path, own_redis: Server) -> Iterator[Server]:
    """A livekit-server that may be stopped."""
    server = started(lambda: livekit_server(tmp_path, own_redis.port))
    yield server
    server.stop()
    # The SDK calls back for connections that it has not freed; into an interpreter that ends, it aborts.
    time.sleep(0.3)


def _hears(samples: Callable[[float], Samples], frequency_hz: float) -> Callable[[], bool]:
    return lambda: abs(dominant_frequency(samples(0.3), 8000) - frequency_hz) < 20


async def test_calls_through_the_room_go_on_after_a_restart(
    own_redis: Server, server: Server, tmp_path: Path, phone: Phone
) -> None:
    """In and out: the phone is in its room again under its identity, both sides hear and can end it."""
    async with (
        TestLine(own_redis, server, tmp_path) as line,
        CalledPhone() as called,
        line.person() as agent,
        line.person(kind="standard", room_name="office") as colleague,
    ):
        await line.provision()
        await agent.speak(440)
        await colleague.speak(600)
        call = await phone.call(line.number, line.port, voice_hz=1000)
        dialling = asyncio.create_task(dial(line, called.address, room_name="office"))
        leg = await called.rung()
        await leg.answer(voice_hz=1000)
        await dialling
        assert (await call.final()).status == 200
        await until(_hears(call.samples, 440))
        await until(_hears(leg.samples, 600))
        await until(lambda: agent.caller.attributes.get("sip.callStatus") == "active")
        identity = agent.caller.identity
        server.stop()
        await asyncio.sleep(1.0)
        await asyncio.to_thread(server.start)
        for heard in (agent.heard, colleague.heard, call.heard, leg.heard):
            heard.clear()
        await until(_hears(call.samples, 440), BACK_S)
        await until(_hears(agent.samples, 1000), BACK_S)
        await until(_hears(leg.samples, 600), BACK_S)
        await until(_hears(colleague.samples, 1000), BACK_S)
        assert agent.caller.identity == identity
        await until(lambda: agent.caller.attributes.get("sip.callStatus") == "active")
        await line.api.room.remove_participant(api.RoomParticipantIdentity(room="office", identity=IDENTITY))
        await leg.hung_up()
        await call.bye()
        await line.ended()
        reasons = {event["data"]["reason"] for event in line.events() if event["type"] == "call.ended"}
        assert reasons == {"caller_hung_up", "caller_removed"}
        assert line.bridge.media_ports_taken() == 0


async def test_a_direct_call_never_stops(
    own_redis: Server, server: Server, tmp_path: Path, phone: Phone
) -> None:
    """Its audio needs no server; the caller joins the room again all the same."""
    async with DirectLine(own_redis, server, tmp_path) as line:
        async with line.up(phone, voice_hz=1000) as (call, job, _):
            await until(line.participants)
            [identity] = await line.participants()
            await until(lambda: _is_active(line, identity))
            before = await _sid(line, identity)
            server.stop()
            await job.say(600, 1.0)
            await until(_hears(call.samples, 600))
            await until(_hears(job.samples, 1000))
            await asyncio.to_thread(server.start)
            # What the server tells of before it went is of no use: the caller is somebody new to it.
            await until(lambda: _is_somebody_else(line, identity, before), BACK_S)
            await until(lambda: _is_active(line, identity), BACK_S)
            await job.say(700, 1.0)
            await until(_hears(call.samples, 700))
            await call.bye()
        assert (await line.ended())["data"]["reason"] == "caller_hung_up"


async def _participant(line: DirectLine, identity: str) -> api.ParticipantInfo:
    wanted = api.RoomParticipantIdentity(room=line.room_name, identity=identity)
    try:
        return await line.api.room.get_participant(wanted)
    except api.TwirpError:
        return api.ParticipantInfo()


async def _sid(line: DirectLine, identity: str) -> str:
    return str((await _participant(line, identity)).sid)


async def _is_somebody_else(line: DirectLine, identity: str, before: str) -> bool:
    return await _sid(line, identity) not in ("", before)


async def _is_active(line: DirectLine, identity: str) -> bool:
    found = await _participant(line, identity)
    return found.attributes.get("sip.callStatus") == "active" and found.state == api.ParticipantInfo.ACTIVE


async def test_a_direct_call_whose_server_stays_away_ends_in_the_goodbye(
    own_redis: Server, server: Server, tmp_path: Path, phone: Phone
) -> None:
    """The clip, BYE, the true cause for record and job; and the room is deleted once the server is back."""
    async with (
        DirectLine(own_redis, server, tmp_path, server_loss_timeout="1s") as line,
        line.up(phone, voice_hz=1000) as (call, job, _),
    ):
        await until(line.participants)
        [identity] = await line.participants()
        await until(lambda: _is_active(line, identity))
        server.stop()
        await until(_hears(lambda _: call.samples(0.1), GOODBYE_HZ))
        await call.hung_up()
        await until(lambda: job.hung_up == ["server_lost"])
        ended = (await line.ended())["data"]
        assert (ended["reason"], ended["ended_by"], ended["code"]) == (
            "server_lost",
            "line",
            "server_lost",
        )
        await asyncio.to_thread(server.start)
        await until(lambda: _is_gone(line))


async def _is_gone(line: TestLine) -> bool:
    return line.room_name not in await line.rooms()


async def test_live_calls_outlast_a_restart_of_redis(
    own_redis: Server, server: Server, tmp_path: Path, phone: Phone
) -> None:
    """Both go on hearing each other; then calls come and go out again."""
    async with (
        TestLine(own_redis, server, tmp_path) as line,
        CalledPhone() as called,
        line.person(kind="standard", room_name="office") as colleague,
        line.person() as agent,
    ):
        await line.provision()
        await agent.speak(440)
        await colleague.speak(600)
        call = await phone.call(line.number, line.port, voice_hz=1000)
        assert (await call.final()).status == 200
        await until(_hears(call.samples, 440))
        own_redis.stop()
        await until(lambda: line.bridge.health() == (503, "no redis"))
        call.heard.clear()
        agent.heard.clear()
        await asyncio.sleep(0.5)
        await asyncio.to_thread(own_redis.start)
        await until(_hears(call.samples, 440))
        await until(_hears(agent.samples, 1000))
        await until(lambda: line.bridge.health()[0] == 200, 15)
        line.forget_provisions()
        # This Redis keeps nothing: the operator's file is applied again, as a line does.
        await until(lambda: _provisioned(line), 15)
        # livekit-server takes nobody in before it has told the new Redis of itself.
        await until(lambda: _is_dialled(line, called), 15)
        leg = await called.rung()
        await leg.answer(voice_hz=1000)
        await until(_hears(leg.samples, 600))
        other = await phone.call(line.number, line.port, caller="+15550142")
        assert (await other.final()).status == 200
        await other.bye()
        await leg.bye()
        assert not call.session.ended.is_set()
        await call.bye()
        await line.ended()


async def _is_dialled(line: TestLine, called: CalledPhone) -> bool:
    try:
        await dial(line, called.address, room_name="office", wait_until_answered=False)
    except api.ServerError:
        return False
    return True


async def _provisioned(line: TestLine) -> bool:
    try:
        await line.provision()
    except api.TwirpError:
        return False
    return True
