"""Inbound calls, row by row of livekit-sip's sequence (livekit/sip v1.11.0 pkg/sip/inbound.go)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc

from telephony.audio.level import dbfs
from telephony.sip.digest import Credentials
from tests.contract.hearing import has_tones, hears, is_tone
from tests.contract.line import CALLER_HZ, VOICE_HZ
from tests.contract.raw_phone import RawPhone, header
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bridge.phone import Phone, PhoneCall
    from tests.contract.line import AudioPath, ContractAgent, ContractLine

pytestmark = [pytest.mark.component, pytest.mark.asyncio(loop_scope="session")]

CALLER = "+15550199"
IDENTITY = f"sip_{CALLER}"


async def _up(line: ContractLine, phone: Phone, agent: ContractAgent) -> PhoneCall:
    call = await phone.call(line.number, line.port, voice_hz=CALLER_HZ)
    await agent.take()
    assert (await call.final()).status == 200
    return call


async def test_a_call_is_answered_once_an_agent_can_be_heard(
    line: ContractLine, phone: Phone, path: AudioPath
) -> None:
    """100, 180, then 200 with the agent's audio; each side hears the other's tone; ``active`` follows."""
    await line.provision_for(path)
    call = await phone.call(line.number, line.port, voice_hz=CALLER_HZ)
    agent = line.agent(path)
    await agent.take()
    response = await call.final()
    assert response.status == 200
    assert [status for status, _ in call.provisionals][:2] == [100, 180]
    await hears(call, VOICE_HZ)
    await hears(agent, CALLER_HZ)
    await agent.sees("active")
    assert agent.caller is not None
    tracks = list(agent.caller.track_publications.values())
    # On the direct line the caller's voice goes by the socket, so there is no track.
    assert [track.name for track in tracks] == ([IDENTITY] if path == "room" else [])
    assert all(track.source == rtc.TrackSource.SOURCE_MICROPHONE for track in tracks)
    await call.bye()
    await until(lambda: line.is_gone(IDENTITY))
    if path == "room":
        await until(lambda: IDENTITY in agent.reasons)
        assert "hangup" in agent.statuses
        assert agent.reasons[IDENTITY] == rtc.DisconnectReason.CLIENT_INITIATED


async def test_the_caller_is_a_sip_participant_with_its_attributes(line: ContractLine, phone: Phone) -> None:
    """Kind, name, metadata, permissions, every sip.* attribute, headers in and out."""
    config = api.RoomConfiguration(name="preset", metadata="of the rule")
    await line.provision(
        trunk={
            "headers": {"X-Line": "test"},
            "headers_to_attributes": {"X-Campaign": "campaign"},
            "attributes_to_headers": {"campaign": "X-Campaign-Back"},
            "include_headers": api.SIPHeaderOptions.SIP_X_HEADERS,
        },
        rule={"attributes": {"language": "en"}, "metadata": "for the agent", "room_config": config},
    )
    provider = [("X-Twilio-CallSid", "CA1"), ("X-call_leg_id", "leg"), ("X-Amzn-ConnectContactId", "c1")]
    call = await phone.call(line.number, line.port, headers=[("X-Campaign", "spring"), *provider])
    agent = line.agent("room")
    await agent.take()
    response = await call.final()
    await agent.sees("ringing")
    await agent.sees("active")
    caller = agent.caller
    assert caller is not None
    given = dict(caller.attributes)
    assert (caller.identity, caller.name, caller.metadata) == (IDENTITY, f"Phone {CALLER}", "for the agent")
    assert re.fullmatch(r"SCL_\w{12}", given["sip.callID"])
    assert response.to.tag == given["sip.callID"]
    expected = {
        "sip.callTag": call.session.dialog.local.tag,
        "sip.callIDFull": call.invite.call_id,
        "sip.phoneNumber": CALLER,
        "sip.trunkPhoneNumber": line.number,
        "sip.hostname": "carrier.example",
        "sip.trunkID": line.trunk_id,
        "sip.ruleID": line.rule_id,
        "sip.h.x-campaign": "spring",
        "sip.twilio.callSid": "CA1",
        "sip.telnyx.callLegID": "leg",
        "campaign": "spring",
        "language": "en",
    }
    assert {key: given.get(key) for key in expected} == expected
    assert "c1" in [value for key, value in given.items() if key.startswith("sip.amazon.")]
    assert (response.headers.get("X-Line"), response.headers.get("X-Campaign-Back")) == ("test", "spring")
    listed = await line.api.room.list_participants(api.ListParticipantsRequest(room=line.room_name))
    permission = next(one.permission for one in listed.participants if one.identity == IDENTITY)
    assert permission.can_publish
    assert permission.can_subscribe
    assert permission.can_publish_data
    assert permission.can_update_metadata
    assert agent.room.metadata == "of the rule"
    await call.bye()


async def test_a_caller_who_gives_up_leaves_nothing(
    line: ContractLine, phone: Phone, path: AudioPath
) -> None:
    """CANCEL right after the first response: 487, and neither participant nor room stays."""
    await line.provision_for(path)
    call = await phone.call(line.number, line.port)
    call.invite.cancel()
    assert (await call.final()).status == 487
    await until(lambda: line.is_gone(IDENTITY))


async def test_another_caller_in_the_room_answers_as_well(line: ContractLine, phone: Phone) -> None:
    """Two callers of one room hear each other, without an agent."""
    await line.provision()
    first = await phone.call(line.number, line.port, caller="+15550191", voice_hz=700)
    await line.room_appears()
    second = await phone.call(line.number, line.port, caller="+15550192", voice_hz=1100)
    assert [(await one.final()).status for one in (first, second)] == [200, 200]
    await hears(first, 1100)
    await hears(second, 700)
    await first.bye()
    await second.bye()


async def test_all_voices_of_the_room_are_heard_at_once(line: ContractLine, phone: Phone) -> None:
    """An agent and a person, mixed."""
    await line.provision()
    agent = line.agent("room")
    async with line.person(identity="boss", kind="standard") as boss:
        await boss.speak(1000)
        call = await _up(line, phone, agent)
        await until(lambda: has_tones(call.samples(1.0), VOICE_HZ, 1000, without_hz=700))
        await call.bye()


async def test_two_calls_at_once_do_not_mix(line: ContractLine, phone: Phone) -> None:
    """Each caller hears its own agent, each agent its own caller."""
    rooms = api.SIPDispatchRuleIndividual(room_prefix="each", no_randomness=True)
    await line.provision(rule={"rule": api.SIPDispatchRule(dispatch_rule_individual=rooms)})
    voices = {"111": (700, 440), "222": (1100, 900)}
    calls = {
        caller: await phone.call(line.number, line.port, caller=caller, voice_hz=hz)
        for caller, (hz, _) in voices.items()
    }
    people = {caller: line.person(room_name=f"each_{caller}") for caller in voices}
    try:
        for caller, (_, hz) in voices.items():
            await people[caller].__aenter__()
            await people[caller].speak(hz)
        for caller, (said, heard) in voices.items():
            assert (await calls[caller].final()).status == 200
            await hears(calls[caller], heard)
            await until(lambda c=caller, hz=said: is_tone(people[c].samples(0.3), hz))  # type: ignore[misc]
            await calls[caller].bye()
    finally:
        for person in people.values():
            await person.leave()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_the_codec_is_what_the_phone_offers(line: ContractLine, phone: Phone, codec: str) -> None:
    """A phone with one of the two gets that one, and both sides are understood in it."""
    await line.provision()
    agent = line.agent("room")
    call = await phone.call(line.number, line.port, codecs=[codec], voice_hz=CALLER_HZ)
    await agent.take()
    response = await call.final()
    assert codec.encode() in response.body
    await hears(agent, CALLER_HZ)
    await hears(call, VOICE_HZ)
    await call.bye()


async def test_a_trunk_with_a_password_asks_for_it(line: ContractLine, phone: Phone) -> None:
    """407 in MD5 with LiveKit's realm, the same tag, then the same call is taken."""
    await line.provision(trunk={"auth_username": "user", "auth_password": "pass"})
    async with RawPhone() as raw:
        raw.invite(line.number, line.port)
        asked = await raw.response(407)
        challenge = header(asked, "Proxy-Authenticate")
        assert 'realm="LiveKit"' in challenge
        assert "SHA" not in challenge
        first_tag = header(asked, "To").partition("tag=")[2]
    call = await phone.call(line.number, line.port, credentials=Credentials("user", "pass"))
    agent = line.agent("room")
    await agent.take()
    response = await call.final()
    assert response.status == 200
    assert re.fullmatch(r"SCL_\w{12}", first_tag)
    await call.bye()


