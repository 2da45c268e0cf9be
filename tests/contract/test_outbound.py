"""Calls of our own that are answered, step by step of livekit-sip's sequence (v1.11.0 outbound.go)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api, rtc
from livekit.protocol import sip as lk_sip

from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import CALLEE, IDENTITY, OURS, dial
from tests.contract.hearing import hears, hears_nothing
from tests.contract.line import CALLER_HZ, VOICE_HZ
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bridge.called_phone import CalledLeg
    from tests.contract.line import AudioPath, ContractAgent, ContractLine

pytestmark = [pytest.mark.component, pytest.mark.asyncio(loop_scope="session")]


async def _ringing(
    line: ContractLine, called: CalledPhone, agent: ContractAgent, **fields: Any
) -> tuple[asyncio.Task[api.SIPParticipantInfo], CalledLeg]:
    """An agent in the room, and a telephone that rings."""
    await agent.await_call()
    dialling = asyncio.create_task(dial(line, called.address, **fields))
    leg = await called.rung()
    leg.ring()
    return dialling, leg


async def test_an_answered_call_is_heard_both_ways(
    line: ContractLine, called: CalledPhone, path: AudioPath
) -> None:
    """dialing, ringing, active, hangup; each side hears the other; the request is answered by the phone."""
    agent = line.agent(path)
    await agent.await_call()
    dialling = asyncio.create_task(dial(line, called.address))
    leg = await called.rung()
    await agent.sees("dialing")
    leg.ring()
    await agent.sees("ringing")
    await agent.take_dialled()
    assert not dialling.done()
    await leg.answer(voice_hz=CALLER_HZ)
    info = await dialling
    assert (info.participant_identity, info.room_name) == (IDENTITY, line.room_name)
    assert (info.participant_id[:3], info.sip_call_id[:4]) == ("PA_", "SCL_")
    await hears(leg, VOICE_HZ)
    await hears(agent, CALLER_HZ)
    await agent.sees("active")
    assert agent.caller is not None
    given = agent.caller.attributes
    assert given["sip.callID"] == info.sip_call_id
    assert given["sip.callTag"] == leg.invite.local_tag
    assert given["sip.callIDFull"] == leg.invite.request.call_id
    assert (given["sip.phoneNumber"], given["sip.trunkPhoneNumber"]) == (CALLEE, OURS)
    assert "sip.ruleID" not in given
    await leg.bye()
    await until(lambda: agent.reasons)
    assert agent.reasons == {IDENTITY: rtc.DisconnectReason.CLIENT_INITIATED}
    assert "hangup" in agent.statuses
    assert called.invites == 1


async def test_the_invite_is_as_the_trunk_and_the_request_say(
    line: ContractLine, called: CalledPhone
) -> None:
    """Callee at the trunk's address, our number in From with its name, LiveKit's id as tag, our offer."""
    info = await dial(line, called.address, wait_until_answered=False)
    invite = (await called.rung()).invite.request
    host = f"127.0.0.1:{called.endpoint.port}"
    assert str(invite.uri) == str(invite.to.uri) == f"sip:{CALLEE}@{host}"
    assert (invite.from_.uri.user, invite.from_.uri.host, invite.from_.display) == (OURS, "127.0.0.1", OURS)
    assert invite.from_.tag == info.sip_call_id
    assert invite.contact is not None
    assert (invite.contact.uri.host, invite.contact.uri.port) == ("127.0.0.1", line.port)
    assert {"INVITE", "ACK", "BYE", "CANCEL"} <= set(invite.headers.elements("Allow"))
    offered = invite.body.decode()
    assert all(name in offered for name in ("PCMU/8000", "PCMA/8000", "telephone-event/8000"))
    await line.remove(IDENTITY)


@pytest.mark.parametrize(("given", "display"), [("", ""), ("Desk", "Desk")])
async def test_names_and_addresses_can_be_overridden(
    line: ContractLine, called: CalledPhone, given: str, display: str
) -> None:
    """display_name, the trunk's from_host, sip_request_uri."""
    host, port = called.address.split(":")
    uri = lk_sip.SIPRequestDest(raw=f"sip:desk@{host}:{port};user=phone")
    await dial(
        line,
        called.address,
        wait_until_answered=False,
        display_name=given,
        trunk_from_host="us.example",
        sip_request_uri=uri,
    )
    invite = (await called.rung()).invite.request
    assert (invite.from_.display, invite.from_.uri.host) == (display, "us.example")
    assert (invite.uri.user, invite.uri.params.get("user")) == ("desk", "phone")
    await line.remove(IDENTITY)


