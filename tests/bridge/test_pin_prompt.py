"""Rules with a PIN, on real servers: the call is answered, the caller presses, and is let in or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api

from telephony.audio.detect import dominant_frequency
from telephony.audio.level import rms
from tests.bridge.line import TestLine
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.phone import Phone, PhoneCall
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component

PIN = "47"


async def _asked(line: TestLine, phone: Phone) -> PhoneCall:
    """A call that is answered and asked for its PIN."""
    callee = api.SIPDispatchRuleCallee(room_prefix="call", pin=PIN)
    await line.provision(rule={"rule": api.SIPDispatchRule(dispatch_rule_callee=callee)})
    call = await phone.call(line.number, line.port, voice_hz=1000)
    assert (await call.final()).status == 200
    await until(lambda: _hears(call))
    return call


def _hears(call: PhoneCall) -> bool:
    return len(call.heard) > 10 and rms(call.samples(0.1)) > 500


async def test_the_right_pin_lets_the_caller_in(
    line: TestLine, phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first key ends the prompt; it joins as active, hears the agent, and nobody else learns the keys."""
    call = await _asked(line, phone)
    async with line.person() as agent:
        await agent.speak(440)
        await call.rtp.send_digits("1*" + PIN + "#")
        await until(lambda: agent.room.remote_participants)
        assert agent.caller.attributes["sip.callStatus"] == "active"
        await until(lambda: abs(dominant_frequency(call.samples(0.3), 8000) - 440) < 20)
        await until(lambda: abs(dominant_frequency(agent.samples(0.3), 8000) - 1000) < 20)
        assert not agent.keys
        await call.rtp.send_digits("5")
        await until(lambda: agent.keys)
        assert agent.keys == ["5"]
        seen: list[Any] = [dict(agent.caller.attributes)]
        await call.bye()
        ended = await line.ended()
    assert ended["data"]["reason"] == "caller_hung_up"
    assert [event["type"] for event in line.events()] == ["call.ringing", "call.answered", "call.ended"]
    assert line.events()[0]["data"]["room"] == line.room_name
    logged = capsys.readouterr()
    written = [one for file in line.events_dir.iterdir() for one in file.read_text().splitlines()]
    assert f'"{PIN}"' not in json.dumps([seen, written])
    assert f"'{PIN}'" not in logged.out + logged.err


async def test_wrong_pins_end_the_call(redis: Server, livekit: Server, tmp_path: Path, phone: Phone) -> None:
    """After the tries, with a sound for each; no room is made."""
    async with TestLine(redis, livekit, tmp_path, pin={"tries": 2, "timeout": "2s"}) as line:
        call = await _asked(line, phone)
        await call.rtp.send_digits("#")
        await until(lambda: abs(dominant_frequency(call.samples(0.1), 8000) - 300) < 20)
        await call.rtp.send_digits("#")
        await call.hung_up()
        ended = await line.ended()
        assert line.room_name not in await line.rooms()
    assert (ended["data"]["reason"], ended["data"]["ended_by"]) == ("pin_refused", "line")


async def test_who_hangs_up_at_the_prompt_leaves_nothing(line: TestLine, phone: Phone) -> None:
    """No room, no port, no task."""
    call = await _asked(line, phone)
    await call.bye()
    ended = await line.ended()
    assert ended["data"]["reason"] == "caller_hung_up"
    assert line.room_name not in await line.rooms()
    assert line.bridge.media_ports_taken() == 0


async def test_who_is_let_in_is_let_go_when_no_agent_comes(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """The caller hears ringing from the PIN on, then BYE after the agent's wait; the room goes."""
    async with TestLine(redis, livekit, tmp_path, agent_wait_timeout="1s") as line:
        call = await _asked(line, phone)
        await call.rtp.send_digits(PIN + "#")
        await until(lambda: abs(dominant_frequency(call.samples(0.2), 8000) - 425) < 15)
        await call.hung_up()
        ended = await line.ended()
        assert line.room_name not in await line.rooms()
    assert ended["data"]["reason"] == "refused_after_pin"
    assert "No agent" in ended["data"]["cause"]
