"""How answered calls end: by either side, by the server, by nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api

from tests.bridge.line import TestLine
from tests.bridge.servers import livekit_server, started
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.agent_double import RoomPerson
    from tests.bridge.phone import Phone, PhoneCall
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


async def _talking(line: TestLine, phone: Phone, agent: RoomPerson, **options: Any) -> PhoneCall:
    """A call that is up and heard."""
    call = await phone.call(line.number, line.port, voice_hz=1000, **options)
    await line.room_appears()
    await agent.__aenter__()
    await agent.speak()
    response = await call.final()
    assert response.status == 200
    await until(lambda: len(call.heard) > 10)
    return call


async def test_a_deleted_room_ends_the_call(line: TestLine, phone: Phone) -> None:
    """The phone gets BYE, with the trunk's headers made from attributes."""
    await line.provision(
        trunk={"headers_to_attributes": {"X-In": "seen"}, "attributes_to_headers": {"seen": "X-Out"}}
    )
    agent = line.person()
    call = await _talking(line, phone, agent, headers=[("X-In", "value")])
    before = phone.clock.now()
    await line.api.room.delete_room(api.DeleteRoomRequest(room=line.room_name))
    await call.hung_up()
    assert call.ended_at - before < 1.0
    assert (await line.ended())["data"]["reason"] == "room_deleted"
    await agent.leave()


async def test_a_removed_caller_is_hung_up(line: TestLine, phone: Phone) -> None:
    """Removing the participant is a hang-up; the room and the others stay."""
    await line.provision()
    agent = line.person()
    call = await _talking(line, phone, agent)
    await line.api.room.remove_participant(
        api.RoomParticipantIdentity(room=line.room_name, identity="sip_+15550199")
    )
    await call.hung_up()
    ended = await line.ended()
    assert (ended["data"]["reason"], ended["data"]["ended_by"]) == ("caller_removed", "agent")
    assert await line.participants() == ["agent"]
    await agent.leave()


async def test_an_agent_can_ask_to_end_the_call(line: TestLine, phone: Phone) -> None:
    """The room RPC lk.sip.EndCall of livekit-sip works here too."""
    await line.provision()
    agent = line.person()
    call = await _talking(line, phone, agent)
    await agent.room.local_participant.perform_rpc(
        destination_identity="sip_+15550199", method="lk.sip.EndCall", payload='{"headers":{}}'
    )
    await call.hung_up()
    assert (await line.ended())["data"]["reason"] == "agent_hung_up"
    await agent.leave()


async def test_a_lost_agent_ends_the_call_within_a_second(line: TestLine, phone: Phone) -> None:
    """Nobody is left to talk to."""
    await line.provision()
    agent = line.person()
    call = await _talking(line, phone, agent)
    before = phone.clock.now()
    await agent.leave()
    await call.hung_up()
    assert call.ended_at - before < 1.5
    assert (await line.ended())["data"]["reason"] == "agent_left"


async def test_a_person_who_talks_takes_the_call_over(line: TestLine, phone: Phone) -> None:
    """The agent leaves after a colleague came: the call goes on until that one leaves too."""
    await line.provision()
    agent = line.person()
    call = await _talking(line, phone, agent)
    async with line.person(identity="colleague", kind="standard") as colleague:
        await colleague.speak(900)
        await colleague.subscribed.wait()
        await agent.leave()
        await asyncio.sleep(1.0)
        assert not call.session.ended.is_set()
    await call.hung_up()
    assert (await line.ended())["data"]["reason"] == "agent_left"


async def test_a_phone_without_audio_is_let_go(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """No RTP for the media time-out ends the call; before that silence is no reason."""
    async with TestLine(redis, livekit, tmp_path, media_timeout="1s", media_timeout_initial="1s") as line:
        await line.provision()
        agent = line.person()
        call = await _talking(line, phone, agent)
        call.talks = False
        before = phone.clock.now()
        await call.hung_up()
        assert call.ended_at - before > 0.9
        ended = await line.ended()
        assert (ended["data"]["reason"], ended["data"]["ended_by"]) == ("media_timeout", "line")
        await agent.leave()


async def test_the_longest_duration_ends_the_call(line: TestLine, phone: Phone) -> None:
    """The trunk's max_call_duration is kept."""
    trunk = api.SIPInboundTrunkInfo()
    trunk.max_call_duration.FromSeconds(1)
    await line.provision(trunk={"max_call_duration": trunk.max_call_duration})
    agent = line.person()
    call = await _talking(line, phone, agent)
    await call.hung_up()
    assert (await line.ended())["data"]["reason"] == "max_duration"
    await agent.leave()


async def test_a_second_call_of_the_same_caller_takes_the_place_of_the_first(
    line: TestLine, phone: Phone
) -> None:
    """One identity is one participant: livekit-server throws the first out, whose phone gets BYE."""
    await line.provision()
    agent = line.person()
    first = await _talking(line, phone, agent)
    second = await phone.call(line.number, line.port, voice_hz=1000)
    assert (await second.final()).status == 200
    await first.hung_up()
    await second.bye()
    await line.ended()
    causes = {event["data"]["reason"] for event in line.events() if event["type"] == "call.ended"}
    assert causes == {"caller_replaced", "caller_hung_up"}
    await agent.leave()


async def test_a_lost_server_ends_the_call_in_bounded_time(
    redis: Server, tmp_path: Path, phone: Phone
) -> None:
    """livekit-server dies in the middle: BYE after the loss time-out, and the next caller gets 503."""
    server = started(lambda: livekit_server(tmp_path, redis.port))
    try:
        async with TestLine(redis, server, tmp_path, server_loss_timeout="1s") as line:
            await line.provision()
            agent = line.person()
            call = await _talking(line, phone, agent)
            server.stop()
            await call.hung_up(timeout_s=30)
            ended = await line.ended(timeout_s=20)
            assert (ended["data"]["reason"], ended["data"]["ended_by"]) == ("server_lost", "line")
            refused = await phone.call(line.number, line.port)
            assert (await refused.final()).status == 503
            await agent.leave()
    finally:
        server.stop()


async def test_nothing_of_an_ended_call_is_left(line: TestLine, phone: Phone) -> None:
    """No task, no media port, no dialog, no participant: only the two finished transactions rest."""
    await line.provision()
    agent = line.person()
    tasks = len(asyncio.all_tasks())
    call = await _talking(line, phone, agent)
    await call.bye()
    await line.ended()
    await agent.leave()
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    stats = line.bridge.endpoint_stats()
    assert (stats.active_dialogs, stats.pending_invites, stats.active_transactions) == (0, 0, 0)
    assert line.bridge.media_ports_taken() == 0
    await until(lambda: _is_gone(line))


async def _is_gone(line: TestLine) -> bool:
    return line.room_name not in await line.rooms()
