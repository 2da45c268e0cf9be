"""Calls of our own on a real livekit-server, asked for by its public API, at a telephone that is called."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api, rtc
from livekit.protocol import sip as lk_sip

from telephony.audio.detect import dominant_frequency
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import CALLEE, IDENTITY, OURS, dial
from tests.bridge.line import TestLine, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bridge.agent_double import RoomPerson

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


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (486, rtc.DisconnectReason.USER_REJECTED, "resource_exhausted"),
        (404, rtc.DisconnectReason.USER_UNAVAILABLE, "not_found"),
        (603, rtc.DisconnectReason.USER_REJECTED, "permission_denied"),
        (503, rtc.DisconnectReason.CLIENT_INITIATED, "failed_precondition"),
    ],
)
async def test_a_refusal_reaches_whoever_asked(
    line: TestLine, called: CalledPhone, status: int, reason: int, code: str
) -> None:
    """The API's error has the code and the SIP status, the room the reason, and nothing is tried again."""
    async with line.person() as agent:
        left = await _left(agent)
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        await until(lambda: agent.room.remote_participants)
        leg.refuse(status, "So it is")
        with pytest.raises(api.SipCallError) as caught:
            await dialling
        assert (caught.value.sip_status_code, caught.value.sip_status) == (status, "So it is")
        assert caught.value.code == code
        await until(lambda: left)
        assert left == [reason]
    assert (await line.ended())["data"]["sip_status"] == status
    assert called.invites == 1
    assert line.bridge.media_ports_taken() == 0


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


async def test_without_waiting_the_request_is_answered_at_once(line: TestLine, called: CalledPhone) -> None:
    """The API answers while the phone has not even rung; a refusal is seen in the room alone."""
    async with line.person() as agent:
        left = await _left(agent)
        info = await dial(line, called.address, wait_until_answered=False)
        assert info.sip_call_id.startswith("SCL_")
        leg = await called.rung()
        await until(lambda: agent.room.remote_participants)
        leg.refuse(486)
        await until(lambda: left)
        assert left == [rtc.DisconnectReason.USER_REJECTED]
    assert (await line.ended())["data"]["reason"] == "busy"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_carrier_is_shown_credentials(line: TestLine, algorithm: str) -> None:
    """A challenge is answered with the trunk's, in the same call."""
    async with CalledPhone(username="desk", password="secret", algorithms=[algorithm]) as called:
        await _answered(line, called, trunk_auth_username="desk", trunk_auth_password="secret")
        assert called.invites == 2
        await called.legs[0].bye()
        assert (await line.ended())["data"]["reason"] == "callee_hung_up"


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_credentials_that_are_missing_or_wrong_fail_the_call(line: TestLine, password: str) -> None:
    """The code is failed_precondition, without a SIP status, and a wrong password is sent once."""
    async with CalledPhone(username="desk", password="secret") as called:
        trunk = {"trunk_auth_username": "desk", "trunk_auth_password": password} if password else {}
        with pytest.raises(api.ServerError) as caught:
            await dial(line, called.address, **trunk)
        assert caught.value.code == "failed_precondition"
        assert not isinstance(caught.value, api.SipCallError)
        assert called.invites == (2 if password else 1)
    await line.ended()


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


