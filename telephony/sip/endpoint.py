"""A SIP user agent: makes and takes calls (RFC 3261 sections 8 and 12 to 15).

Guarantee: a repeated INVITE never reaches ``on_invite`` again; CANCEL, OPTIONS, requests of unknown
dialogs and of unknown methods are answered here; ``close`` leaves no task, timer or socket.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.errors import SipError
from telephony.logs import get_logger
from telephony.sip.authorization import Attempt, Authorizer
from telephony.sip.identifiers import new_tag
from telephony.sip.incoming import ALLOW, IncomingInvite, IncomingRequest
from telephony.sip.outcome import Outcome
from telephony.sip.outgoing import OutgoingInvite, OutgoingInviteRequest, build_invite
from telephony.sip.registry import Registry
from telephony.sip.routing import Hop, resolve, transport_for
from telephony.sip.rules import response_to
from telephony.sip.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock
    from telephony.sip.digest import Credentials
    from telephony.sip.message import SipRequest, SipResponse
    from telephony.sip.timers import Timers
    from telephony.sip.transaction import ServerTransaction
    from telephony.sip.transport import Loss
    from telephony.sip.uri import SipUri
    from telephony.sip.via import Address

__all__ = ["EndpointStats", "OutgoingInvite", "OutgoingInviteRequest", "SipEndpoint"]

log = get_logger(__name__)

_DIALOG_ONLY = frozenset({"BYE", "INFO", "UPDATE", "PRACK", "NOTIFY"})


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """Counts since the start, and what is under way now.

    Args:
        malformed: datagrams that were not SIP, or requests that were refused 400 for their form.
        keepalives: empty datagrams.
        retransmissions_sent: requests, responses and 2xx of ours that were sent again.
        retransmissions_received: repetitions of the peer that were absorbed.
        active_transactions: waiting for a final response, or for the ACK of a refusal.
        absorbing_transactions: finished, kept for at most 32 s to absorb repetitions.
        active_dialogs: dialogs that have not ended.
        pending_invites: INVITEs that the owner has not answered yet.
    """

    malformed: int
    keepalives: int
    retransmissions_sent: int
    retransmissions_received: int
    active_transactions: int
    absorbing_transactions: int
    active_dialogs: int
    pending_invites: int


class SipEndpoint:
    """One user agent on one address and port.

    Attributes:
        on_invite: called for each new INVITE out of any dialog; without it they get 480.
        on_request: called for every other request out of any dialog, CANCEL and ACK excepted; it may
            answer later, or leave the answer to ``respond_by_default``. Without it: OPTIONS 200,
            BYE, INFO and the like 481, the rest 405.
        on_malformed: called with each datagram that was counted as malformed and its source.
        extensions: option tags that an INVITE may require; others are refused 420.
    """

    def __init__(self, clock: Clock, user_agent: str = "Trunkline", *, timers: Timers | None = None) -> None:
        self.stack = Stack(clock, user_agent, timers)
        self.stack.on_request = self._receive
        self.stack.on_stray_response = self._receive_stray
        self.on_invite: Callable[[IncomingInvite], None] | None = None
        self.on_request: Callable[[IncomingRequest], None] | None = None
        self.extensions: frozenset[str] = frozenset()
        self._calls = Registry(self.stack)

    @property
    def on_malformed(self) -> Callable[[bytes, Address], None] | None:
        """Called with each datagram that was counted as malformed and its source."""
        return self.stack.on_malformed

    @on_malformed.setter
    def on_malformed(self, callback: Callable[[bytes, Address], None] | None) -> None:
        self.stack.on_malformed = callback

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self.stack.port

    @property
    def stats(self) -> EndpointStats:
        """The figures of this moment."""
        layer = self.stack.layer
        return EndpointStats(
            malformed=self.stack.malformed,
            keepalives=self.stack.keepalives,
            retransmissions_sent=layer.retransmissions_sent,
            retransmissions_received=layer.retransmissions_received,
            active_transactions=layer.active,
            absorbing_transactions=layer.total - layer.active,
            active_dialogs=self._calls.dialogs,
            pending_invites=self._calls.unanswered,
        )

    def contact(self, user: str = "", protocol: str = "UDP") -> str:
        """A Contact value that leads to this end, brackets included."""
        return self.stack.contact(user, protocol)

    async def start(
        self,
        host: str,
        port: int = 0,
        *,
        advertised_host: str | None = None,
        tcp: bool = False,
        loss: Loss | None = None,
    ) -> None:
        """Open the sockets.

        Args:
            host: IPv4 address to listen on.
            port: 0 for any free one.
            advertised_host: what Via and Contact tell peers; ``host`` where None.
            tcp: also listen on TCP, on the same port, and use it for requests above 1300 bytes.
            loss: for tests, drops datagrams by a seed.

        Raises:
            PortTakenError: the port is in use.
            StartError: the socket could not be opened.
            ConfigError: ``host`` is 0.0.0.0 and no address is given to announce.
        """
        await self.stack.open(host, port, advertised_host, loss, tcp=tcp)

    async def close(self) -> None:
        """Forget all dialogs without a BYE, end all transactions, release the socket; bounded."""
        self._calls.close()
        await self.stack.close()

    # Requests of ours

    async def invite(self, wanted: OutgoingInviteRequest) -> OutgoingInvite:
        """Send an INVITE and return at once; see ``OutgoingInvite`` for what follows.

        Raises:
            SipError: the address cannot be reached from here or does not resolve; nothing was sent.
        """
        hop = await self._hop_to(wanted.uri, wanted.target)
        invite = build_invite(self.stack, wanted, hop.transport.protocol)
        outgoing = OutgoingInvite(self._calls, invite, hop, wanted.credentials)
        outgoing.start()
        return outgoing

    async def send_request(
        self,
        request: SipRequest,
        target: Address | None = None,
        *,
        credentials: Credentials | Authorizer | None = None,
    ) -> SipResponse:
        """Send a request out of any dialog, other than INVITE, and wait for its final response.

        The request needs From with a tag, To, Call-ID and CSeq; Via and Max-Forwards are added. Challenges
        are answered where credentials are given, each time with the next CSeq. An Authorizer that is kept
        remembers the challenge for the next request, as a registration wants it.

        Cancelled, it is repeated no more.

        Raises:
            SipTimeoutError: no final response within 32 s (Timer F).
            SipError: the address cannot be reached from here, or the endpoint was closed.
        """
        hop = await self._hop_to(request.uri, target)
        authorizer = credentials if isinstance(credentials, Authorizer) else Authorizer(credentials)
        attempt = Attempt()
        if "Max-Forwards" not in request.headers:
            request.headers.add("Max-Forwards", "70")
        while True:
            authorizer.authorize(request)
            response = await self._exchange(request.copy(), hop)
            if not authorizer.learn(response, attempt):
                return response
            request.headers.set("CSeq", f"{request.cseq.number + 1} {request.method}")

    async def _hop_to(self, uri: SipUri, target: Address | None) -> Hop:
        transports = self.stack.transports
        if target is None:
            return await resolve(uri, transports)
        return Hop(transport_for(uri, transports), target)

    async def _exchange(self, request: SipRequest, hop: Hop) -> SipResponse:
        outcome: Outcome[SipResponse | SipError] = Outcome()

        def on_response(response: SipResponse) -> None:
            if response.status >= 200:
                outcome.set(response)

        sending = self.stack.start_client(request, hop, on_response=on_response, on_failure=outcome.set)
        try:
            result = await outcome.wait(self.stack.clock, 2 * self.stack.timers.timeout)
        except asyncio.CancelledError:
            # Whoever waits no longer wants it repeated no longer.
            sending.terminate()
            raise
        if isinstance(result, SipError):
            raise result
        return result

    # What comes in

    def _receive(self, request: SipRequest, hop: Hop) -> None:
        if request.method == "ACK":
            session = self._calls.session_of(request)
            if session is not None:
                session.receive_ack(request)
            return
        transaction = self.stack.layer.start_server(
            request,
            reliable=hop.transport.reliable,
            send=lambda data: hop.transport.send(data, hop.address),
        )
        try:
            self._dispatch(request, transaction, hop)
        except Exception:
            # A handler of the owner failed: the peer gets an answer, and the call is not left pending.
            log.exception("sip_handler_failed", method=request.method, sip_call_id=request.call_id)
            transaction.respond(response_to(request, 500, to_tag=new_tag()))
            self._calls.drop_answered()

    def _dispatch(self, request: SipRequest, transaction: ServerTransaction, hop: Hop) -> None:
        incoming = IncomingRequest(self._calls, transaction, hop)
        if request.method == "CANCEL":
            self._receive_cancel(incoming)
        elif request.to.tag is not None:
            self._receive_in_dialog(incoming)
        elif request.method == "INVITE":
            self._receive_invite(transaction, hop)
        elif self.on_request is not None:
            self.on_request(incoming)
        else:
            self.respond_by_default(incoming)

    def respond_by_default(self, incoming: IncomingRequest) -> None:
        """Answer a request out of any dialog as an endpoint without ``on_request`` does."""
        if incoming.method == "OPTIONS":
            incoming.respond(200, headers=[("Allow", ALLOW), ("Accept", "application/sdp")])
        else:
            incoming.respond(481 if incoming.method in _DIALOG_ONLY else 405)

    def _receive_cancel(self, incoming: IncomingRequest) -> None:
        target = self.stack.layer.find_server(incoming.request, "INVITE")
        if target is None:
            incoming.respond(481)
            return
        # An INVITE that is answered already is not called off by a CANCEL that comes too late.
        invite = self._calls.unanswered_by(target)
        if invite is not None:
            incoming.local_tag = invite.local_tag
        incoming.respond(200)
        if invite is not None:
            invite.cancel()

    def _receive_in_dialog(self, incoming: IncomingRequest) -> None:
        session = self._calls.session_of(incoming.request)
        if session is not None:
            incoming.session = session
            session.receive(incoming)
            return
        early = self._calls.early_of(incoming.request)
        if incoming.method == "BYE" and early is not None:
            incoming.respond(200)
            early.cancel()
        elif incoming.method == "BYE" and self._calls.has_departed(incoming.request):
            incoming.respond(200)
        else:
            incoming.respond(481)

    def _receive_invite(self, transaction: ServerTransaction, hop: Hop) -> None:
        invite = IncomingInvite(self._calls, transaction, hop)
        required = set(invite.request.headers.elements("Require")) - self.extensions
        if required:
            invite.respond(420, headers=[("Unsupported", ", ".join(sorted(required)))])
        elif self._calls.has_merged(invite):
            invite.respond(482)
        elif self.on_invite is None:
            invite.respond(480)
        else:
            self._calls.add(invite)
            self.on_invite(invite)

    def _receive_stray(self, response: SipResponse) -> None:
        """A 2xx that comes after its transaction has ended is ACKed again as long as the dialog lives."""
        cseq = response.cseq
        if not 200 <= response.status < 300 or cseq.method != "INVITE":
            return
        session = self._calls.session_of_response(response)
        if session is not None and session.invite is not None and session.invite.cseq == cseq:
            session.acknowledge(session.invite)
