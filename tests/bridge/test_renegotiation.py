"""What phones change during a call, on real servers: hold, address, target, late offers, session timers."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.g711 import CODECS
from telephony.rtp.ports import PortPool
from telephony.rtp.session import RtpSession
from telephony.sip.message import SipRequest, SipResponse, parse_message
from telephony.sip.sdp import build_offer, negotiate
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import dial
from tests.bridge.line import TestLine
from tests.bridge.phone import HOST, Tone
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.agent_double import RoomPerson
    from tests.bridge.called_phone import CalledLeg
    from tests.bridge.phone import Phone, PhoneCall
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


async def _talking(line: TestLine, phone: Phone, agent: RoomPerson, voice_hz: float) -> PhoneCall:
    await agent.speak(440)
    call = await phone.call(line.number, line.port, voice_hz=voice_hz)
    assert (await call.final()).status == 200
    await until(lambda: len(call.heard) > 20)
    return call


async def _is_spoken_to(packets: RtpSession) -> None:
    before = packets.packets_received
    await until(lambda: packets.packets_received > before + 5)


async def _is_quiet(packets: RtpSession) -> bool:
    before = packets.packets_received
    await asyncio.sleep(0.15)
    return packets.packets_received == before


async def test_every_form_of_hold_is_mirrored_and_undone(line: TestLine, phone: Phone) -> None:
    """By INVITE and by UPDATE: we go quiet, the agent hears the music, and both talk again afterwards."""
    await line.provision()
    async with line.person() as agent:
        call = await _talking(line, phone, agent, 1000)
        port = call.rtp.port
        forms = [
            ("INVITE", build_offer(HOST, port, direction="sendonly"), b"a=recvonly"),
            ("UPDATE", build_offer(HOST, port, direction="inactive"), b"a=inactive"),
            ("INVITE", build_offer("0.0.0.0", port), b"a=recvonly"),
        ]
        for method, offer, mirrored in forms:
            answer = await call.session.request(method, body=offer)
            assert answer.status == 200
            assert mirrored in answer.body
            await until(lambda: _is_quiet(call.rtp))
            call.voice = Tone(700)
            await until(lambda: abs(dominant_frequency(agent.samples(0.2), 8000) - 700) < 20)
            call.voice = Tone(1000)
            answer = await call.session.request(method, body=build_offer(HOST, port))
            assert b"a=sendrecv" in answer.body
            await _is_spoken_to(call.rtp)
            await until(lambda: abs(dominant_frequency(agent.samples(0.2), 8000) - 1000) < 20)
        # One that only listens is no hold: it is spoken to.
        answer = await call.session.request("INVITE", body=build_offer(HOST, port, direction="recvonly"))
        assert b"a=sendonly" in answer.body
        await _is_spoken_to(call.rtp)
        await call.bye()
    await line.ended()


async def test_a_silent_hold_lasts_as_long_as_the_phone_wants(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """Without music no media time-out ends it, whichever form it has; after the hold it does."""
    async with TestLine(redis, livekit, tmp_path, media_timeout="600ms") as line:
        await line.provision()
        async with line.person() as agent:
            call = await _talking(line, phone, agent, 1000)
            held = build_offer(HOST, call.rtp.port, direction="sendonly")
            assert (await call.session.request("INVITE", body=held)).status == 200
            call.talks = False
            await asyncio.sleep(1.0)
            assert not call.session.ended.is_set()
            assert (await call.session.request("INVITE", body=build_offer(HOST, call.rtp.port))).status == 200
            await call.hung_up()
            ended = await line.ended()
    assert ended["data"]["reason"] == "media_timeout"


async def test_a_new_address_is_followed(line: TestLine, phone: Phone) -> None:
    """Audio goes to the new port, BYE to the new Contact, and a new codec is spoken."""
    await line.provision()
    desk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    desk.bind((HOST, 0))
    desk.setblocking(False)
    mobile = await RtpSession.open(address=HOST, ports=PortPool(HOST, 0, 0))
    try:
        async with line.person() as agent:
            call = await _talking(line, phone, agent, 1000)
            call.hush()
            call.session.dialog.contact = f"<sip:moved@{HOST}:{desk.getsockname()[1]}>"
            offer = build_offer(HOST, mobile.port, ("PCMA",))
            answer = await call.session.request("INVITE", body=offer)
            assert b"PCMA" in answer.body
            mobile.set_codec(CODECS["PCMA"])
            await until(lambda: mobile.packets_received > 5)
        seen = await _hung_up(desk, line)
        assert str(seen.uri.user) == "moved"
        await line.ended()
    finally:
        mobile.close()
        desk.close()


async def _datagram(sock: socket.socket) -> SipRequest | SipResponse:
    return parse_message(
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 65535), PATIENCE * 10)
    )


async def _hung_up(sock: socket.socket, line: TestLine) -> SipRequest:
    """The BYE, which is answered."""
    bye = await _datagram(sock)
    assert isinstance(bye, SipRequest)
    assert bye.method == "BYE"
    kept = [f"{name}: {bye.headers.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    answer = "\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode()
    await asyncio.get_running_loop().sock_sendto(sock, answer, (HOST, line.port))
    return bye


async def _final(sock: socket.socket) -> SipResponse:
    while True:
        message = await _datagram(sock)
        if isinstance(message, SipResponse) and message.status >= 200:
            return message


def _send(sock: socket.socket, line: TestLine, message: bytes) -> None:
    sock.sendto(message, (HOST, line.port))


def _raw_request(
    method: str, line: TestLine, port: int, *, cseq: int, to_tag: str | None, body: str
) -> bytes:
    lines = [
        f"{method} sip:{line.number}@{HOST}:{line.port} SIP/2.0",
        f"Via: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bK{method}{cseq}",
        "Max-Forwards: 70",
        "From: <sip:+15550199@carrier.example>;tag=desk",
        f"To: <sip:{line.number}@{HOST}>{f';tag={to_tag}' if to_tag else ''}",
        f"Call-ID: late-{line.number}",
        f"CSeq: {cseq} {method}",
        f"Contact: <sip:desk@{HOST}:{port}>",
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("answers", [True, False], ids=["answered", "not answered"])
async def test_a_call_without_an_offer_gets_ours(line: TestLine, answers: bool) -> None:
    """The answer in the ACK is followed; a phone that never answers the offer is hung up on."""
    await line.provision()
    rtp = await RtpSession.open(address=HOST, ports=PortPool(HOST, 0, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as desk:
        desk.bind((HOST, 0))
        desk.setblocking(False)
        port = desk.getsockname()[1]
        async with line.person() as agent:
            await agent.speak(440)
            _send(desk, line, _raw_request("INVITE", line, port, cseq=1, to_tag=None, body=""))
            response = await _final(desk)
            assert response.status == 200
            answer = negotiate(response.body, codecs=("PCMA",), address=HOST, port=rtp.port)
            body = answer.body.decode() if answers else ""
            _send(desk, line, _raw_request("ACK", line, port, cseq=1, to_tag=response.to.tag, body=body))
            if answers:
                rtp.set_codec(CODECS["PCMA"])
                await until(lambda: rtp.packets_received > 5)
                _send(desk, line, _raw_request("BYE", line, port, cseq=2, to_tag=response.to.tag, body=""))
                assert (await _final(desk)).status == 200
            else:
                await _hung_up(desk, line)
            ended = await line.ended()
    rtp.close()
    assert ended["data"]["reason"] == ("caller_hung_up" if answers else "no_media_agreed")


async def test_the_phone_that_we_called_may_hold_too(line: TestLine) -> None:
    """The same in a call of our own."""
    async with CalledPhone() as called, line.person() as agent:
        await agent.speak(440)
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        await leg.answer(voice_hz=1000)
        await dialling
        await until(lambda: leg.rtp.packets_received > 5)
        assert leg.session is not None
        held = await leg.session.request("INVITE", body=build_offer(HOST, leg.rtp.port, direction="inactive"))
        assert b"a=inactive" in held.body
        await until(lambda: _is_quiet(leg.rtp))
        back = await leg.session.request("UPDATE", body=build_offer(HOST, leg.rtp.port))
        assert b"a=sendrecv" in back.body
        await _is_spoken_to(leg.rtp)
        await leg.bye()
        await line.ended()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["1800;refresher=uac"], "1800;refresher=uac"),
        (["1800;refresher=uas"], "1800;refresher=uas"),
        (["30", "90"], "90;refresher=uac"),
    ],
)
async def test_a_callers_session_timer_is_kept(
    line: TestLine, phone: Phone, asked: list[str], told: str
) -> None:
    """Either end may refresh; too short an interval is 422, after which the same call comes in."""
    await line.provision()
    async with line.person() as agent:
        await agent.speak()
        call_id = f"timer-{line.number}"
        for interval in asked:
            timer = [("Supported", "timer"), ("Require", "timer"), ("Session-Expires", interval)]
            call = await phone.call(line.number, line.port, headers=timer, call_id=call_id)
            response = await call.final()
        assert response.status == 200
        assert response.headers.get("Session-Expires") == told
        assert (response.headers.get("Require") == "timer") == told.endswith("uac")
        refreshed = await call.session.request(
            "UPDATE", [("Supported", "timer"), ("Session-Expires", "100;refresher=uac")]
        )
        assert refreshed.headers.get("Session-Expires") == "100;refresher=uac"
        await call.bye()
        await line.ended()
    assert [event["type"] for event in line.events()].count("call.refused") == 0


async def test_our_session_timer_follows_the_callee(redis: Server, livekit: Server, tmp_path: Path) -> None:
    """What we ask for is in the INVITE; after a 422 the same call goes out with the callee's least."""
    async with TestLine(redis, livekit, tmp_path, session_expires="2m") as line, CalledPhone() as called:
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        assert leg.invite.request.headers.get("Session-Expires") == "120"
        leg.invite.respond(422, headers=[("Min-SE", "300")])
        second: CalledLeg = await called.rung(2)
        assert second.invite.request.headers.get_all("Session-Expires") == ["300"]
        assert second.invite.request.headers.get_all("Min-SE") == ["300"]
        assert second.invite.request.call_id == leg.invite.request.call_id
        assert second.invite.request.cseq.number == 2
        await second.answer(headers=[("Session-Expires", "300;refresher=uac"), ("Require", "timer")])
        await dialling
        await second.bye()
        ended = await line.ended()
    assert ended["data"]["reason"] == "callee_hung_up"