async def test_without_waiting_the_request_is_answered_at_once(
    line: ContractLine, called: CalledPhone
) -> None:
    """While the phone has not even rung; the participant is in the room already."""
    watcher = line.watcher()
    await watcher.await_call()
    await dial(line, called.address, wait_until_answered=False)
    await watcher.sees("dialing")
    await watcher.sees_track(IDENTITY)
    leg = await called.rung()
    leg.refuse(486)
    await until(lambda: watcher.reasons)
    assert watcher.reasons == {IDENTITY: rtc.DisconnectReason.USER_REJECTED}


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_challenge_is_answered_in_the_same_call(line: ContractLine, algorithm: str) -> None:
    """With the trunk's credentials, with qop, in either algorithm."""
    async with CalledPhone(username="desk", password="secret", algorithms=[algorithm]) as called:
        dialling = asyncio.create_task(
            dial(line, called.address, trunk_auth_username="desk", trunk_auth_password="secret")
        )
        leg = await called.rung()
        await leg.answer()
        await dialling
        assert called.invites == 2
        await leg.bye()


async def test_keys_are_pressed_once_it_is_answered(line: ContractLine, called: CalledPhone) -> None:
    """A pause among them, while the status is automation; then the call is active."""
    agent = line.agent("room")
    dialling, leg = await _ringing(line, called, agent, dtmf="1w2#")
    await leg.answer()
    await dialling
    await agent.sees("automation")
    await until(lambda: leg.keys == ["1", "2", "#"])
    await agent.sees("active")
    await leg.bye()


async def test_headers_become_attributes_and_back(line: ContractLine, called: CalledPhone) -> None:
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
        agent = line.agent("room")
        await agent.await_call()
        request = api.CreateSIPParticipantRequest(
            sip_trunk_id=made.sip_trunk_id,
            sip_call_to=CALLEE,
            room_name=line.room_name,
            participant_identity=IDENTITY,
            participant_name="Desk",
            participant_metadata="of the request",
            headers={"X-Own": "yes"},
            wait_until_answered=True,
            participant_attributes={"mine": "kept"},
        )
        dialling = asyncio.create_task(line.api.sip.create_sip_participant(request))
        leg = await called.rung()
        await leg.answer(headers=[("X-Leg", "leg-7"), ("X-More", "more")])
        await dialling
        sent = leg.invite.request
        assert (sent.headers.get("X-Campaign"), sent.headers.get("X-Own")) == ("spring", "yes")
        await agent.sees("active")
        caller = agent.caller
        assert caller is not None
        assert (caller.name, caller.metadata) == ("Desk", "of the request")
        given = caller.attributes
        assert (given["leg"], given["sip.h.x-more"], given["mine"]) == ("leg-7", "more", "kept")
        assert given["sip.trunkID"] == made.sip_trunk_id
        await line.delete_room()
        await leg.hung_up()
        assert leg.requests[-1].headers.get("X-Back") == "leg-7"
    finally:
        await line.api.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=made.sip_trunk_id))


async def test_those_who_wait_hear_the_ringing_tone(line: ContractLine, called: CalledPhone) -> None:
    """play_dialtone: 425 Hz in the room until the answer, and never the phone's early RTP."""
    agent = line.agent("room")
    dialling, leg = await _ringing(line, called, agent, play_dialtone=True)
    await hears(agent, 425)
    await leg.answer(voice_hz=CALLER_HZ)
    await dialling
    await hears(agent, CALLER_HZ)
    await leg.bye()


async def test_only_what_is_said_after_the_answer_reaches_the_phone(
    line: ContractLine, called: CalledPhone, path: AudioPath
) -> None:
    """An agent that talks while it rings is not heard then; the tracks are subscribed to after the answer."""
    agent = line.agent(path)
    dialling, leg = await _ringing(line, called, agent)
    await agent.take_dialled()
    await asyncio.sleep(0.3)
    assert leg.rtp.packets_received == 0
    await leg.answer()
    await dialling
    await hears(leg, VOICE_HZ)
    await leg.bye()


@pytest.mark.livekit_sip_fault("large-invite-lost")
async def test_an_invite_that_is_too_large_for_a_datagram_arrives(
    line: ContractLine, called: CalledPhone
) -> None:
    """Headers of three kilobytes, to a phone that knows UDP alone."""
    headers = {f"X-Note-{number}": "n" * 300 for number in range(10)}
    dialling = asyncio.create_task(dial(line, called.address, headers=headers))
    leg = await called.rung()
    assert leg.invite.request.headers.get("X-Note-9") == "n" * 300
    await leg.answer()
    await dialling
    await leg.bye()


async def test_a_room_that_was_left_is_silent_for_the_phone(line: ContractLine, called: CalledPhone) -> None:
    """RTP goes on as silence with nobody in the room who speaks."""
    agent = line.agent("room")
    dialling, leg = await _ringing(line, called, agent)
    await leg.answer(voice_hz=CALLER_HZ)
    await dialling
    await hears_nothing(leg)
    assert leg.rtp.packets_received > 10
    await leg.bye()
