"""Whole inbound calls over real SIP, RTP, Redis and livekit-server."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit import api

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import FRAME_S, RATE
from telephony.audio.level import dbfs
from telephony.sip.digest import Credentials
from telephony.sip.message import SipRequest
from telephony.sip.uri import NameAddr, SipUri
from tests.bridge.line import until

if TYPE_CHECKING:
    from tests.bridge.line import TestLine
    from tests.bridge.phone import Phone

pytestmark = pytest.mark.component


async def test_a_call_is_answered_when_the_agent_can_be_heard(line: TestLine, phone: Phone) -> None:
    """100, 180, then 200 once the agent's track is subscribed; each side hears the other's tone."""
    await line.provision()
    call = await phone.call(line.number, line.port, voice_hz=1000)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak(440)
        response = await call.final()
        assert response.status == 200
        assert [status for status, _ in call.provisionals][:2] == [100, 180]
        await until(lambda: len(call.heard) > 75 and len(agent.heard) > 75)
        assert dominant_frequency(call.samples(0.5), RATE) == pytest.approx(440, abs=20)
        assert dominant_frequency(agent.samples(0.5), RATE) == pytest.approx(1000, abs=20)
        assert dbfs(call.samples(0.5)) == pytest.approx(-13.5, abs=3)
        await call.bye()
        ended = await line.ended()
    assert [event["type"] for event in line.events()] == ["call.ringing", "call.answered", "call.ended"]
    ringing, answered, _ = (event["data"] for event in line.events())
    assert (ringing["to"], ringing["room"]) == (line.number, line.room_name)
    assert answered == {"codec": "PCMU", "audio_path": "room"}
    assert (ended["data"]["reason"], ended["data"]["ended_by"]) == ("caller_hung_up", "caller")
    assert ended["data"]["packets"] > 50
    assert ended["data"]["lost"] == 0


async def test_the_first_word_is_whole(line: TestLine, phone: Phone) -> None:
    """What the agent says from the instant its track is subscribed is heard to the full."""
    await line.provision()
    call = await phone.call(line.number, line.port)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak(440, seconds=0.5)
        await call.final()
        await until(lambda: len(call.heard) > 75)
        loud = [dbfs(frame) > -40 for frame in call.heard]
        await call.bye()
        await line.ended()
    # The SDK's own receiver may stretch a word by some frames while it finds its depth.
    assert 0.48 <= sum(loud) * FRAME_S <= 0.7
    first, last = loud.index(True), len(loud) - loud[::-1].index(True)
    assert all(loud[first:last])


async def test_ringing_is_repeated_until_somebody_answers(line: TestLine, phone: Phone) -> None:
    """180 each second, and no 200 without audio, also with a silent agent in the room."""
    await line.provision()
    call = await phone.call(line.number, line.port)
    await line.room_appears()
    async with line.person():
        await until(lambda: [status for status, _ in call.provisionals].count(180) >= 3)
        times = [at for status, at in call.provisionals if status == 180]
        assert times[2] - times[0] == pytest.approx(2.0, abs=0.3)
        assert not call.invite.done
        call.invite.cancel()
        assert (await call.final()).status == 487
    await line.ended()


async def test_the_caller_is_in_the_room_as_a_sip_participant(line: TestLine, phone: Phone) -> None:
    """Kind, identity, name, metadata, every sip.* attribute, headers too; then active, then gone."""
    await line.provision(
        trunk={
            "headers": {"X-Line": "test"},
            "headers_to_attributes": {"X-Campaign": "campaign"},
            "attributes_to_headers": {"campaign": "X-Campaign-Back"},
            "include_headers": api.SIPHeaderOptions.SIP_X_HEADERS,
        },
        rule={"attributes": {"language": "en"}, "metadata": "for the agent"},
    )
    call = await phone.call(
        line.number, line.port, headers=[("X-Campaign", "spring"), ("X-Twilio-CallSid", "CA1")]
    )
    await line.room_appears()
    async with line.person() as agent:
        await until(lambda: len(agent.room.remote_participants) == 1)
        caller = agent.caller
        assert (caller.identity, caller.name) == ("sip_+15550199", "Phone +15550199")
        assert caller.metadata == "for the agent"
        ringing = dict(caller.attributes)
        assert ringing["sip.callStatus"] == "ringing"
        await agent.speak()
        response = await call.final()
        await until(lambda: caller.attributes["sip.callStatus"] == "active")
        assert [track.name for track in caller.track_publications.values()] == ["sip_+15550199"]
        await call.bye()
        await until(lambda: not agent.room.remote_participants)
        assert "hangup" in [seen["sip.callStatus"] for seen in agent.callers_attributes]
        await line.ended()
    assert re.fullmatch(r"SCL_\w{12}", ringing["sip.callID"])
    assert response.to.tag == ringing["sip.callID"]
    assert line.events()[0]["call_id"] == ringing["sip.callID"].replace("SCL_", "call_")
    expected = {
        "sip.callTag": call.session.dialog.local.tag,
        "sip.callIDFull": call.invite.call_id,
        "sip.phoneNumber": "+15550199",
        "sip.trunkPhoneNumber": line.number,
        "sip.hostname": "carrier.example",
        "sip.h.x-campaign": "spring",
        "sip.twilio.callSid": "CA1",
        "campaign": "spring",
        "language": "en",
    }
    assert {key: ringing.get(key) for key in expected} == expected
    assert ringing["sip.trunkID"].startswith("ST_")
    assert ringing["sip.ruleID"].startswith("SDR_")
    assert response.headers.get("X-Line") == "test"
    assert response.headers.get("X-Campaign-Back") == "spring"


async def test_keys_travel_both_ways(line: TestLine, phone: Phone) -> None:
    """A key of the phone is published once in the room, a digit of the room comes to the phone as a key.

    The bridge writes none of them down: only the job knows which belong to a secret.
    """
    await line.provision()
    call = await phone.call(line.number, line.port, voice_hz=1000)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        await call.final()
        await call.rtp.send_digits("5#")
        for code, digit in ((1, "1"), (10, "*")):
            await agent.room.local_participant.publish_dtmf(code=code, digit=digit)
        await until(lambda: agent.keys == ["5", "#"] and call.keys == ["1", "*"])
        await call.bye()
        await line.ended()
    assert "dtmf.received" not in [event["type"] for event in line.events()]


async def test_a_phone_that_stops_sending_is_silence_not_a_gap(line: TestLine, phone: Phone) -> None:
    """While the phone is quiet the agent hears silence without a break, and speech at once afterwards."""
    await line.provision()
    call = await phone.call(line.number, line.port, voice_hz=1000)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        await call.final()
        await until(lambda: len(agent.heard) > 50)
        call.talks = False
        await asyncio.sleep(0.4)
        frames = len(agent.heard)
        await asyncio.sleep(0.6)
        assert (len(agent.heard) - frames) * FRAME_S == pytest.approx(0.6, abs=0.15)
        assert dbfs(agent.samples(0.3)) < -50
        call.talks = True
        await until(lambda: dbfs(agent.samples(0.1)) > -30, timeout_s=0.5)
        await call.bye()
        await line.ended()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_the_codec_is_what_the_phone_offers(line: TestLine, phone: Phone, codec: str) -> None:
    """A phone with one of the two gets that one, and is understood in it."""
    await line.provision()
    call = await phone.call(line.number, line.port, codecs=[codec], voice_hz=1000)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        await call.final()
        await until(lambda: len(agent.heard) > 75 and len(call.heard) > 75)
        assert dominant_frequency(agent.samples(0.4), RATE) == pytest.approx(1000, abs=20)
        assert dominant_frequency(call.samples(0.4), RATE) == pytest.approx(440, abs=20)
        await call.bye()
        await line.ended()
    assert line.events()[1]["data"]["codec"] == codec


async def test_a_trunk_with_a_password_asks_for_it(line: TestLine, phone: Phone) -> None:
    """407, then the same call with credentials is taken."""
    await line.provision(trunk={"auth_username": "user", "auth_password": "pass"})
    call = await phone.call(line.number, line.port, credentials=Credentials("user", "pass"))
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        assert (await call.final()).status == 200
        await call.bye()
        await line.ended()
    assert {event["call_id"] for event in line.events()} == {line.events()[0]["call_id"]}


async def test_hold_is_answered_in_kind(line: TestLine, phone: Phone) -> None:
    """A re-INVITE with sendonly is answered recvonly and stops our audio; sendrecv brings it back."""
    await line.provision()
    call = await phone.call(line.number, line.port, voice_hz=1000)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        await call.final()
        await until(lambda: len(call.heard) > 50)
        offer = call.invite.request.body
        held = await call.session.request("INVITE", body=offer.replace(b"sendrecv", b"sendonly"))
        assert held.status == 200
        assert b"a=recvonly" in held.body
        await asyncio.sleep(0.3)
        sent = call.rtp.packets_received
        await asyncio.sleep(0.3)
        assert call.rtp.packets_received == sent
        back = await call.session.request("INVITE", body=offer)
        assert b"a=sendrecv" in back.body
        await until(lambda: call.rtp.packets_received > sent + 10)
        bad = await call.session.request("INVITE", body=b"v=0\r\n")
        assert bad.status == 488
        offerless = await call.session.request("INVITE")
        assert b"m=audio" in offerless.body
        assert (await call.session.request("INFO")).status == 405
        assert (await call.session.request("OPTIONS")).status == 200
        await call.bye()
        await line.ended()


async def test_several_voices_in_the_room_are_mixed(line: TestLine, phone: Phone) -> None:
    """The phone hears an agent and a person at once."""
    await line.provision()
    call = await phone.call(line.number, line.port)
    await line.room_appears()
    async with line.person() as agent, line.person(identity="boss", kind="standard") as boss:
        await agent.speak(440)
        await boss.speak(1000)
        await call.final()
        await until(lambda: len(call.heard) > 100)
        spectrum = np.abs(np.fft.rfft(call.samples(1.0).astype(np.float64)))
        await call.bye()
        await line.ended()
    peaks = [float(spectrum[hz - 3 : hz + 4].max()) for hz in (440, 700, 1000)]
    assert peaks[0] > 20 * peaks[1]
    assert peaks[2] > 20 * peaks[1]


async def test_two_calls_at_once_do_not_mix(line: TestLine, phone: Phone) -> None:
    """Each caller hears its own agent."""
    await line.provision(
        rule={
            "rule": api.SIPDispatchRule(
                dispatch_rule_individual=api.SIPDispatchRuleIndividual(room_prefix="each", no_randomness=True)
            )
        }
    )
    calls = [
        await phone.call(line.number, line.port, caller=caller, voice_hz=hz)
        for caller, hz in (("111", 700), ("222", 1100))
    ]
    people = [line.person(room_name=f"each_{caller}") for caller in ("111", "222")]
    for person, hz in zip(people, (440, 900), strict=True):
        await person.__aenter__()
        await person.speak(hz)
    for call in calls:
        assert (await call.final()).status == 200
    await until(lambda: all(len(call.heard) > 75 for call in calls))
    heard = [dominant_frequency(call.samples(0.5), RATE) for call in calls]
    said = [dominant_frequency(person.samples(0.5), RATE) for person in people]
    for call in calls:
        await call.bye()
    await line.ended()
    for person in people:
        await person.leave()
    assert heard == [pytest.approx(440, abs=20), pytest.approx(900, abs=20)]
    assert said == [pytest.approx(700, abs=20), pytest.approx(1100, abs=20)]


async def test_options_is_a_sign_of_life(line: TestLine, phone: Phone) -> None:
    """A carrier's keep-alive gets 200 without any question."""
    request = SipRequest("OPTIONS", SipUri("ping", "127.0.0.1", line.port))
    request.headers.add("From", str(NameAddr("", SipUri("carrier", "carrier.example")).with_tag("a")))
    request.headers.add("To", f"<sip:ping@127.0.0.1:{line.port}>")
    request.headers.add("Call-ID", "options-1")
    request.headers.add("CSeq", "1 OPTIONS")
    assert (await phone.endpoint.send_request(request)).status == 200
