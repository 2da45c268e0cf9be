"""Other people's telephones call the line: programs that share no code with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.audio.tones import sine
from telephony.audio.wav import read_wav, write_wav
from telephony.speech.client import SpeechClient
from tests.caller.witness import BARESIP, free_sip_port, program, require, says
from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import RunningLine

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

SIPP_CALL = """<?xml version="1.0"?>
<scenario name="a caller who listens for three seconds">
  <send retrans="500"><![CDATA[
INVITE sip:+15550100100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: sipp <sip:+15550100155@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To: <sip:+15550100100@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
  <recv response="100" optional="true"/>
  <recv response="180"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: sipp <sip:+15550100155@[local_ip]:[local_port]>;tag=[pid]s[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <pause milliseconds="3000"/>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: sipp <sip:+15550100155@[local_ip]:[local_port]>;tag=[pid]s[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
"""


async def test_baresip_hears_the_greeting(line: RunningLine, tmp_path: Path) -> None:
    """Dialled by Debian's baresip, the line greets it, and what it recorded says who speaks."""
    path, port = require("baresip", "baresip-core"), free_sip_port()
    write_wav(tmp_path / "played.wav", [sine(1000, 30.0, amplitude=0.001)], 8000)
    (tmp_path / "config").write_text(BARESIP.format(port=port, folder=tmp_path))
    (tmp_path / "accounts").write_text(f"<sip:witness@127.0.0.1:{port}>;regint=0;audio_codecs=PCMA\n")
    (tmp_path / "contacts").write_text("")
    async with (
        limit(40),
        program(path, "-f", str(tmp_path), "-v", "-e", f"/dial {line.info.sip}", folder=tmp_path),
    ):
        await says(tmp_path, "Call established")
        await asyncio.sleep(8)
    [recorded] = tmp_path.glob("dump-*-dec.wav")
    [samples], rate = read_wav(recorded)
    async with await SpeechClient.connect(line.line.speech_socket) as speech:
        heard = await speech.transcribe(np.asarray(samples[: 8 * rate]), rate)
    assert "riverside" in heard.text.lower(), heard.text


async def test_sipp_calls_and_hangs_up(line: RunningLine, tmp_path: Path) -> None:
    """sipp gets 180, 200 and a 200 to its BYE; for it every message was as it expects."""
    path = require("sipp", "sip-tester")
    (tmp_path / "call.xml").write_text(SIPP_CALL)
    port = line.info.sip.rpartition(":")[2]
    arguments = [
        "-sf",
        "call.xml",
        "-i",
        "127.0.0.1",
        "-mi",
        "127.0.0.1",
        "-p",
        str(free_sip_port()),
        "-m",
        "2",
        "-l",
        "1",
        "-nostdin",
        "-timeout",
        "30",
        "-trace_err",
        f"127.0.0.1:{port}",
    ]
    async with limit(60), program(path, *arguments, folder=tmp_path) as sipp:
        code = await sipp.wait()
    errors = "".join(file.read_text() for file in tmp_path.glob("*errors*"))
    assert code == 0, errors + (tmp_path / "output").read_text(errors="replace")[-2000:]
