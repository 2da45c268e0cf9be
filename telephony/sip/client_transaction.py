"""Client transactions: one request, its retransmissions and its responses (RFC 3261 section 17.1, RFC 6026).

Sans-I/O: bytes leave through a callback, time comes from a clock. Guarantee: the user hears each
provisional as it comes, then either a final response (for INVITE every 2xx) or one failure; no timer
is left when the transaction has terminated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from telephony.errors import SipError, SipTimeoutError
from telephony.sip.message import SipRequest, SipResponse
from telephony.sip.timers import NamedTimers, Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from telephony.clock import Clock

ClientKey = tuple[str, str]
"""Branch and CSeq method (section 17.1.3)."""


class ClientState(Enum):
    """States of both kinds of client transaction."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


_WAITING = (ClientState.CALLING, ClientState.TRYING, ClientState.PROCEEDING)


@dataclass(slots=True)
class Surroundings:
    """What every transaction of one layer shares."""

    clock: Clock
    timers: Timers = field(default_factory=Timers)
    retransmitted: Callable[[], None] = lambda: None
    """Called for each repetition of ours."""


class ClientTransaction:
    """A non-INVITE client transaction (section 17.1.2); the INVITE kind derives from it.

    Args:
        request: complete, with its own Via on top.
        reliable: whether the transport repeats by itself, which switches repetition off.
        send: puts bytes on the wire to the request's next hop.
        on_response: every response that the user shall see.
        on_failure: Timer B or F ran out, or the transport failed; at most once, never after a final response.
        on_terminated: the layer forgets the transaction.
    """

    first_state = ClientState.TRYING

    def __init__(
        self,
        request: SipRequest,
        *,
        around: Surroundings,
        reliable: bool,
        send: Callable[[bytes], None],
        on_response: Callable[[SipResponse], None],
        on_failure: Callable[[SipError], None],
        on_terminated: Callable[[ClientTransaction], None],
    ) -> None:
        self.request = request
        self.peer: Hashable = None
        self.key: ClientKey = (request.via.branch, request.cseq.method)
        self.state = self.first_state
        self._reliable = reliable
        self._around = around
        self._values = around.timers
        self._timers = NamedTimers(around.clock)
        self._send = send
        self._data = request.to_bytes()
        self._on_response = on_response
        self._on_failure = on_failure
        self._on_terminated = on_terminated

    @property
    def waiting(self) -> bool:
        """Whether a final response is still to come."""
        return self.state in _WAITING

    def start(self) -> None:
        """Send the request and start the timers."""
        # The timers first: a transport that fails at once ends the transaction inside send().
        self._timers.start("F", self._values.timeout, self._timed_out)
        if not self._reliable:
            self._repeat_after(self._values.t1)
        self._send(self._data)

    def _repeat_after(self, interval: float) -> None:
        self._timers.start("E", interval, lambda: self._repeat(interval))

    def _repeat(self, interval: float) -> None:
        proceeding = self.state is ClientState.PROCEEDING
        self._repeat_after(self._values.t2 if proceeding else min(2 * interval, self._values.t2))
        self._around.retransmitted()
        self._send(self._data)

    def receive(self, response: SipResponse) -> None:
        """Take a response that matches the key."""
        if not self.waiting:
            return
        if response.status < 200:
            self.state = ClientState.PROCEEDING
            self._on_response(response)
            return
        self._timers.stop("E", "F")
        self.state = ClientState.COMPLETED
        self._linger("K", self._values.t4)
        self._on_response(response)

    def _linger(self, name: str, delay_s: float) -> None:
        if self._reliable:
            self.terminate()
        else:
            self._timers.start(name, delay_s, self.terminate)

    def _timed_out(self) -> None:
        seconds = round(self._values.timeout)
        self.fail(
            SipTimeoutError(
                f"no final response to {self.request.method} within {seconds} s",
                field=self.request.method,
                fix="Check that the address is right and that the peer listens there.",
                # A peer that did not answer an INVITE may have rung all the same.
                retryable=self.request.method != "INVITE",
            )
        )

    def fail(self, error: SipError) -> None:
        """End without a final response; the user is told unless it had one."""
        waiting = self.waiting
        self.terminate()
        if waiting:
            self._on_failure(error)

    def terminate(self) -> None:
        """Stop all timers and leave the layer; harmless when done already."""
        self._timers.stop_all()
        if self.state is not ClientState.TERMINATED:
            self.state = ClientState.TERMINATED
            self._on_terminated(self)


class InviteClientTransaction(ClientTransaction):
    """An INVITE client transaction (section 17.1.1) with the Accepted state of RFC 6026."""

    first_state = ClientState.CALLING
    _ack: bytes | None = None

    def start(self) -> None:
        self._timers.start("B", self._values.timeout, self._timed_out)
        if not self._reliable:
            self._call_again_after(self._values.t1)
        self._send(self._data)

    def _call_again_after(self, interval: float) -> None:
        def repeat() -> None:
            # Timer A has no ceiling, unlike timer E.
            self._call_again_after(2 * interval)
            self._around.retransmitted()
            self._send(self._data)

        self._timers.start("A", interval, repeat)

    def receive(self, response: SipResponse) -> None:
        if self.state in (ClientState.CALLING, ClientState.PROCEEDING):
            self._receive_waiting(response)
        elif self.state is ClientState.COMPLETED and response.status >= 300:
            self._acknowledge(response)
        elif self.state is ClientState.ACCEPTED and 200 <= response.status < 300:
            # Each 2xx goes up: the user repeats its ACK, or hangs up a second branch of a forked call.
            self._on_response(response)

    def _receive_waiting(self, response: SipResponse) -> None:
        self._timers.stop("A", "B")
        if response.status < 200:
            self.state = ClientState.PROCEEDING
            self._on_response(response)
        elif response.status < 300:
            self.state = ClientState.ACCEPTED
            self._timers.start("M", self._values.timeout, self.terminate)
            self._on_response(response)
        else:
            self.state = ClientState.COMPLETED
            self._acknowledge(response)
            self._linger("D", self._values.timeout)
            self._on_response(response)

    def _acknowledge(self, response: SipResponse) -> None:
        if self._ack is None:
            self._ack = build_ack(self.request, response).to_bytes()
        self._send(self._ack)


def build_ack(invite: SipRequest, response: SipResponse) -> SipRequest:
    """The ACK to a final response of 300 or above: same branch as the INVITE (section 17.1.1.3)."""
    ack = _same_transaction(invite, "ACK")
    ack.headers.set("To", response.headers.get("To") or invite.headers.get("To") or "")
    return ack


def build_cancel(invite: SipRequest) -> SipRequest:
    """The CANCEL of an INVITE: same branch, Request-URI and routes (section 9.1)."""
    return _same_transaction(invite, "CANCEL")


def _same_transaction(invite: SipRequest, method: str) -> SipRequest:
    request = SipRequest(method, invite.uri)
    headers = request.headers
    headers.add("Via", str(invite.via))
    headers.add("Max-Forwards", "70")
    for name in ("Route", "From", "To", "Call-ID"):
        headers.extend((name, value) for value in invite.headers.get_all(name))
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    for name in ("User-Agent", "Authorization", "Proxy-Authorization"):
        if method == "ACK" or name == "User-Agent":
            headers.extend((name, value) for value in invite.headers.get_all(name))
    return request
