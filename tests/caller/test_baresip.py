"""Debian's baresip as the other side: it shares no code with us, and hears what we send."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.level import dbfs
from telephony.audio.tones import sine
from telephony.audio.wav import read_wav, write_wav
from telephony.caller.run import run_script
from telephony.caller.script_file import parse_script
from telephony.caller.voice import ToneVoice
from tests.caller.tone_agent import GREETING, Sentence, ToneAgent, running
from tests.caller.witness import BARESIP, free_sip_port, program, require, says
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.audio.frame import Samples

pytestmark = pytest.mark.component

PLAYED = 1000.0
"""What baresip sends, in Hz."""


@asynccontextmanager
async def baresip(
    folder: Path, *commands: str, user: str = "bot", amplitude: float = 0.3
) -> AsyncIterator[int]:
    """A baresip that answers by itself and records both directions; gives its SIP port.

    Args:
        user: whom it takes calls for; to any other it says 404.
        amplitude: of the tone that it plays, 0 to 1.
    """
    path, port = require("baresip", "baresip-core"), free_sip_port()
    write_wav(folder / "played.wav", [sine(PLAYED, 30.0, amplitude=amplitude)], 8000)
    (folder / "config").write_text(BARESIP.format(port=port, folder=folder))
    (folder / "accounts").write_text(
        f"<sip:{user}@127.0.0.1:{port}>;regint=0;answermode=auto;audio_codecs=PCMU,PCMA\n"
    )
    (folder / "contacts").write_text("")
    options = [part for command in commands for part in ("-e", command)]
    async with program(path, "-f", str(folder), "-v", *options, folder=folder):
        await says(folder, "baresip is ready")
        yield port


def heard_by_baresip(folder: Path) -> Samples:
    """The loud part of what it received."""
    [recorded] = folder.glob("dump-*-dec.wav")
    [samples], rate = read_wav(recorded)
    assert rate == 8000
    frames = [samples[at : at + 160] for at in range(0, samples.size - 160, 160)]
    loud = [index for index, frame in enumerate(frames) if dbfs(frame) > -40]
    assert loud
    return samples[loud[0] * 160 : loud[-1] * 160]


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_our_caller_talks_to_baresip(tmp_path: Path, codec: str) -> None:
    """Each side hears the other's tone, a key arrives, and our BYE ends the call."""
    script = parse_script(
        f"name: baresip\nsettings: {{codec: {codec}}}\nsteps:\n  - wait: 0.5\n"
        '  - say: {text: one two three four, when: after_ms}\n  - press: "5"\n  - hang_up\n'
    )
    async with limit(40), baresip(tmp_path) as port:
        report = await run_script(
            script, f"sip:bot@127.0.0.1:{port}", voice=ToneVoice(600), report_dir=tmp_path / "report"
        )
        await says(tmp_path, "terminated")
    assert report.problems == []
    assert report.ended_by == "caller"
    assert report.media.lost == 0
    (_, heard), _ = read_wav(tmp_path / "report" / "call.wav")
    assert dominant_frequency(heard[-8000:]) == pytest.approx(PLAYED, abs=5)
    assert dominant_frequency(heard_by_baresip(tmp_path)) == pytest.approx(600, abs=5)
    assert "received event: '5'" in (tmp_path / "output").read_text(errors="replace")


async def test_baresip_calls_our_user_agent(tmp_path: Path) -> None:
    """Dialled by baresip, each side hears the other's tone, and our BYE ends the call."""
    agent = ToneAgent([Sentence(GREETING, 2.0, last=True)], yields=False)
    async with limit(40), running(agent), baresip(tmp_path, f"/dial {agent.address}"):
        await says(tmp_path, "Call established")
        await says(tmp_path, "terminated")
    assert agent.calls == 1
    assert agent.heard_frequency() == pytest.approx(PLAYED, abs=5)
    assert dominant_frequency(heard_by_baresip(tmp_path)) == pytest.approx(GREETING, abs=5)
