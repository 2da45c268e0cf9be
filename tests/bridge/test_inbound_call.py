"""Whole inbound calls over real SIP, RTP, Redis and livekit-server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import FRAME_S, RATE
from telephony.audio.level import dbfs
from tests.waiting import until

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
