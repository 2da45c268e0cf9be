"""Transactions over transports: what the user agent core stands on (RFC 3261 sections 17 and 18).

Guarantee: nothing that comes in raises out of the socket's callback; a datagram that is not SIP is
counted and gets no answer; ``close`` leaves no timer, no task and no socket.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.errors import ConfigError, PortTakenError, SipError, SipParseError, StartError
from telephony.logs import get_logger
from telephony.sip.identifiers import new_branch
from telephony.sip.message import SipRequest, SipResponse, split_message, understand
from telephony.sip.routing import Hop
from telephony.sip.rules import check_request, check_response, refusal, response_to
from telephony.sip.sending import Sending
from telephony.sip.tcp import TcpTransport
from telephony.sip.transaction import Timers, TransactionLayer
from telephony.sip.transport import Loss, Transport, UdpTransport
from telephony.sip.uri import SipUri
from telephony.sip.via import Address, Via

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from telephony.clock import Clock
    from telephony.sip.grammar import Params

log = get_logger(__name__)

MAX_TRANSACTIONS = 20_000
"""Above this many transactions new requests get 503 and nothing is kept of them."""
_CLOSE_S = 2.0
_PORT_TRIES = 10
_WILDCARD = "0.0.0.0"  # noqa: S104 - compared with, not bound


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
        self.on_request: Callable[[SipRequest, Hop], None] = lambda _request, _hop: None
        self.on_stray_response: Callable[[SipResponse], None] = lambda _response: None
        self.on_malformed: Callable[[bytes, Address], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    @property
    def timers(self) -> Timers:
        """The timer values in use."""
        return self.layer.timers

    @property
    def port(self) -> int:
        """The port that is listened on, the same for every transport."""
        return next(iter(self.transports.values())).local[1]

    async def open(
        self, host: str, port: int, advertised_host: str | None, loss: Loss | None, *, tcp: bool
    ) -> None:
        """Open UDP, and TCP on the same port where it is wanted.

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
        tries = 1 if port else _PORT_TRIES
        while True:
            tries -= 1
            udp = await UdpTransport.open(host, port, self._received, loss=loss)
            try:
                stream = (
                    await TcpTransport.open(host, udp.local[1], self.clock, self._received) if tcp else None
                )
            except StartError as error:
                await udp.close()
                # A port that was free for UDP need not be free for TCP; with port 0 another one will do.
                if not tries or not isinstance(error, PortTakenError):
                    raise
                continue
            break
        for transport in (udp, stream):
            if transport is not None:
                self.add(transport)

    def add(self, transport: Transport) -> None:
        """Use one more transport."""
        transport.on_message = self._received
        transport.on_malformed = self._count_malformed
        transport.on_failure = lambda address, why, sent: self._failed(Hop(transport, address), why, sent)
        self.transports[transport.protocol] = transport

    def contact(self, user: str | None, protocol: str = "UDP") -> str:
        """A Contact value that leads to this end."""
        params: Params = {} if protocol == "UDP" else {"transport": protocol.lower()}
        return f"<{SipUri(user or None, self.host, self.port, params)}>"

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a task that this object owns until ``close``."""
        if self._closed:
            work.close()
            return
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
    ) -> Sending:
        """Send a request in a transaction of its own; one without a Via gets ours.

        A request above 1300 bytes goes by TCP where it is open, and back by UDP if no connection stands.

        Raises:
            SipError: the endpoint is closed, or the request is longer than a datagram.
        """
        if self._closed:
            raise SipError("the SIP endpoint is closed")
        sending = Sending(self, request, hop, on_response, on_failure)
        sending.start()
        return sending

    # Receiving

    def _failed(self, hop: Hop, why: str, maybe_sent: bool) -> None:
        error = SipError(f"no connection: {why}", field=hop.address[0], retryable=not maybe_sent)
        self.layer.fail_peer(hop, error)

    def _received(self, data: bytes, source: Address, transport: Transport) -> None:
        if self._closed:
            return
        if not data.strip(b"\r\n\x00 "):
            self.keepalives += 1
            return
        try:
            self._take(data, source, transport)
        except SipParseError as error:
            log.debug("sip_malformed", source=source[0], bytes=len(data), error=str(error))
            self._count_malformed(data, source)
        except Exception:
            # The socket's callback must survive whatever a handler does; the peer's own timers end the call.
            log.exception("sip_message_failed", source=source[0])

    def _count_malformed(self, data: bytes, source: Address) -> None:
        self.malformed += 1
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
        if self.layer.receive_repeated(request):
            return
        hop = Hop(transport, _reply_to(stamped, source, transport))
        if self.layer.total >= MAX_TRANSACTIONS:
            if request.method != "ACK":
                busy = response_to(request, 503, headers=[("Retry-After", "30")])
                transport.send(busy.to_bytes(), hop.address)
            return
        self.on_request(request, hop)


def _reply_to(via: Via, source: Address, transport: Transport) -> Address:
    return source if transport.reliable else via.stamped(source).reply_address()
