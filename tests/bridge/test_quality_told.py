"""How well a call is heard, as room, record and metrics learn it on real servers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from telephony.bridge import call_quality
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bridge.line import TestLine
    from tests.bridge.phone import Phone

pytestmark = pytest.mark.component


async def test_quality_is_told_during_the_call_and_after_it(
    line: TestLine, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attributes follow what comes; the last event has the whole call, with the gap in it."""
    monkeypatch.setattr(call_quality, "QUALITY_INTERVAL_S", 0.2)
    await line.provision()
    call = await phone.call(line.number, line.port, voice_hz=1000)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        await call.final()
        await until(lambda: "trunkline.quality.mos" in agent.caller.attributes)
        before = int(agent.caller.attributes["trunkline.quality.gaps"])
        call.talks = False
        await asyncio.sleep(0.3)
        call.talks = True
        await until(lambda: int(agent.caller.attributes["trunkline.quality.gaps"]) > before)
        await call.bye()
        ended = await line.ended()
    data = ended["data"]
    assert 1 <= data["mos"] <= 4.5
    assert data["gaps"] >= 1
    assert data["longest_gap_ms"] > 100
    assert not data["one_way"]
    assert b"bridge_call_mos_count 1.0" in line.bridge.metrics()


async def test_a_call_without_the_phones_audio_is_told_to_be_one_way(line: TestLine, phone: Phone) -> None:
    """We sent and nothing came: nothing is estimated, and it is counted."""
    await line.provision()
    call = await phone.call(line.number, line.port)
    call.talks = False
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        await call.final()
        await until(lambda: call.rtp.packets_received > 55)
        await call.bye()
        data = (await line.ended())["data"]
    assert (data["one_way"], data["mos"]) == (True, None)
    assert b"bridge_one_way_calls_total 1.0" in line.bridge.metrics()
