"""sipp as an independent witness: its built-in caller and callee against ours, and a challenge."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from telephony.clock import LoopClock
from telephony.sip.authentication import Authenticator, Verdict
from telephony.sip.endpoint import OutgoingInviteRequest, SipEndpoint
from telephony.sip.sdp import build_offer, negotiate, read_answer
from telephony.sip.uri import NameAddr, SipUri
from telephony.supervision.ports import free_sip_port
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.sip.incoming import IncomingInvite

pytestmark = pytest.mark.component

LOOPBACK = "127.0.0.1"
CALLS = 5

CALLER_WITH_PASSWORD = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a caller that is challenged and then rings too long">
  <send retrans="500" start_txn="first"><![CDATA[
INVITE sip:100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:200@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:100@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:200@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="407" auth="true" response_txn="first"/>
  <send ack_txn="first"><![CDATA[
ACK sip:100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-2]
From: <sip:200@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:100@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <send retrans="500" start_txn="second"><![CDATA[
INVITE sip:100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:200@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:100@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 2 INVITE
Contact: <sip:200@[local_ip]:[local_port]>
[authentication username=u password=p]
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="180" response_txn="second"/>
  <send start_txn="cancel" retrans="500"><![CDATA[
CANCEL sip:100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-2]
From: <sip:200@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:100@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 2 CANCEL
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="200" response_txn="cancel"/>
  <recv response="487" response_txn="second"/>
  <send ack_txn="second"><![CDATA[
ACK sip:100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-5]
From: <sip:200@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:100@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 ACK
Max-Forwards: 70
Content-Length: 0

  ]]></send>
</scenario>
"""


def sipp_path() -> str:
    path = shutil.which("sipp")
    assert path is not None, "sipp is missing: install the package sip-tester"
    return path


async def start_sipp(directory: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sipp_path(),
        *arguments,
        *("-i", LOOPBACK, "-mi", LOOPBACK, "-m", str(CALLS), "-nostdin", "-timeout", "40", "-trace_err"),
        cwd=directory,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


@asynccontextmanager
async def sipp(directory: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await start_sipp(directory, *arguments)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def endpoint(*, tcp: bool = False) -> AsyncIterator[SipEndpoint]:
    ours = SipEndpoint(LoopClock())
    await ours.start(LOOPBACK, tcp=tcp)
    try:
        yield ours
    finally:
        await ours.close()


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_sipp_calls_us(tmp_path: Path, transport: str) -> None:
    """Its callers get 180, an SDP answer, and 200 to their BYE; sipp counts every call as successful."""
    async with endpoint(tcp=True) as ours:
        invites: list[IncomingInvite] = []

        def on_invite(invite: IncomingInvite) -> None:
            invites.append(invite)
            invite.respond(180)
            agreed = negotiate(invite.request.body, address=LOOPBACK, port=40000)
            invite.accept(agreed.body)

        ours.on_invite = on_invite
        arguments = (
            "-sn",
            "uac",
            f"{LOOPBACK}:{ours.port}",
            "-p",
            str(free_sip_port()),
            "-r",
            "10",
            "-t",
            transport,
        )
        async with sipp(tmp_path, *arguments) as process:
            assert await asyncio.wait_for(process.wait(), PATIENCE * 60) == 0
        assert len(invites) == CALLS
        assert all(invite.acked.is_set() for invite in invites)
        assert ours.stats.active_dialogs == ours.stats.active_transactions == ours.stats.malformed == 0


async def test_we_call_sipp(tmp_path: Path) -> None:
    """Its callee rings, answers with SDP, takes our ACK and BYE; sipp counts every call as successful."""
    port = free_sip_port()
    async with endpoint() as ours, sipp(tmp_path, "-sn", "uas", "-p", str(port)) as process:
        for _ in range(CALLS):
            outgoing = await ours.invite(
                OutgoingInviteRequest(
                    SipUri("100", LOOPBACK, port),
                    NameAddr("Ours", SipUri("200", LOOPBACK)),
                    body=build_offer(LOOPBACK, 40000),
                )
            )
            answer = await outgoing.final(30)
            assert answer.status == 200
            assert read_answer(answer.body).codec == "PCMU"
            assert outgoing.session is not None
            released = await outgoing.session.bye()
            assert released is not None
        # sipp's callee stays for some seconds after each call, to absorb repetitions.
        assert await asyncio.wait_for(process.wait(), PATIENCE * 60) == 0
        assert ours.stats.active_dialogs == ours.stats.active_transactions == ours.stats.malformed == 0


async def test_sipp_is_challenged_and_cancels(tmp_path: Path) -> None:
    """Its digest is accepted by ours, its CANCEL answered 200 and the INVITE 487."""
    scenario = tmp_path / "caller.xml"
    scenario.write_text(CALLER_WITH_PASSWORD)
    async with endpoint() as ours:
        server = Authenticator("Line", LoopClock())
        verdicts: list[Verdict] = []

        def on_invite(invite: IncomingInvite) -> None:
            header = invite.request.headers.get("Proxy-Authorization")
            if header is None:
                invite.respond(407, headers=[("Proxy-Authenticate", str(server.challenges()[0]))])
                return
            verdicts.append(server.judge(header, method="INVITE", username="u", password="p"))
            invite.respond(180)

        ours.on_invite = on_invite
        arguments = ("-sf", str(scenario), f"{LOOPBACK}:{ours.port}", "-p", str(free_sip_port()), "-r", "10")
        async with sipp(tmp_path, *arguments) as process:
            assert await asyncio.wait_for(process.wait(), PATIENCE * 60) == 0
        assert verdicts == [Verdict.ACCEPTED] * CALLS
        assert ours.stats.active_dialogs == ours.stats.active_transactions == ours.stats.pending_invites == 0
