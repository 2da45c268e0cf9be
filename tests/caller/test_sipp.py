"""Debian's sipp as the other side, by scenarios of ours: a strict reader of each message."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.g711 import encode_pcmu
from telephony.audio.tones import sine
from telephony.audio.wav import read_wav
from telephony.caller.run import run_script
from telephony.caller.script_file import parse_script
from telephony.caller.voice import ToneVoice
from tests.caller.tone_agent import GREETING, Sentence, ToneAgent, running
from tests.caller.witness import free_sip_port, program, require
from tests.waiting import limit

pytestmark = pytest.mark.component

SCENARIOS = Path(__file__).parent / "sipp"


def sipp(scenario: str, port: int, *more: str) -> list[str]:
    """The command for one call by a scenario, on loopback, with its messages in a file."""
    return [
        require("sipp", "sip-tester"),
        *("-sf", str(SCENARIOS / scenario), "-i", "127.0.0.1", "-p", str(port), "-mi", "127.0.0.1"),
        *("-m", "1", "-nostdin", "-timeout", "30", "-timeout_error", "-trace_err"),
        *more,
    ]


async def test_our_caller_talks_to_sipp(tmp_path: Path) -> None:
    """sipp takes every message as its scenario says, and what we say comes back as its echo."""
    port, media_port = free_sip_port(), free_sip_port()
    command = sipp("answers.xml", port, "-rtp_echo", "-mp", str(media_port))
    script = parse_script(
        "name: sipp\nsteps:\n  - say: {text: one two three four, when: after_ms, after_ms: 300}\n"
        "  - wait: 0.3\n  - hang_up\n"
    )
    async with limit(40), program(*command, folder=tmp_path) as process:
        await listening(port)
        report = await run_script(
            script, f"sip:bot@127.0.0.1:{port}", voice=ToneVoice(600), report_dir=tmp_path / "report"
        )
        assert await process.wait() == 0, (tmp_path / "output").read_text(errors="replace")
    assert report.problems == []
    assert report.invite_to_ringing_ms is not None
    assert report.invite_to_answer_ms is not None
    assert report.invite_to_answer_ms - report.invite_to_ringing_ms > 150
    (_, heard), _ = read_wav(tmp_path / "report" / "call.wav")
    assert dominant_frequency(heard) == pytest.approx(600, abs=5)


async def test_sipp_calls_our_user_agent(tmp_path: Path) -> None:
    """sipp's call is answered, heard and released as its scenario says."""
    (tmp_path / "tone.ul").write_bytes(encode_pcmu(sine(1000, 1.0)))
    agent = ToneAgent([Sentence(GREETING, 1.0)])
    async with limit(40), running(agent):
        host, _, remote_port = agent.address.partition("@")[2].partition(":")
        command = sipp("calls.xml", free_sip_port(), "-s", "clinic", f"{host}:{remote_port}")
        async with program(*command, folder=tmp_path) as process:
            assert await process.wait() == 0, (tmp_path / "output").read_text(errors="replace")
        while agent.in_call:
            await asyncio.sleep(0.02)
    assert agent.ended_by == "remote"
    assert agent.heard_frequency() == pytest.approx(1000, abs=5)


async def listening(port: int, protocol: str = "udp") -> None:
    """Wait until somebody has bound a port."""
    wanted = f"0100007F:{port:04X}"
    async with limit(10):
        while wanted not in Path(f"/proc/net/{protocol}").read_text():
            await asyncio.sleep(0.05)
