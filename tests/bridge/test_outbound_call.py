"""Calls of our own on a real livekit-server, asked for by its public API, at a telephone that is called."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api, rtc

from telephony.audio.detect import dominant_frequency
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import CALLEE, IDENTITY, OURS, dial
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bridge.agent_double import RoomPerson
    from tests.bridge.line import TestLine

pytestmark = pytest.mark.component


@pytest.fixture
async def called() -> AsyncIterator[CalledPhone]:
    """A telephone to be called."""
    async with CalledPhone() as called:
        yield called


async def _answered(line: TestLine, called: CalledPhone, **fields: Any) -> api.SIPParticipantInfo:
    """Dial, and have it answered after it rang."""
    dialling = asyncio.create_task(dial(line, called.address, **fields))
    leg = await called.rung()
    leg.ring()
    await asyncio.sleep(0.05)
    await leg.answer(voice_hz=1000)
    return await dialling


async def _left(person: RoomPerson) -> list[int]:
    """Reasons with which participants leave from now on; filled as they do."""
    reasons: list[int] = []
    person.room.on("participant_disconnected", lambda one: reasons.append(int(one.disconnect_reason or 0)))
    return reasons


async def test_an_answered_call_is_heard_both_ways(line: TestLine, called: CalledPhone) -> None:
    """Phone and agent hear each other, the room sees dialing, ringing, active and hangup."""
    async with line.person() as agent:
        await agent.speak(440)
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        await until(lambda: agent.room.remote_participants)
        assert agent.caller.attributes["sip.callStatus"] == "dialing"
        leg.ring()
        await until(lambda: agent.caller.attributes["sip.callStatus"] == "ringing")
        await leg.answer(voice_hz=1000)
        info = await dialling
        answered_at = called.clock.now()
        assert answered_at - leg.answered_at < 0.5
        assert (info.participant_identity, info.room_name) == (IDENTITY, line.room_name)
        assert info.participant_id.startswith("PA_")
        assert leg.invite.request.from_.uri.user == OURS
        assert leg.invite.request.from_.display == OURS
        assert leg.invite.request.from_.tag == info.sip_call_id
        assert leg.invite.request.uri.user == CALLEE
        await until(lambda: len(leg.heard) > 60 and len(agent.heard) > 60)
        await until(lambda: abs(dominant_frequency(leg.samples(0.4), 8000) - 440) < 20)
        await until(lambda: abs(dominant_frequency(agent.samples(0.4), 8000) - 1000) < 20)
        await leg.bye()
        ended = await line.ended()
        statuses = [one.get("sip.callStatus") for one in agent.callers_attributes]
        assert [name for name in statuses if name] == ["ringing", "active", "hangup"]
        assert agent.callers_attributes[-1]["sip.callTag"] == leg.invite.local_tag
    assert ended["type"] == "call.ended"
    data = ended["data"]
    assert (data["reason"], data["ended_by"], data["sip_status"]) == ("callee_hung_up", "callee", 200)
    types = [event["type"] for event in line.events()]
    assert types == ["call.dialling", "call.ringing", "call.answered", "call.ended"]
    assert called.invites == 1


async def test_a_phone_that_nobody_answers_is_cancelled(line: TestLine, called: CalledPhone) -> None:
    """After the ringing time the phone gets CANCEL and the API says canceled."""
    async with line.person() as agent:
        left = await _left(agent)
        dialling = asyncio.create_task(dial(line, called.address, ringing_s=1.0))
        leg = await called.rung()
        leg.ring()
        with pytest.raises(api.ServerError) as caught:
            await dialling
        assert (caught.value.code, "timed out" in caught.value.message) == ("canceled", True)
        await until(leg.invite.cancelled.is_set)
        await until(lambda: left)
        assert left == [rtc.DisconnectReason.USER_UNAVAILABLE]
    assert (await line.ended())["data"]["reason"] == "no_answer"


async def test_a_deleted_room_cancels_the_call(line: TestLine, called: CalledPhone) -> None:
    """While it rings the phone gets CANCEL, and the API hears of it."""
    dialling = asyncio.create_task(dial(line, called.address))
    leg = await called.rung()
    leg.ring()
    await line.room_appears()
    await line.api.room.delete_room(api.DeleteRoomRequest(room=line.room_name))
    with pytest.raises(api.ServerError) as caught:
        await dialling
    assert caught.value.code == "canceled"
    await until(leg.invite.cancelled.is_set)
    data = (await line.ended())["data"]
    assert (data["reason"], data["sip_status"]) == ("room_deleted", 487)


async def test_a_removed_participant_is_hung_up(line: TestLine, called: CalledPhone) -> None:
    """Removing the participant of an answered call says BYE to the phone."""
    async with line.person():
        await _answered(line, called)
        identity = api.RoomParticipantIdentity(room=line.room_name, identity=IDENTITY)
        await line.api.room.remove_participant(identity)
        await called.legs[0].hung_up()
        assert (await line.ended())["data"]["reason"] == "caller_removed"


async def test_a_call_ends_at_its_longest_duration(line: TestLine, called: CalledPhone) -> None:
    """The limit of the request counts from the answer."""
    async with line.person():
        await _answered(line, called, max_call_duration=datetime.timedelta(seconds=1))
        await called.legs[0].hung_up()
    assert (await line.ended())["data"]["reason"] == "max_duration"