async def test_an_answer_without_a_common_codec_is_hung_up(line: TestLine, called: CalledPhone) -> None:
    """The answer is acknowledged, then BYE; the API says failed_precondition."""
    dialling = asyncio.create_task(dial(line, called.address))
    leg = await called.rung()
    await leg.answer(body=b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n")
    with pytest.raises(api.ServerError) as caught:
        await dialling
    assert caught.value.code == "failed_precondition"
    assert leg.invite.acked.is_set()
    await leg.hung_up()
    await line.ended()


async def test_keys_are_pressed_after_the_answer(line: TestLine, called: CalledPhone) -> None:
    """Pauses included, while the status is automation; only then the agent is heard."""
    async with line.person() as agent:
        await agent.speak(440)
        await _answered(line, called, dtmf="1w2#")
        leg = called.legs[0]
        await until(lambda: leg.keys == ["1", "2", "#"])
        await until(lambda: agent.callers_attributes[-1].get("sip.callStatus") == "active")
        assert "automation" in [one.get("sip.callStatus") for one in agent.callers_attributes]
        await leg.bye()
    await line.ended()


async def test_headers_become_attributes_and_back(line: TestLine, called: CalledPhone) -> None:
    """The trunk's headers are in the INVITE, those of the 200 in the attributes, attributes in the BYE."""
    info = api.SIPOutboundTrunkInfo(
        name="stored",
        address=called.address,
        numbers=[OURS],
        headers={"X-Campaign": "spring"},
        headers_to_attributes={"X-Leg": "leg"},
        attributes_to_headers={"leg": "X-Back"},
        include_headers=lk_sip.SIP_X_HEADERS,
        from_host="carrier.example",
    )
    made = await line.api.sip.create_outbound_trunk(api.CreateSIPOutboundTrunkRequest(trunk=info))
    try:
        async with line.person() as agent:
            request = api.CreateSIPParticipantRequest(
                sip_trunk_id=made.sip_trunk_id,
                sip_call_to=CALLEE,
                room_name=line.room_name,
                participant_identity=IDENTITY,
                headers={"X-Own": "yes"},
                display_name="",
                wait_until_answered=True,
                participant_attributes={"mine": "kept"},
            )
            dialling = asyncio.create_task(line.api.sip.create_sip_participant(request))
            leg = await called.rung()
            await leg.answer(headers=[("X-Leg", "leg-7"), ("X-More", "more")])
            await dialling
            sent = leg.invite.request
            assert (sent.headers.get("X-Campaign"), sent.headers.get("X-Own")) == ("spring", "yes")
            assert (sent.from_.display, sent.from_.uri.host) == ("", "carrier.example")
            await until(lambda: agent.room.remote_participants)
            await until(lambda: agent.caller.attributes.get("sip.callStatus") == "active")
            given = agent.caller.attributes
            assert (given["leg"], given["sip.h.x-more"], given["mine"]) == ("leg-7", "more", "kept")
            assert (given["sip.trunkID"], given["sip.phoneNumber"]) == (made.sip_trunk_id, CALLEE)
            await line.api.room.delete_room(api.DeleteRoomRequest(room=line.room_name))
            await leg.hung_up()
            assert leg.requests[-1].headers.get("X-Back") == "leg-7"
        await line.ended()
    finally:
        await line.api.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=made.sip_trunk_id))


async def test_those_who_wait_hear_the_ringing_tone(line: TestLine, called: CalledPhone) -> None:
    """With play_dialtone the room hears 425 Hz until the phone answers."""
    async with line.person() as agent:
        dialling = asyncio.create_task(dial(line, called.address, play_dialtone=True))
        leg = await called.rung()
        leg.ring()
        await until(lambda: abs(dominant_frequency(agent.samples(0.2), 8000) - 425) < 15)
        await leg.answer(voice_hz=1000)
        await dialling
        await until(lambda: abs(dominant_frequency(agent.samples(0.4), 8000) - 1000) < 20)
        await leg.bye()
    await line.ended()


async def test_a_call_ends_at_its_longest_duration(line: TestLine, called: CalledPhone) -> None:
    """The limit of the request counts from the answer."""
    async with line.person():
        await _answered(line, called, max_call_duration=datetime.timedelta(seconds=1))
        await called.legs[0].hung_up()
    assert (await line.ended())["data"]["reason"] == "max_duration"


async def test_a_late_answer_is_hung_up(line: TestLine, called: CalledPhone) -> None:
    """A 200 that crosses the CANCEL is acknowledged and ended."""
    dialling = asyncio.create_task(dial(line, called.address, ringing_s=1.0))
    leg = await called.rung()
    leg.ring()
    # The phone takes no notice of the CANCEL, as if it had not come in time.
    leg.invite.cancel = lambda: None  # type: ignore[method-assign]
    with pytest.raises(api.ServerError):
        await dialling
    await leg.answer()
    await leg.hung_up()
    assert leg.invite.acked.is_set()
    await line.ended()


async def test_an_address_that_cannot_be_called_is_refused(line: TestLine) -> None:
    """TLS and IPv6 are invalid_argument; nobody is in the room afterwards."""
    with pytest.raises(api.ServerError) as caught:
        await dial(line, "127.0.0.1:5061", trunk_transport=3)
    assert caught.value.code == "invalid_argument"
    with pytest.raises(api.ServerError) as caught:
        await dial(line, "[::1]:5060")
    assert caught.value.code == "invalid_argument"
    await line.ended()


async def test_a_draining_bridge_takes_no_more(line: TestLine, called: CalledPhone) -> None:
    """It stays silent, and the server says that nobody answers: that may be tried again."""
    line.bridge.refuse_new_calls()
    with pytest.raises(api.ServerError) as caught:
        await dial(line, called.address)
    assert caught.value.code == "unavailable"
    assert called.invites == 0
