"""Sockets: UDP with and without loss, TCP, ports that are taken, names that do not resolve."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from telephony.clock import LoopClock, ManualClock
from telephony.errors import ConfigError, PortTakenError, SipError, StartError
from telephony.sip.endpoint import OutgoingInviteRequest, SipEndpoint
from telephony.sip.routing import resolve
from telephony.sip.tcp import PING, PONG, TcpTransport
from telephony.sip.timers import Timers
from telephony.sip.transport import Loss, UdpTransport
from telephony.sip.uri import NameAddr, SipUri
from tests.sip.wire import request_bytes
from tests.waiting import PATIENCE, limit, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.sip.incoming import IncomingInvite
    from telephony.sip.session import DialogSession
    from telephony.sip.transport import Transport
    from telephony.sip.via import Address

pytestmark = pytest.mark.component

LOOPBACK = "127.0.0.1"
QUICK = Timers(t1=0.03, t2=0.24, t4=0.3)


class Ends:
    """A caller and a callee that answers every call."""

    def __init__(self, caller: SipEndpoint, callee: SipEndpoint) -> None:
        self.caller = caller
        self.callee = callee
        self.invites: list[IncomingInvite] = []
        self.sessions: list[DialogSession] = []
        callee.on_invite = self._answer

    def _answer(self, invite: IncomingInvite) -> None:
        self.invites.append(invite)
        invite.respond(180)
        self.sessions.append(invite.accept(b"answer"))

    def wanted(self, transport: str | None = None, body: bytes = b"offer") -> OutgoingInviteRequest:
        uri = SipUri("100", LOOPBACK, self.callee.port, {"transport": transport} if transport else {})
        return OutgoingInviteRequest(uri, NameAddr("", SipUri("200", LOOPBACK)), body=body)

    async def call_and_release(self, transport: str | None = None, body: bytes = b"offer") -> None:
        outgoing = await self.caller.invite(self.wanted(transport, body))
        assert (await outgoing.final(20)).status == 200
        assert outgoing.session is not None
        await outgoing.session.bye(timeout_s=10)
        await asyncio.wait_for(self.sessions[-1].ended.wait(), PATIENCE * 20)


@asynccontextmanager
async def ends(
    *, tcp: bool = False, callee_tcp: bool | None = None, loss: Loss | None = None
) -> AsyncIterator[Ends]:
    clock = LoopClock()
    timers = QUICK if loss is not None else None
    caller, callee = SipEndpoint(clock, timers=timers), SipEndpoint(clock, timers=timers)
    await caller.start(LOOPBACK, tcp=tcp, loss=loss)
    await callee.start(LOOPBACK, tcp=tcp if callee_tcp is None else callee_tcp)
    try:
        yield Ends(caller, callee)
    finally:
        await caller.close()
        await callee.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_calls_survive_a_lossy_socket() -> None:
    """25 % of all datagrams lost both ways: five calls are set up and released, each once."""
    loss = Loss(4, inbound=0.25, outbound=0.25)
    async with ends(loss=loss) as line:
        for _ in range(5):
            await line.call_and_release()
        assert loss.dropped > 0
        assert len(line.invites) == 5
        assert line.caller.stats.active_dialogs == line.callee.stats.active_dialogs == 0


async def test_a_port_that_is_taken_is_told() -> None:
    """PortTakenError names the port and can be retried."""
    async with ends() as line:
        other = SipEndpoint(LoopClock())
        with pytest.raises(PortTakenError, match=str(line.caller.port)) as caught:
            await other.start(LOOPBACK, line.caller.port)
        assert caught.value.retryable
        await other.close()


async def test_a_tcp_port_that_is_taken_is_told() -> None:
    """The UDP socket that was open already is released."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        endpoint = SipEndpoint(LoopClock())
        with pytest.raises(PortTakenError, match="TCP"):
            await endpoint.start(LOOPBACK, port, tcp=True)
        udp_only = SipEndpoint(LoopClock())
        await udp_only.start(LOOPBACK, port)
        await udp_only.close()
        await endpoint.close()


async def test_an_address_that_is_not_ours_is_told() -> None:
    """StartError with a fix, no traceback of a socket."""
    endpoint = SipEndpoint(LoopClock())
    with pytest.raises(StartError) as caught:
        await endpoint.start("192.0.2.1")
    assert caught.value.field == "listen_ip"
    await endpoint.close()


