"""SIP over TCP: connections kept and reused by address (RFC 3261 section 18, RFC 5626 section 3.5.1).

Guarantee: one connection a peer address; a peer that sends half a message, that does not read, or
that says nothing for long loses its connection, and memory per connection is bounded.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from telephony.errors import SipParseError
from telephony.logs import get_logger
from telephony.sip.framing import StreamFramer
from telephony.sip.timers import NamedTimers
from telephony.sip.transport import opening_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock
    from telephony.sip.transport import Transport
    from telephony.sip.via import Address

log = get_logger(__name__)

MAX_CONNECTIONS = 1024
PING, PONG = b"\r\n\r\n", b"\r\n"
_PING_S = 120.0
_CONNECT_S = 5.0
_PARTIAL_S = 32.0
_IDLE_S = 900.0
_CLOSE_S = 1.0
_MAX_UNSENT = 1 << 20


class _Connection(asyncio.Protocol):
    """One connection, ours or the peer's."""

    def __init__(self, owner: TcpTransport, clock: Clock, *, ours: bool = False) -> None:
        self._owner = owner
        self._ours = ours
        self._framer = StreamFramer()
        self._timers = NamedTimers(clock)
        self._transport: asyncio.Transport | None = None
        self.peer: Address = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        host, port = transport.get_extra_info("peername")[:2]
        self.peer = (host, port)
        self._timers.start("idle", _IDLE_S, self._idle)
        self._owner.opened(self)
        if self._ours:
            self._timers.start("ping", _PING_S, self._ping)

    def _idle(self) -> None:
        if self._owner.needed(self.peer):
            self._timers.start("idle", _IDLE_S, self._idle)
        else:
            self.abort()

    def _ping(self) -> None:
        # Whoever connects keeps translators and the peer from forgetting it (RFC 5626 section 4.4.1).
        self.send(PING)
        self._timers.start("ping", _PING_S, self._ping)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timers.stop_all()
        self._owner.lost(self, exc)

    def data_received(self, data: bytes) -> None:
        self._timers.start("idle", _IDLE_S, self._idle)
        try:
            messages = self._framer.feed(data)
        except SipParseError as error:
            log.info("sip_stream_unreadable", source=self.peer[0], error=str(error))
            self._owner.on_malformed(data, self.peer)
            self.abort()
            return
        for _ in range(self._framer.take_pings()):
            if not self._ours:
                self.send(PONG)
        for message in messages:
            self._owner.on_message(message, self.peer, self._owner)
        if not self._framer.partial:
            self._timers.stop("partial")
        elif messages or not self._timers.runs("partial"):
            self._timers.start("partial", _PARTIAL_S, self.abort)

    def send(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > _MAX_UNSENT:
            log.info("sip_stream_not_read", source=self.peer[0])
            self.abort()
            return
        self._transport.write(data)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class TcpTransport:
    """Listens on one port and connects to peers as needed.

    Attributes:
        needed: whether a connection that has been silent for long must stay, since no other can be made to
            that peer: a phone behind a translator that is in a call.
    """

    protocol = "TCP"
    reliable = True

    def __init__(self, clock: Clock, on_message: Callable[[bytes, Address, Transport], None]) -> None:
        self.on_message = on_message
        self.on_failure: Callable[[Address, str, bool], None] = lambda _address, _why, _sent: None
        self.on_malformed: Callable[[bytes, Address], None] = lambda _data, _source: None
        self.needed: Callable[[Address], bool] = lambda _: False
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._local: Address = ("", 0)
        self._connections: dict[Address, _Connection] = {}
        self._unsent: dict[Address, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._all_lost = asyncio.Event()
        self._closed = False

    @classmethod
    async def open(
        cls, host: str, port: int, clock: Clock, on_message: Callable[[bytes, Address, Transport], None]
    ) -> TcpTransport:
        """Listen; port 0 takes any free one.

        Raises:
            PortTakenError: the port is in use.
            StartError: the address is not this machine's, or the port is not allowed.
        """
        transport = cls(clock, on_message)
        loop = asyncio.get_running_loop()
        try:
            transport._server = await loop.create_server(lambda: _Connection(transport, clock), host, port)
        except OSError as error:
            raise opening_error(error, cls.protocol, host, port) from error
        transport._local = transport._server.sockets[0].getsockname()[:2]
        return transport

    @property
    def local(self) -> Address:
        return self._local

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def opened(self, connection: _Connection) -> None:
        """A connection stands, whoever made it."""
        if self._closed or len(self._connections) >= MAX_CONNECTIONS:
            connection.abort()
            return
        self._connections[connection.peer] = connection

    def lost(self, connection: _Connection, error: Exception | None) -> None:
        """A connection is gone; if it was reset, requests that wait for an answer over it get none.

        After an orderly close the peer may still answer over a connection of its own (section 18.2.2).
        """
        if self._connections.get(connection.peer) is connection:
            del self._connections[connection.peer]
            if error is not None:
                self.on_failure(connection.peer, str(error), True)
        if not self._connections:
            self._all_lost.set()

    def send(self, data: bytes, to: Address) -> None:
        connection = self._connections.get(to)
        if connection is not None:
            connection.send(data)
        elif self._closed:
            return
        elif to in self._unsent:
            self._unsent[to].append(data)
        else:
            self._unsent[to] = [data]
            task = asyncio.get_running_loop().create_task(self._connect(to))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, to: Address) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await loop.create_connection(lambda: _Connection(self, self._clock, ours=True), *to)
        except (OSError, TimeoutError) as error:
            self._unsent.pop(to, None)
            why = "no answer within 5 s" if isinstance(error, TimeoutError) else str(error)
            self.on_failure(to, why, False)
            return
        unsent = self._unsent.pop(to, [])
        connection = self._connections.get(to)
        if connection is None:
            self.on_failure(to, "the connection was closed at once", False)
            return
        for data in unsent:
            connection.send(data)

    async def close(self) -> None:
        """Close all connections at once; bounded."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)
        for connection in list(self._connections.values()):
            connection.abort()
        if self._connections:
            self._all_lost.clear()
            await asyncio.wait_for(self._all_lost.wait(), _CLOSE_S)
