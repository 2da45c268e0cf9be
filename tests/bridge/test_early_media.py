"""What the carrier plays before the answer, in calls of our own on real servers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import silence
from telephony.audio.g711 import CODECS
from telephony.audio.level import rms
from telephony.sip.sdp import negotiate
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import IDENTITY, dial
from tests.bridge.line import TestLine
from tests.bridge.phone import HOST, Tone
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.called_phone import CalledLeg
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


def _announce(leg: CalledLeg, hertz: float) -> None:
    """183 with a description, and a tone to where the INVITE says."""
    answer = negotiate(leg.invite.request.body, address=HOST, port=leg.rtp.port)
    leg.rtp.set_codec(CODECS[answer.codec])
    leg.rtp.set_remote(answer.remote)
    tone = Tone(hertz)

    def tick() -> None:
        if leg.session is None:
            leg.rtp.receive_frame()
            leg.rtp.send_frame(tone.frame())

    leg.phone.media.add(tick)
    leg.invite.respond(183, body=answer.body)


@pytest.mark.parametrize("by", ["setting", "attribute"])
async def test_the_agent_hears_what_is_played_before_the_answer(
    redis: Server, livekit: Server, tmp_path: Path, by: str
) -> None:
    """In place of the dial tone; then the phone. Nothing but silence is sent before the answer."""
    asked = {"trunkline.early_media": "true"} if by == "attribute" else {}
    async with (
        TestLine(redis, livekit, tmp_path, early_media=by == "setting") as line,
        CalledPhone() as called,
        line.person() as agent,
    ):
        await agent.speak(440)
        dialling = asyncio.create_task(
            dial(line, called.address, play_dialtone=True, participant_attributes=asked)
        )
        leg = await called.rung()
        _announce(leg, 700)
        await until(lambda: abs(dominant_frequency(agent.samples(0.3), 8000) - 700) < 20)
        assert agent.caller.attributes["sip.callStatus"] == "ringing"
        await until(lambda: leg.rtp.packets_received > 5)
        await leg.answer(voice_hz=1000)
        await dialling
        await until(lambda: abs(dominant_frequency(agent.samples(0.3), 8000) - 1000) < 20)
        await until(lambda: abs(dominant_frequency(leg.samples(0.3), 8000) - 440) < 20)
        await leg.bye()
        ended = await line.ended()
    assert ended["data"]["reason"] == "callee_hung_up"


async def test_without_the_option_nothing_is_heard_before_the_answer(line: TestLine) -> None:
    """As with livekit-sip."""
    async with CalledPhone() as called, line.person() as agent:
        dialling = asyncio.create_task(dial(line, called.address, wait_until_answered=False))
        leg = await called.rung()
        await dialling
        _announce(leg, 700)
        await until(lambda: IDENTITY in agent.room.remote_participants)
        await until(lambda: agent.caller.attributes["sip.callStatus"] == "ringing")
        await asyncio.sleep(0.5)
        assert rms(agent.samples(1.0)) < 50
        leg.refuse(486)
        await line.ended()


async def test_a_busy_announcement_ends_with_the_refusal(
    redis: Server, livekit: Server, tmp_path: Path
) -> None:
    """The port is given back, and the 200 of a carrier that says all in its 183 is understood."""
    async with (
        TestLine(redis, livekit, tmp_path, early_media=True) as line,
        CalledPhone() as called,
        line.person() as agent,
    ):
        dialling = asyncio.create_task(dial(line, called.address, wait_until_answered=False))
        leg = await called.rung()
        await dialling
        _announce(leg, 700)
        await until(lambda: abs(dominant_frequency(agent.samples(0.3), 8000) - 700) < 20)
        leg.refuse(486)
        await line.ended()
        assert line.bridge.media_ports_taken() == 0
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung(2)
        _announce(leg, 700)
        await until(lambda: leg.rtp.packets_received > 5)
        leg.session = leg.invite.accept(b"")
        await dialling
        leg.phone.media.add(lambda: leg.rtp.send_frame(silence()))
        await leg.session.bye()
        ended = await line.ended()
    assert ended["data"]["reason"] == "callee_hung_up"
