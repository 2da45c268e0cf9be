"""Transports: bytes of one message to and from an address (RFC 3261 section 18).

``reliable`` tells the transaction layer whether it must repeat. A transport never raises from
``send``: what cannot be sent is lost, as on the wire, and reported through ``on_failure`` where
the transport can know.
"""

from __future__ import annotations

import asyncio
import errno
import random
from typing import TYPE_CHECKING, Protocol, cast

from telephony.errors import PortTakenError, StartError
from telephony.logs import get_logger
from telephony.sip.via import Address

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Address", "Loss", "Transport", "UdpTransport", "opening_error"]

log = get_logger(__name__)


class Transport(Protocol):
    """What carries messages: one implementation a protocol."""

    protocol: str
    """As in Via: ``UDP``, ``TCP``."""
    reliable: bool
    on_message: Callable[[bytes, Address, Transport], None]
    """One datagram, or one message cut from a stream, with where it came from."""
    on_failure: Callable[[Address, str, bool], None]
    """A connection to that address failed: why, and whether something may have reached the peer."""
    on_malformed: Callable[[bytes, Address], None]
    """A stream whose messages cannot be told apart any more was closed."""

    @property
    def local(self) -> Address:
        """The address that is listened on."""

    def send(self, data: bytes, to: Address) -> None:
        """Send one message; never blocks and never raises."""

    async def close(self) -> None:
        """Release socket and tasks; bounded."""


class Loss:
    """Seeded loss for tests: each datagram is dropped with a given probability, per direction.

    Args:
        seed: the same seed drops the same datagrams in the same order.
        inbound, outbound: probability from 0 to 1.
    """

    def __init__(self, seed: int, *, inbound: float = 0.0, outbound: float = 0.0) -> None:
        self._random = random.Random(seed)
        self._inbound = inbound
        self._outbound = outbound
        self.dropped = 0

    def drops_inbound(self) -> bool:
        """Whether the datagram that just came is to be lost."""
        return self._drops(self._inbound)

    def drops_outbound(self) -> bool:
        """Whether the datagram about to be sent is to be lost."""
        return self._drops(self._outbound)

    def _drops(self, probability: float) -> bool:
        dropped = self._random.random() < probability
        self.dropped += dropped
        return dropped


def opening_error(error: OSError, protocol: str, host: str, port: int) -> StartError:
    """The error of ours for a socket that could not be opened."""
    if error.errno == errno.EADDRINUSE:
        return PortTakenError(
            f"{protocol} port {port} on {host} is in use",
            field="sip_port",
            fix="Stop the program that uses it, or choose another port.",
            retryable=True,
        )
    return StartError(
        f"cannot listen on {protocol} {host}:{port}: {error.strerror or error}",
        field="listen_ip",
        fix="Use an IPv4 address of this machine and a port that this user may open.",
    )


class UdpTransport(asyncio.DatagramProtocol):
    """SIP over UDP: one socket for all peers."""

    protocol = "UDP"
    reliable = False

    def __init__(
        self, on_message: Callable[[bytes, Address, Transport], None], loss: Loss | None = None
    ) -> None:
        self.on_message = on_message
        self.on_failure: Callable[[Address, str, bool], None] = lambda _address, _why, _sent: None
        self.on_malformed: Callable[[bytes, Address], None] = lambda _data, _source: None
        self.loss = loss
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        on_message: Callable[[bytes, Address, Transport], None],
        *,
        loss: Loss | None = None,
    ) -> UdpTransport:
        """Bind a socket; port 0 takes any free one.

        Raises:
            PortTakenError: the port is in use.
            StartError: the address is not this machine's, or the port is not allowed.
        """
        loop = asyncio.get_running_loop()
        try:
            _, transport = await loop.create_datagram_endpoint(
                lambda: cls(on_message, loss), local_addr=(host, port)
            )
        except OSError as error:
            raise opening_error(error, cls.protocol, host, port) from error
        return transport

    @property
    def local(self) -> Address:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        if self.loss is not None and self.loss.drops_inbound():
            return
        self.on_message(data, (str(addr[0]), int(addr[1])), self)

    def error_received(self, exc: Exception) -> None:
        log.info("sip_socket_error", error=str(exc))

    def send(self, data: bytes, to: Address) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self.loss is not None and self.loss.drops_outbound():
            return
        try:
            self._transport.sendto(data, to)
        except (OSError, ValueError) as error:
            # An address that the kernel refuses: as good as lost, and the transaction's timers say so.
            log.warning("sip_send_failed", address=to[0], bytes=len(data), error=str(error))

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            await asyncio.wait_for(self._closed.wait(), 1.0)