async def test_all_interfaces_need_an_address_to_announce() -> None:
    """0.0.0.0 says nothing to a peer; with advertised_host it is fine."""
    endpoint = SipEndpoint(LoopClock())
    with pytest.raises(ConfigError, match="nat_1_to_1_ip"):
        await endpoint.start("0.0.0.0")
    await endpoint.start("0.0.0.0", advertised_host="198.51.100.1")
    assert endpoint.contact() == f"<sip:198.51.100.1:{endpoint.port}>"
    await endpoint.close()


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("sip:a@name.invalid", "does not resolve"),
        ("sip:a@[::1]", "IPv6"),
        ("sips:a@127.0.0.1", "sips"),
        ("tel:+1555", "tel"),
        ("sip:a@127.0.0.1;transport=tls", "TLS"),
        ("sip:a@127.0.0.1;transport=tcp", "TCP"),
    ],
)
async def test_an_address_that_cannot_be_reached_is_told_before_anything_is_sent(uri: str, says: str) -> None:
    """SipError from invite(), in words."""
    async with ends() as line:
        with pytest.raises(SipError, match=says):
            await line.caller.invite(OutgoingInviteRequest(SipUri.parse(uri), NameAddr("", SipUri("a", "h"))))
        assert line.caller.stats.active_transactions == 0


async def test_a_name_is_looked_up() -> None:
    """localhost is this machine; its port is kept."""
    async with ends() as line:
        hop = await resolve(SipUri(None, "localhost", 5099), line.caller.stack.transports)
        assert hop.address == (LOOPBACK, 5099)


async def test_a_peer_may_name_itself_by_a_name() -> None:
    """ACK and BYE to a Contact that is a host name wait for its lookup and arrive in order, every time."""
    clock = LoopClock()
    caller, callee = SipEndpoint(clock), SipEndpoint(clock)
    await caller.start(LOOPBACK, advertised_host="localhost")
    await callee.start(LOOPBACK, advertised_host="localhost")
    try:
        line = Ends(caller, callee)
        for number in range(10):
            await line.call_and_release()
            assert line.invites[number].acked.is_set()
        assert "@localhost:" in str(line.sessions[0].dialog.remote_target)
    finally:
        await caller.close()
        await callee.close()


async def test_a_request_longer_than_a_datagram_is_refused() -> None:
    """Instead of vanishing in the socket."""
    async with ends() as line:
        with pytest.raises(SipError, match="datagram"):
            await line.caller.invite(line.wanted(body=b"x" * 70_000))


async def test_a_datagram_that_cannot_be_sent_harms_nothing() -> None:
    """send never raises, whatever the address, and neither after close; what can be sent still arrives."""
    got: list[bytes] = []
    transport = await UdpTransport.open(LOOPBACK, 0, lambda data, _source, _transport: got.append(data))
    transport.send(b"x", ("255.255.255.255", 9))
    transport.send(b"x", (LOOPBACK, 0))
    transport.send(b"x" * 70_000, (LOOPBACK, 9))
    transport.send(b"good", transport.local)
    await until(lambda: got == [b"good"])
    await transport.close()
    transport.send(b"x", (LOOPBACK, 9))
    await transport.close()


# TCP


async def test_a_call_over_tcp() -> None:
    """Via and Contact say TCP, one connection carries both calls of the caller."""
    async with ends(tcp=True) as line:
        for _ in range(2):
            await line.call_and_release("tcp")
        invite = line.invites[0].request
        assert invite.via.protocol == "TCP"
        assert "transport=tcp" in (invite.headers.get("Contact") or "")
        tcp = line.caller.stack.transports["TCP"]
        assert isinstance(tcp, TcpTransport)
        assert tcp.connections == 1


async def test_a_long_request_goes_by_tcp() -> None:
    """Section 18.1.1: above 1300 bytes, although nobody asked for TCP."""
    async with ends(tcp=True) as line:
        await line.call_and_release(body=b"x" * 1400)
        assert line.invites[0].request.via.protocol == "TCP"


async def test_a_long_request_falls_back_to_udp() -> None:
    """Where nobody listens on TCP it goes by UDP, once."""
    async with ends(tcp=True, callee_tcp=False) as line:
        await line.call_and_release(body=b"x" * 1400)
        assert [invite.request.via.protocol for invite in line.invites] == ["UDP"]


async def test_a_refused_connection_fails_the_call_at_once() -> None:
    """Not after 32 s."""
    async with ends(tcp=True, callee_tcp=False) as line:
        outgoing = await line.caller.invite(line.wanted("tcp"))
        with pytest.raises(SipError, match="no connection"):
            await outgoing.final(5)


