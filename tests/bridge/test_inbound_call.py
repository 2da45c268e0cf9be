"""Whole inbound calls over real SIP, RTP, Redis and livekit-server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import RATE
from telephony.audio.level import dbfs
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
    assert ended["type"] == "call.ended"
    assert ended["data"]["cause"] == "caller_hung_up"
    assert ended["data"]["ended_by"] == "caller"
    assert [event["type"] for event in line.events()] == ["call.ringing", "call.answered", "call.ended"]