async def test_the_trunks_realm_is_asked_for(line: ContractLine) -> None:
    """auth_realm takes the place of LiveKit's; the retry of a call keeps its tag."""
    await line.provision(trunk={"auth_username": "user", "auth_password": "pass", "auth_realm": "office"})
    async with RawPhone() as raw:
        raw.invite(line.number, line.port)
        first = await raw.response(407)
        assert 'realm="office"' in header(first, "Proxy-Authenticate")
        raw.request("ACK", line.number, line.port, to_tag=header(first, "To").partition("tag=")[2])
        raw.invite(line.number, line.port, cseq=2)
        await until(lambda: [one for one in raw.responses(407) if header(one, "CSeq") == "2 INVITE"])
        second = next(one for one in raw.responses(407) if header(one, "CSeq") == "2 INVITE")
        assert header(first, "To") == header(second, "To")


@pytest.mark.livekit_sip_fault("session-timer-ignored")
async def test_a_session_timer_is_agreed_on(line: ContractLine, phone: Phone) -> None:
    """The interval that the phone asked for is in the 200, with who refreshes."""
    await line.provision()
    asked = [("Supported", "timer"), ("Session-Expires", "120;refresher=uac")]
    call = await phone.call(line.number, line.port, headers=asked)
    await line.agent("room").take()
    response = await call.final()
    assert response.headers.get("Session-Expires") == "120;refresher=uac"
    assert "timer" in response.headers.elements("Require")
    await call.bye()


