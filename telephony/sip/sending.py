"""A request of ours under way, and the choice between UDP and TCP for it (RFC 3261 section 18.1.1).

Guarantee: a request falls back from TCP to UDP only when no connection stood, so that nothing can
have reached the peer: a second INVITE would ring a second time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.errors import SipError, SipTimeoutError
from telephony.logs import get_logger
from telephony.sip.routing import Hop

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.sip.message import SipRequest, SipResponse
    from telephony.sip.stack import Stack
    from telephony.sip.transaction import ClientTransaction

log = get_logger(__name__)

LARGEST_ON_UDP = 1300
"""Requests above this many bytes go by TCP where it is open."""
_LARGEST_DATAGRAM = 65_507


class Sending:
    """One request and its client transaction; after a fall back the transaction is another one.

    Attributes:
        hop: where the request went.
        transaction: the one that waits for the responses.
    """

    def __init__(
        self,
        stack: Stack,
        request: SipRequest,
        hop: Hop,
        on_response: Callable[[SipResponse], None],
        on_failure: Callable[[SipError], None],
    ) -> None:
        self.hop = hop
        self.transaction: ClientTransaction | None = None
        self._stack = stack
        self._request = request
        self._on_response = on_response
        self._on_failure = on_failure

    @property
    def request(self) -> SipRequest:
        """The request as it was sent, our Via included."""
        assert self.transaction is not None
        return self.transaction.request

    def start(self) -> None:
        """Send the request.

        Raises:
            SipError: it is longer than a datagram.
        """
        if "Via" in self._request.headers:
            # A CANCEL: it goes the way of its INVITE, with the Via of its INVITE.
            self._start(self._request, self.hop, self._on_failure)
            return
        stamped = self._stamped(self.hop)
        tcp = self._stack.transports.get("TCP")
        if tcp is not None and not self.hop.transport.reliable and len(stamped.to_bytes()) > LARGEST_ON_UDP:
            by_udp, by_tcp = self.hop, Hop(tcp, self.hop.address)
            self._start(self._stamped(by_tcp), by_tcp, lambda error: self._fall_back(by_udp, error))
        else:
            self._start(stamped, self.hop, self._on_failure)

    def terminate(self) -> None:
        """Wait for no response any more."""
        if self.transaction is not None:
            self.transaction.terminate()

    def _stamped(self, hop: Hop) -> SipRequest:
        request = self._request.copy()
        self._stack.stamp(request, hop.transport)
        return request

    def _fall_back(self, hop: Hop, error: SipError) -> None:
        if self._stack.closed or isinstance(error, SipTimeoutError) or not error.retryable:
            self._on_failure(error)
            return
        log.info("sip_fell_back_to_udp", address=hop.address[0], error=error.message)
        try:
            self._start(self._stamped(hop), hop, self._on_failure)
        except SipError as too_long:
            self._on_failure(too_long)

    def _start(self, request: SipRequest, hop: Hop, on_failure: Callable[[SipError], None]) -> None:
        if not hop.transport.reliable and len(request.to_bytes()) > _LARGEST_DATAGRAM:
            raise SipError("the request is longer than a datagram can be", field=request.method)
        self.hop = hop
        self.transaction = self._stack.layer.start_client(
            request,
            reliable=hop.transport.reliable,
            send=lambda data: hop.transport.send(data, hop.address),
            on_response=self._on_response,
            on_failure=on_failure,
            peer=hop,
        )
