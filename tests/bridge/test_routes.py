"""Proxies and translators between the phone and us, on real servers: routes, rport, the announced address."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import TYPE_CHECKING, Self

import pytest

from telephony.sip.message import SipRequest, SipResponse, parse_message
from telephony.sip.sdp import build_offer, negotiate
from tests.bridge.dialling import dial
from tests.bridge.line import TestLine
from tests.bridge.phone import HOST
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.bridge.servers import Server

pytestmark = pytest.mark.component

ELSEWHERE = "127.0.0.77:5999"
"""A Contact that nobody listens at: what is sent there is lost."""

_branches = itertools.count(1)


class Edge:
    """A carrier's proxy, with the phone behind it: one socket, and every message as it is."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.source = ("", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def next(self, method: str) -> SipRequest:
        """The next request of a method; repetitions of others are passed over."""
        while True:
            message = await self._message()
            if isinstance(message, SipRequest) and message.method == method:
                return message

    async def final(self) -> SipResponse:
        """The next final response."""
        while True:
            message = await self._message()
            if isinstance(message, SipResponse) and message.status >= 200:
                return message

    async def _message(self) -> SipRequest | SipResponse:
        loop = asyncio.get_running_loop()
        data, self.source = await asyncio.wait_for(loop.sock_recvfrom(self._socket, 65_535), PATIENCE * 10)
        return parse_message(data)

    def send(
        self,
        method: str,
        line: TestLine,
        *,
        via: str = "",
        headers: Sequence[str] = (),
        to_tag: str = "",
        contact: str = ELSEWHERE,
        body: bytes = b"",
    ) -> None:
        """Send a request of the phone."""
        start = [
            f"{method} sip:{line.number}@{HOST}:{line.port} SIP/2.0",
            f"Via: SIP/2.0/UDP {via or f'{HOST}:{self.port}'};branch=z9hG4bKe{next(_branches)}",
            "Max-Forwards: 70",
            "From: <sip:+15550199@carrier.example>;tag=phone",
            f"To: <sip:{line.number}@{HOST}>{f';tag={to_tag}' if to_tag else ''}",
            f"Call-ID: route-{line.number}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:phone@{contact}>",
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._socket.sendto("\r\n".join([*start, "", ""]).encode() + body, (HOST, line.port))

    def answer(self, request: SipRequest, status: int, *headers: str, body: bytes = b"") -> None:
        """Answer a request of the bridge."""
        copied = [
            f"{name}: {value}"
            for name in ("Via", "From", "Call-ID", "CSeq")
            for value in request.headers.get_all(name)
        ]
        to = str(request.headers.get("To"))
        start = [
            f"SIP/2.0 {status} Whatever",
            *copied,
            f"To: {to if 'tag=' in to else f'{to};tag=edge'}",
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._socket.sendto("\r\n".join([*start, "", ""]).encode() + body, self.source)


@pytest.mark.parametrize("lr", [";lr", ""], ids=["loose", "strict"])
async def test_what_we_send_in_a_call_takes_the_recorded_routes(line: TestLine, lr: str) -> None:
    """Two proxies, the nearest a loose or a strict one: BYE comes to it, with the rest as Route."""
    await line.provision()
    with Edge() as edge:
        near, far = f"<sip:{HOST}:{edge.port}{lr}>", "<sip:192.0.2.9;lr>"
        routes = [f"Record-Route: {near}", f"Record-Route: {far}"]
        async with line.person() as agent:
            await agent.speak()
            edge.send("INVITE", line, headers=routes, body=build_offer(HOST, 40_000))
            response = await edge.final()
            assert response.status == 200
            assert response.headers.get_all("Record-Route") == [near, far]
            edge.send("ACK", line, to_tag=response.to.tag or "")
            await until(lambda: line.events()[-1]["type"] == "call.answered")
        bye = await edge.next("BYE")
        if lr:
            assert str(bye.uri) == f"sip:phone@{ELSEWHERE}"
            assert bye.headers.get_all("Route") == [near, far]
        else:
            assert str(bye.uri) == f"sip:{HOST}:{edge.port}"
            assert bye.headers.get_all("Route") == [far, f"<sip:phone@{ELSEWHERE}>"]
        edge.answer(bye, 200)
        await line.ended()


async def test_the_routes_of_the_callees_side_are_taken(line: TestLine) -> None:
    """In a call of our own: ACK and BYE go through the proxy of the 200, in reversed order."""
    with Edge() as edge:
        near = f"<sip:{HOST}:{edge.port};lr>"
        async with line.person() as agent:
            await agent.speak()
            dialling = asyncio.create_task(dial(line, f"{HOST}:{edge.port}"))
            invite = await edge.next("INVITE")
            body = negotiate(invite.body, address=HOST, port=40_000).body
            routes = ["Record-Route: <sip:192.0.2.9;lr>", f"Record-Route: {near}"]
            edge.answer(invite, 200, f"Contact: <sip:phone@{ELSEWHERE}>", *routes, body=body)
            ack = await edge.next("ACK")
            await dialling
            assert str(ack.uri) == f"sip:phone@{ELSEWHERE}"
            assert ack.headers.get_all("Route") == [near, "<sip:192.0.2.9;lr>"]
        bye = await edge.next("BYE")
        assert bye.headers.get_all("Route") == [near, "<sip:192.0.2.9;lr>"]
        edge.answer(bye, 200)
        await line.ended()


async def test_the_announced_address_is_told_and_answers_go_where_requests_came_from(
    redis: Server, livekit: Server, tmp_path: Path
) -> None:
    """Contact and session description have nat_1_to_1_ip; rport and received are filled in (RFC 3581)."""
    async with TestLine(redis, livekit, tmp_path, nat_1_to_1_ip="203.0.113.5") as line:
        await line.provision()
        with Edge() as edge:
            async with line.person() as agent:
                await agent.speak()
                own = f"{HOST}:{edge.port}"
                offer = build_offer(HOST, 40_000)
                edge.send("INVITE", line, via="10.0.0.5:5060;rport", contact=own, body=offer)
                response = await edge.final()
                assert response.status == 200
                assert response.via.params["received"] == HOST
                assert response.via.params["rport"] == str(edge.port)
                assert response.contact is not None
                assert response.contact.uri.host == "203.0.113.5"
                assert b"c=IN IP4 203.0.113.5" in response.body
                edge.send("ACK", line, to_tag=response.to.tag or "")
                await until(lambda: line.events()[-1]["type"] == "call.answered")
            edge.answer(await edge.next("BYE"), 200)
            await line.ended()
