"""Transactions over transports: what the user agent core stands on (RFC 3261 sections 17 and 18).

Guarantee: nothing that comes in raises out of the socket's callback; a datagram that is not SIP is
counted and gets no answer; ``close`` leaves no timer, no task and no socket.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, NamedTuple

from telephony.errors import ConfigError, SipError, SipParseError
from telephony.logs import get_logger
from telephony.sip.identifiers import new_branch
from telephony.sip.message import SipRequest, SipResponse, split_message, understand
from telephony.sip.rules import check_request, check_response, refusal
from telephony.sip.transaction import ClientTransaction, Timers, TransactionLayer
from telephony.sip.transport import Loss, Transport, UdpTransport
from telephony.sip.uri import SipUri
from telephony.sip.via import DEFAULT_PORT, Address, Via

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from telephony.clock import Clock
    from telephony.sip.grammar import Params

log = get_logger(__name__)

_LARGEST_ON_UDP = 1300
"""Requests above this go by TCP where it is there (section 18.1.1)."""
_LARGEST_DATAGRAM = 65_507
_RESOLVE_S = 5.0
_CLOSE_S = 2.0
_WILDCARD = "0.0.0.0"  # noqa: S104 - compared with, not bound


class Hop(NamedTuple):
    """Where a request goes next."""

    transport: Transport
    address: Address


def never(_request: SipRequest, _hop: Hop) -> None:
    """Stand-in before the core has said who takes requests."""


class Stack:
    """One user agent's transports and transactions."""

    def __init__(self, clock: Clock, user_agent: str, timers: Timers | None = None) -> None:
        self.clock = clock
        self.user_agent = user_agent
        self.layer = TransactionLayer(clock, timers)
        self.transports: dict[str, Transport] = {}
        self.host = ""
        self.malformed = 0
        self.keepalives = 0
        self.on_request: Callable[[SipRequest, Hop], None] = never
        self.on_stray_response: Callable[[SipResponse], None] = lambda _response: None
        self.on_malformed: Callable[[bytes, Address], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def timers(self) -> Timers:
        """The timer values in use."""
        return self.layer.timers

    @property
    def port(self) -> int:
        """The port that is listened on, the same for every transport."""
        return next(iter(self.transports.values())).local[1]

    async def open(self, host: str, port: int, advertised_host: str | None, loss: Loss | None) -> None:
        """Open the transports.

        Raises:
            ConfigError: all interfaces are listened on and no address is given to announce.
            StartError: a socket could not be opened.
        """
        if host == _WILDCARD and not advertised_host:
            raise ConfigError(
                "listening on all interfaces leaves open which address peers are told",
                field="nat_1_to_1_ip",
                fix="Set it, or listen on one address.",
            )
        self.host = advertised_host or host
        self.add(await UdpTransport.open(host, port, self._received, loss=loss))

    def add(self, transport: Transport) -> None:
        """Use one more transport."""
        transport.on_message = self._received
        transport.on_failure = lambda address, why: self._lost(Hop(transport, address), why)
        self.transports[transport.protocol] = transport

    def contact(self, user: str | None, protocol: str = "UDP") -> str:
        """A Contact value that leads to this end."""
        params: Params = {} if protocol == "UDP" else {"transport": protocol.lower()}
        return f"<{SipUri(user or None, self.host, self.port, params)}>"

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that this object owns until ``close``."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("sip_task_failed", error=repr(task.exception()))

    async def close(self) -> None:
        """End all transactions, cancel all tasks, close all sockets; within a few seconds."""
        self._closed = True
        self.layer.close(SipError("the SIP endpoint was closed"))
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)
        for transport in self.transports.values():
            await transport.close()

    # Sending

    def hop_now(self, uri: SipUri) -> Hop | None:
        """The next hop where it can be said without asking the name service, else None.

        Raises:
            SipError: it cannot be reached from here: no sip URI, IPv6, TLS, or a transport that is not open.
        """
        if not uri.is_sip or uri.scheme == "sips":
            raise SipError(f"{uri.scheme} addresses cannot be called from here", field="uri")
        protocol = uri.transport or "UDP"
        if protocol not in self.transports:
            raise SipError(
                f"transport {protocol[:8]} is not open here, {', '.join(self.transports)} is", field="uri"
            )
        if uri.host.startswith("["):
            raise SipError("IPv6 is not spoken here", field="uri", fix="Use an IPv4 address.")
        try:
            host = str(ipaddress.IPv4Address(uri.host))
        except ValueError:
            return None
        return Hop(self.transports[protocol], (host, uri.port or DEFAULT_PORT))

    async def resolve(self, uri: SipUri) -> Hop:
        """The next hop, by an A lookup where the host is a name.

        Raises:
            SipError: it cannot be reached from here, or the name does not resolve within 5 s.
        """
        hop = self.hop_now(uri)
        if hop is not None:
            return hop
        port = uri.port or DEFAULT_PORT
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_RESOLVE_S):
                found = await loop.getaddrinfo(uri.host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise SipError(
                f"the name {uri.host[:64]} does not resolve to an IPv4 address",
                field="uri",
                fix="Check its spelling and this machine's name service.",
                retryable=True,
            ) from error
        host = found[0][4][0]
        return Hop(self.transports[uri.transport or "UDP"], (str(host), port))

    def stamp(self, request: SipRequest, transport: Transport) -> None:
        """Put our Via on top, with a new branch, and our name where none is given."""
        via = Via(transport.protocol, self.host, self.port, {"branch": new_branch(), "rport": None})
        request.headers.prepend("Via", str(via))
        if "User-Agent" not in request.headers:
            request.headers.add("User-Agent", self.user_agent)

    def start_client(
        self,
        request: SipRequest,
        hop: Hop,
        *,
        on_response: Callable[[SipResponse], None],
        on_failure: Callable[[SipError], None],
    ) -> ClientTransaction:
        """Send a request in a transaction of its own; one without a Via gets ours.

        Raises:
            SipError: the endpoint is closed, or the request is longer than a datagram.
        """
        if self._closed:
            raise SipError("the SIP endpoint is closed")
        if "Via" not in request.headers:
            self.stamp(request, hop.transport)
        if not hop.transport.reliable and len(request.to_bytes()) > _LARGEST_DATAGRAM:
            raise SipError("the request is longer than a datagram can be", field=request.method)
        return self.layer.start_client(
            request,
            reliable=hop.transport.reliable,
            send=lambda data: hop.transport.send(data, hop.address),
            on_response=on_response,
            on_failure=on_failure,
            peer=hop,
        )

    # Receiving

    def _lost(self, hop: Hop, why: str) -> None:
        self.layer.fail_peer(hop, SipError(f"no connection: {why}", field=hop.address[0], retryable=True))

    def _received(self, data: bytes, source: Address, transport: Transport) -> None:
        if self._closed:
            return
        if not data.strip(b"\r\n\x00 "):
            self.keepalives += 1
            return
        try:
            self._take(data, source, transport)
        except SipParseError as error:
            self._count_malformed(data, source, error)
        except Exception:
            # The socket's callback must survive whatever a handler does; the peer's own timers end the call.
            log.exception("sip_message_failed", source=source[0])

    def _count_malformed(self, data: bytes, source: Address, error: SipParseError) -> None:
        self.malformed += 1
        log.debug("sip_malformed", source=source[0], bytes=len(data), error=str(error))
        if self.on_malformed is not None:
            self.on_malformed(data, source)

    def _take(self, data: bytes, source: Address, transport: Transport) -> None:
        raw = split_message(data)
        try:
            message = understand(raw)
            if isinstance(message, SipRequest):
                check_request(message)
        except SipParseError as error:
            refused = refusal(raw, error)
            if refused is not None:
                response, via = refused
                transport.send(response.to_bytes(), _reply_to(via, source, transport))
            raise
        if isinstance(message, SipResponse):
            self._take_response(message)
        else:
            self._take_request(message, source, transport)

    def _take_response(self, response: SipResponse) -> None:
        check_response(response)
        if len(response.vias) > 1:
            raise SipParseError("a response that reaches its sender has one", field="Via")
        if not self.layer.receive_response(response):
            self.on_stray_response(response)

    def _take_request(self, request: SipRequest, source: Address, transport: Transport) -> None:
        first, *others = request.headers.elements("Via")
        stamped = Via.parse(first).stamped(source)
        request.headers.remove("Via")
        for value in reversed([str(stamped), *others]):
            request.headers.prepend("Via", value)
        if not self.layer.receive_repeated(request):
            self.on_request(request, Hop(transport, _reply_to(stamped, source, transport)))


def _reply_to(via: Via, source: Address, transport: Transport) -> Address:
    if transport.reliable:
        return source
    return via.stamped(source).reply_address()
