"""Other people's SIP programs, which share no code with the bridge, call it and are called by it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from livekit.protocol import sip as lk_sip

from telephony.audio.detect import dominant_frequency
from telephony.audio.g711 import encode_pcmu
from telephony.audio.tones import sine
from tests.bridge.dialling import IDENTITY, dial
from tests.caller.test_baresip import PLAYED, baresip, heard_by_baresip
from tests.caller.test_sipp import listening, sipp
from tests.caller.witness import free_sip_port, program, says
from tests.contract.hearing import hears
from tests.contract.line import VOICE_HZ
from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.line import AudioPath, ContractLine

pytestmark = [pytest.mark.component, pytest.mark.asyncio(loop_scope="session")]


async def test_baresip_calls(line: ContractLine, tmp_path: Path, path: AudioPath) -> None:
    """Each side hears the other's tone; a removed participant is a BYE that baresip understands."""
    await line.provision_for(path)
    command = f"/dial sip:{line.number}@127.0.0.1:{line.port}"
    async with limit(40), baresip(tmp_path, command):
        agent = line.agent(path)
        await agent.take()
        await says(tmp_path, "Call established")
        await hears(agent, PLAYED)
        await asyncio.sleep(0.5)
        assert agent.caller is not None
        await line.remove(agent.caller.identity)
        await says(tmp_path, "session closed")
    assert dominant_frequency(heard_by_baresip(tmp_path)) == pytest.approx(VOICE_HZ, abs=5)


async def test_baresip_is_called(line: ContractLine, tmp_path: Path) -> None:
    """Dialled, it answers by itself; each side hears the other's tone, and a key arrives."""
    agent = line.agent("room")
    await agent.await_call()
    await agent.take_dialled()
    async with limit(40), baresip(tmp_path) as port:
        await dial(line, f"127.0.0.1:{port}", sip_call_to="bot")
        await hears(agent, PLAYED)
        await agent.sees("active")
        await agent.press(7, "7")
        await asyncio.sleep(0.6)
        await line.remove(IDENTITY)
        await says(tmp_path, "session closed")
    assert "received event: '7'" in (tmp_path / "output").read_text(errors="replace")
    assert dominant_frequency(heard_by_baresip(tmp_path)) == pytest.approx(VOICE_HZ, abs=5)


async def test_sipp_calls_and_hangs_up(line: ContractLine, tmp_path: Path, path: AudioPath) -> None:
    """A strict reader takes every message as its scenario says; its tone reaches the agent."""
    (tmp_path / "tone.ul").write_bytes(encode_pcmu(sine(1200, 1.0)))
    await line.provision_for(path)
    command = sipp("calls.xml", free_sip_port(), "-s", line.number, f"127.0.0.1:{line.port}")
    async with limit(40), program(*command, folder=tmp_path) as process:
        agent = line.agent(path)
        await agent.take()
        await hears(agent, 1200)
        assert await process.wait() == 0, (tmp_path / "output").read_text(errors="replace")


@pytest.mark.parametrize(
    ("transport", "option"), [(lk_sip.SIP_TRANSPORT_UDP, "u1"), (lk_sip.SIP_TRANSPORT_TCP, "t1")]
)
async def test_sipp_answers_and_is_hung_up(
    line: ContractLine, tmp_path: Path, transport: int, option: str
) -> None:
    """INVITE, 180, 200, ACK, BYE, 200, by UDP and by TCP: sipp counts the call as successful."""
    port = free_sip_port()
    command = sipp("answers.xml", port, "-t", option, "-mp", str(free_sip_port()))
    async with limit(40), program(*command, folder=tmp_path) as process:
        await listening(port, "udp" if option == "u1" else "tcp")
        info = await dial(line, f"127.0.0.1:{port}", trunk_transport=transport)
        assert info.participant_identity == IDENTITY
        await line.remove(IDENTITY)
        assert await process.wait() == 0, (tmp_path / "output").read_text(errors="replace")