async def test_an_agent_may_come_late(line: ContractLine, phone: Phone, path: AudioPath) -> None:
    """The caller hears it ring until then; its voice is heard from the answer on."""
    await line.provision_for(path)
    call = await phone.call(line.number, line.port, voice_hz=CALLER_HZ)
    await asyncio.sleep(0.5)
    assert not call.invite.done
    agent = line.agent(path)
    await agent.take()
    assert (await call.final()).status == 200
    await hears(call, VOICE_HZ)
    await call.bye()


async def test_a_rule_with_a_pin_asks_for_it(line: ContractLine, phone: Phone) -> None:
    """Answered before anybody is there, a prompt, keys up to ``#``; the caller joins as active."""
    callee = api.SIPDispatchRuleCallee(room_prefix="call", pin="4711")
    await line.provision(rule={"rule": api.SIPDispatchRule(dispatch_rule_callee=callee)})
    call = await phone.call(line.number, line.port, voice_hz=CALLER_HZ)
    assert (await call.final()).status == 200
    await until(lambda: len(call.heard) > 10 and dbfs(call.samples(0.1)) > -40)
    assert line.room_name not in await line.rooms()
    agent = line.agent("room")
    await agent.await_call()
    await agent.take_dialled()
    await call.rtp.send_digits("4711#")
    await until(lambda: agent.status == "active")
    assert "ringing" not in agent.statuses
    await hears(call, VOICE_HZ)
    await hears(agent, CALLER_HZ)
    assert agent.keys == []
    await call.bye()