@asynccontextmanager
async def connected(to: Address) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*to)
    try:
        yield reader, writer
    finally:
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the other end closes the connection, in whatever way, within 5 s."""
    try:
        while await asyncio.wait_for(reader.read(4096), PATIENCE * 5):
            pass
    except ConnectionResetError:
        return True
    return True


async def test_a_stream_is_cut_and_pinged() -> None:
    """A double CRLF gets a single one; two requests in three pieces get two answers."""
    async with ends(tcp=True) as line, connected((LOOPBACK, line.callee.port)) as (reader, writer):
        writer.write(b"\r\n\r\n")
        assert await asyncio.wait_for(reader.readexactly(2), PATIENCE * 5) == b"\r\n"
        via = "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK"
        stream = b"".join(request_bytes("OPTIONS", via=f"{via}{n}", call_id=str(n)) for n in range(2))
        for piece in (stream[:100], stream[100:500], stream[500:]):
            writer.write(piece)
            await writer.drain()
        for number in range(2):
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE * 5)
            assert answer.startswith(b"SIP/2.0 200 ")
            assert f"Call-ID: {number}\r\n".encode() in answer


async def test_a_stream_that_cannot_be_cut_is_closed() -> None:
    """It counts as malformed; other connections live."""
    async with ends(tcp=True) as line:
        async with connected((LOOPBACK, line.callee.port)) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await ended(reader)
        assert line.callee.stats.malformed == 1
        await line.call_and_release("tcp")


async def test_a_half_message_does_not_hold_its_connection() -> None:
    """Its rest must come within 32 s; silence for a quarter of an hour closes any connection."""
    clock = ManualClock()
    got: list[bytes] = []

    def on_message(data: bytes, _source: Address, _transport: Transport) -> None:
        got.append(data)

    transport = await TcpTransport.open(LOOPBACK, 0, clock, on_message)
    message = request_bytes("OPTIONS")
    try:
        for sent, patience in ((message[:40], 33.0), (message, 901.0)):
            async with connected(transport.local) as (reader, writer):
                writer.write(sent)
                async with limit(5):
                    while clock.pending < 2 if sent != message else not got:
                        await asyncio.sleep(0.01)
                assert transport.connections == 1
                clock.advance(patience)
                assert await ended(reader)
                assert transport.connections == 0
        assert got == [message]
    finally:
        await transport.close()
    assert clock.pending == 0


async def test_a_connection_that_a_call_needs_outlasts_silence() -> None:
    """A phone behind a translator says nothing for hours and can be hung up on all the same."""
    clock = ManualClock()
    transport = await TcpTransport.open(LOOPBACK, 0, clock, lambda *_: None)
    needed = [True]
    transport.needed = lambda _: needed[0]
    try:
        async with connected(transport.local) as (reader, _):
            async with limit(5):
                while not transport.connections:
                    await asyncio.sleep(0.01)
            for _ in range(5):
                clock.advance(901)
            assert transport.connections == 1
            needed[0] = False
            clock.advance(901)
            assert await ended(reader)
    finally:
        await transport.close()
    assert clock.pending == 0


async def test_who_connects_keeps_the_connection_alive() -> None:
    """A ping every two minutes, answered by the other end, which sends none of its own."""
    clock = ManualClock()
    got: list[bytes] = []
    listening = asyncio.Queue[asyncio.StreamReader]()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await listening.put(reader)
        while data := await reader.read(4096):
            got.append(data)
            if data == PING:
                writer.write(PONG)
        writer.close()

    server = await asyncio.start_server(peer, LOOPBACK, 0)
    transport = await TcpTransport.open(LOOPBACK, 0, clock, lambda *_: None)
    try:
        message = request_bytes("OPTIONS")
        transport.send(message, server.sockets[0].getsockname()[:2])
        async with limit(5):
            await listening.get()
            for number in range(12):
                while len(got) <= number:
                    await asyncio.sleep(0.01)
                # Its pong has come when the timer of silence was set anew.
                await asyncio.sleep(0.02)
                clock.advance(120)
        assert got == [message, *[PING] * 11]
        assert transport.connections == 1
    finally:
        await transport.close()
        server.close()
        await server.wait_closed()
    assert clock.pending == 0


async def test_what_was_sent_while_connecting_is_sent_in_order() -> None:
    """Messages queue behind the connection that is being made."""
    got: list[bytes] = []

    def on_message(data: bytes, _source: Address, _transport: Transport) -> None:
        got.append(data)

    clock = LoopClock()
    one = await TcpTransport.open(LOOPBACK, 0, clock, on_message)
    two = await TcpTransport.open(LOOPBACK, 0, clock, on_message)
    try:
        messages = [request_bytes("OPTIONS", call_id=str(number)) for number in range(5)]
        for message in messages:
            one.send(message, two.local)
        async with limit(5):
            while len(got) < 5:
                await asyncio.sleep(0.01)
        assert got == messages
    finally:
        await one.close()
        await two.close()
        await two.close()
    one.send(b"x", two.local)
