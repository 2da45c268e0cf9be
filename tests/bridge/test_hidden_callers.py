"""Callers who hide their number, on real servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from livekit import api

from tests.waiting import until

if TYPE_CHECKING:
    from tests.bridge.line import TestLine
    from tests.bridge.phone import Phone

pytestmark = pytest.mark.component

NUMBER = "+15550177"
TOLD = [("Privacy", "id"), ("P-Asserted-Identity", f"<sip:{NUMBER}@carrier.example>")]


async def test_hidden_callers_stay_hidden_and_apart(line: TestLine, phone: Phone) -> None:
    """Two in one room: neither throws the other out, and nothing in room or record has their number."""
    await line.provision(
        trunk={"include_headers": api.SIPHeaderOptions.SIP_ALL_HEADERS},
        rule={
            "rule": api.SIPDispatchRule(
                dispatch_rule_direct=api.SIPDispatchRuleDirect(room_name=line.room_name)
            )
        },
    )
    async with line.person() as agent:
        await agent.speak()
        calls = [await phone.call(line.number, line.port, caller="anonymous", headers=TOLD) for _ in range(2)]
        for call in calls:
            assert (await call.final()).status == 200
        callers = list(agent.room.remote_participants.values())
        await until(lambda: len(agent.room.remote_participants) == 2)
        assert len({caller.identity for caller in callers}) == len(callers)
        seen = [dict(caller.attributes) for caller in agent.room.remote_participants.values()]
        assert all(one["sip.phoneNumber"] == "anonymous" for one in seen)
        for call in calls:
            assert not call.session.ended.is_set()
            await call.bye()
        await line.ended()
    assert NUMBER not in json.dumps([seen, line.events()])
    assert line.events()[0]["data"]["from"] == "anonymous"


async def test_an_asserted_number_stands_for_an_empty_from(line: TestLine, phone: Phone) -> None:
    """Where nobody asks for privacy, rules and agent see the number that the carrier vouches for."""
    await line.provision(trunk={"allowed_numbers": [NUMBER]})
    call = await phone.call(line.number, line.port, caller="unavailable", headers=TOLD[1:])
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        assert (await call.final()).status == 200
        await until(lambda: agent.room.remote_participants)
        assert agent.caller.attributes["sip.phoneNumber"] == NUMBER
        await call.bye()
        await line.ended()
