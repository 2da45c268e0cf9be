"""Server transactions: one request, its repetitions and our responses (RFC 3261 section 17.2, RFC 6026).

Sans-I/O. Guarantee: a repeated request never reaches the user again; it is answered with what the
first one got, byte for byte. No timer is left when the transaction has terminated.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from telephony.sip.rules import response_to
from telephony.sip.timers import NamedTimers

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from telephony.sip.client_transaction import Surroundings
    from telephony.sip.message import SipRequest, SipResponse


class ServerState(Enum):
    """States of both kinds of server transaction."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


ServerKey = tuple["Hashable", ...]


def server_key(request: SipRequest, method: str | None = None) -> ServerKey:
    """What a request's repetitions have in common with it (section 17.2.3).

    Args:
        method: look for a transaction of this method instead, for CANCEL; an ACK looks for its INVITE.
    """
    via = request.via
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    if via.is_rfc3261:
        return (via.branch, via.sent_by, method)
    # Before RFC 3261 a branch need not be unique. Without the To tag: the ACK has ours, the INVITE has none.
    return (request.call_id, request.from_.tag, request.cseq.number, str(request.uri), via.sent_by, method)


class ServerTransaction:
    """A non-INVITE server transaction (section 17.2.2); the INVITE kind derives from it.

    Args:
        request: the first copy that came.
        reliable: whether the transport repeats by itself.
        send: puts bytes on the wire by the request's Via.
        on_terminated: the layer forgets the transaction.
    """

    def __init__(
        self,
        request: SipRequest,
        *,
        around: Surroundings,
        reliable: bool,
        send: Callable[[bytes], None],
        on_terminated: Callable[[ServerTransaction], None],
    ) -> None:
        self.request = request
        self.key = server_key(request)
        self.state = ServerState.TRYING
        self._reliable = reliable
        self._around = around
        self._values = around.timers
        self._timers = NamedTimers(around.clock)
        self._send = send
        self._last: bytes | None = None
        self._on_terminated = on_terminated

    @property
    def waiting(self) -> bool:
        """Whether the user still owes a final response, or the peer the ACK of a refusal."""
        return self.state in (ServerState.TRYING, ServerState.PROCEEDING)

    @property
    def answered(self) -> bool:
        """Whether a final response was sent, or none can be sent any more."""
        return self.state not in (ServerState.TRYING, ServerState.PROCEEDING)

    def repeated(self, request: SipRequest) -> None:
        """Take a repetition of the request, or the ACK of a refused INVITE."""
        if self._last is not None:
            self._around.retransmitted()
            self._send(self._last)

    def respond(self, response: SipResponse) -> None:
        """Send a response; after a final one the call does nothing."""
        if self.answered:
            return
        self._last = response.to_bytes()
        if response.status < 200:
            self.state = ServerState.PROCEEDING
            self._send(self._last)
            return
        self._finish(response)
        self._send(self._last)

    def _finish(self, response: SipResponse) -> None:
        self.state = ServerState.COMPLETED
        self._linger("J", self._values.timeout)

    def _linger(self, name: str, delay_s: float) -> None:
        # Over a reliable transport nothing is repeated, so timers I and J are 0.
        self._timers.start(name, 0.0 if self._reliable else delay_s, self.terminate)

    def abandon(self) -> None:
        """Never answer: repetitions are swallowed for 64 * T1, then the transaction is forgotten."""
        self._timers.stop_all()
        self.state = ServerState.CONFIRMED
        self._last = None
        self._timers.start("abandoned", self._values.timeout, self.terminate)

    def terminate(self) -> None:
        """Stop all timers and leave the layer; harmless when done already."""
        self._timers.stop_all()
        if self.state is not ServerState.TERMINATED:
            self.state = ServerState.TERMINATED
            self._on_terminated(self)


class InviteServerTransaction(ServerTransaction):
    """An INVITE server transaction (section 17.2.1) with the Accepted state of RFC 6026.

    A 2xx is repeated by the user of the transaction until its ACK comes; a refusal is repeated here.
    """

    def start(self) -> None:
        """Answer 100 in 200 ms unless the user responds earlier."""
        self.state = ServerState.PROCEEDING
        self._timers.start("100", self._values.trying, self._try)

    @property
    def waiting(self) -> bool:
        return self.state in (ServerState.PROCEEDING, ServerState.COMPLETED)

    def _try(self) -> None:
        if self._last is None:
            self.respond(response_to(self.request, 100))

    def repeated(self, request: SipRequest) -> None:
        if request.method == "ACK":
            if self.state is ServerState.COMPLETED:
                self._timers.stop("G", "H")
                self.state = ServerState.CONFIRMED
                self._linger("I", self._values.t4)
            return
        if self.state in (ServerState.PROCEEDING, ServerState.COMPLETED):
            super().repeated(request)

    def respond(self, response: SipResponse) -> None:
        self._timers.stop("100")
        if self.state is ServerState.ACCEPTED and 200 <= response.status < 300:
            self._around.retransmitted()
            self._send(response.to_bytes())
            return
        super().respond(response)

    def _finish(self, response: SipResponse) -> None:
        if response.status < 300:
            self.state = ServerState.ACCEPTED
            self._timers.start("L", self._values.timeout, self.terminate)
            return
        self.state = ServerState.COMPLETED
        self._timers.start("H", self._values.timeout, self.terminate)
        if not self._reliable:
            self._repeat_after(self._values.t1)

    def _repeat_after(self, interval: float) -> None:
        def repeat() -> None:
            self._repeat_after(min(2 * interval, self._values.t2))
            self._around.retransmitted()
            self._send(self._last or b"")

        self._timers.start("G", interval, repeat)
