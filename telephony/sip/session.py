"""A dialog on the wire: requests within it, the ACK of a 2xx, and its end (RFC 3261 sections 12 to 15).

Guarantee: our 2xx is repeated until its ACK comes, the peer's repeated 2xx is ACKed again, and
``bye`` comes back within its deadline whatever the peer does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from telephony.errors import SipError, SipTimeoutError
from telephony.logs import get_logger
from telephony.sip.acknowledgement import UnacknowledgedAnswer
from telephony.sip.authorization import Attempt, Authorizer
from telephony.sip.outcome import Outcome
from telephony.sip.routing import numeric_hop, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telephony.sip.core import Core
    from telephony.sip.dialog import Dialog
    from telephony.sip.incoming import IncomingRequest
    from telephony.sip.message import SipRequest, SipResponse
    from telephony.sip.routing import Hop
    from telephony.sip.transaction import ServerTransaction
    from telephony.sip.uri import SipUri

log = get_logger(__name__)

BYE_TIMEOUT_S = 5.0
"""How long ``bye`` keeps its caller; the BYE itself is repeated up to Timer F."""
REINVITE_TIMEOUT_S = 180.0
"""How long a re-INVITE of ours may wait for its final response."""


class DialogSession:
    """One call's dialog at this end; made by ``IncomingInvite.accept`` and ``OutgoingInvite``.

    Attributes:
        dialog: its state.
        invite: the INVITE that made it, ours or the peer's.
        response: the peer's 2xx to our INVITE.
        ack: the ACK of our 2xx once it came; carries the peer's answer if our 2xx carried the offer.
        on_request: called for each request within the dialog. It answers by ``respond``, at once or later; a
            BYE that it leaves unanswered is answered 200. Without it: BYE and OPTIONS 200, re-INVITE 488,
            the rest 405.
        on_ack: called with the first ACK of each 2xx of ours, which carries the peer's answer if that carried
            the offer.
        on_ack_timeout: called when our 2xx got no ACK in 32 s; without it the session says BYE (section
            13.3.1.4).
        ended: set when the dialog is over; ``ended_by`` says by whom: ``local``, ``remote``, or ``lost``
            when the peer no longer knows the dialog.
        next_hop: where to send instead of following Contact and routes, for peers with a useless Contact.
    """

    def __init__(self, core: Core, dialog: Dialog, authorizer: Authorizer | None = None) -> None:
        self._core = core
        self._stack = core.stack
        self.dialog = dialog
        self.invite: SipRequest | None = None
        self.response: SipResponse | None = None
        self.ack: SipRequest | None = None
        self.on_request: Callable[[IncomingRequest], None] | None = None
        self.on_ack: Callable[[SipRequest], None] | None = None
        self.on_ack_timeout: Callable[[], None] | None = None
        self.ended = asyncio.Event()
        self.ended_by: Literal["local", "remote", "lost"] | None = None
        self.next_hop: Hop | None = None
        self._authorizer = authorizer or Authorizer(None)
        self._answer: UnacknowledgedAnswer | None = None
        self._acks: dict[int, tuple[SipRequest, Hop]] = {}
        self._bye: Outcome[SipResponse | None] | None = None
        self._lookup = asyncio.Lock()
        self._resolved: tuple[SipUri, Hop] | None = None
        self._inviting = False
        self._invited: IncomingRequest | None = None

    @property
    def _owes_answer(self) -> bool:
        return self._invited is not None and not self._invited.answered

    # Requests of ours

    async def request(
        self,
        method: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> SipResponse:
        """Send a request within the dialog and wait for its final response; challenges are answered.

        A 2xx to a re-INVITE is ACKed here. Bounded by Timer F, for a re-INVITE by three minutes.

        Raises:
            SipTimeoutError: no final response; the dialog is then over (section 12.2.1.2).
            SipError: the session has ended, the peer cannot be reached, or a re-INVITE is under way already.
        """
        if self.ended.is_set():
            raise SipError("the dialog has ended", field=method)
        if method == "INVITE" and (self._inviting or self._owes_answer):
            raise SipError("another re-INVITE is under way", field=method, retryable=True)
        self._inviting = self._inviting or method == "INVITE"
        try:
            return await self._request(method, list(headers), body, content_type)
        finally:
            if method == "INVITE":
                self._inviting = False

    async def _request(
        self, method: str, headers: list[tuple[str, str]], body: bytes, content_type: str | None
    ) -> SipResponse:
        attempt = Attempt()
        while True:
            request = self.dialog.build(method, headers=headers, body=body, content_type=content_type)
            self._authorizer.authorize(request)
            try:
                response = await self._exchange(request)
            except SipTimeoutError:
                self.end("lost")
                raise
            if not self._authorizer.learn(response, attempt):
                break
        if response.status in (408, 481) and method != "BYE":
            self.end("lost")
        elif 200 <= response.status < 300 and method in ("INVITE", "UPDATE"):
            self.dialog.refresh_target(response)
        return response

    async def _exchange(self, request: SipRequest) -> SipResponse:
        outcome: Outcome[SipResponse | SipError] = Outcome()
        hop = self.next_hop or await self._resolve()

        def on_response(response: SipResponse) -> None:
            if request.method == "INVITE" and 200 <= response.status < 300:
                self.dialog.refresh_target(response)
                self.acknowledge(request)
            if response.status >= 200:
                outcome.set(response)

        sending = self._stack.start_client(request, hop, on_response=on_response, on_failure=outcome.set)
        limit = REINVITE_TIMEOUT_S if request.method == "INVITE" else 2 * self._stack.timers.timeout
        try:
            result = await outcome.wait(self._stack.clock, limit)
        except TimeoutError:
            sending.terminate()
            result = SipTimeoutError(f"no final response in {limit:.0f} s", field=request.method)
        if isinstance(result, SipError):
            raise result
        return result

    def acknowledge(self, invite: SipRequest) -> None:
        """Send the ACK of a 2xx to our INVITE, or send it again for a repeated 2xx."""
        cseq = invite.cseq.number
        if cseq in self._acks:
            request, hop = self._acks[cseq]
            hop.transport.send(request.to_bytes(), hop.address)
            return
        authorization = [
            (name, value)
            for name in ("Authorization", "Proxy-Authorization")
            for value in invite.headers.get_all(name)
        ]
        request = self.dialog.ack(cseq, authorization)
        try:
            hop_now = self.next_hop or numeric_hop(self.dialog.next_hop, self._stack.transports)
        except SipError as error:
            log.warning("sip_ack_not_sent", sip_call_id=self.dialog.call_id, error=str(error))
            return
        if hop_now is not None:
            self._send_ack(cseq, request, hop_now)
        else:
            self._stack.spawn(self._resolve_and_ack(cseq, request))

    async def _resolve_and_ack(self, cseq: int, request: SipRequest) -> None:
        try:
            hop = await self._resolve()
        except SipError as error:
            log.warning("sip_ack_not_sent", sip_call_id=self.dialog.call_id, error=str(error))
            return
        if cseq not in self._acks:
            self._send_ack(cseq, request, hop)

    async def _resolve(self) -> Hop:
        # One at a time, in the order asked for: the BYE of a quick owner must not overtake the ACK.
        async with self._lookup:
            uri = self.dialog.next_hop
            if self._resolved is None or self._resolved[0] != uri:
                self._resolved = (uri, await resolve(uri, self._stack.transports))
            return self._resolved[1]

    def _send_ack(self, cseq: int, request: SipRequest, hop: Hop) -> None:
        self._stack.stamp(request, hop.transport)
        self._acks = {cseq: (request, hop)}
        hop.transport.send(request.to_bytes(), hop.address)

    async def bye(
        self, headers: Iterable[tuple[str, str]] = (), *, timeout_s: float = BYE_TIMEOUT_S
    ) -> SipResponse | None:
        """End the call. Never raises for what the peer does; a second call waits for the first one's end.

        A BYE after our 2xx waits for its ACK, as section 15 demands. It goes on being repeated after
        ``timeout_s`` seconds, up to Timer F.

        Returns:
            The final response, or None when none came in time or the call had ended already.
        """
        if self._bye is None:
            if self.ended.is_set():
                return None
            self._bye = Outcome()
            self._stack.spawn(self._say_bye(list(headers), self._bye))
        try:
            return await self._bye.wait(self._stack.clock, timeout_s)
        except TimeoutError:
            return None

    async def _say_bye(self, headers: list[tuple[str, str]], done: Outcome[SipResponse | None]) -> None:
        response: SipResponse | None = None
        try:
            if self._answer is not None:
                await self._answer.finished.wait(self._stack.clock, 2 * self._stack.timers.timeout)
            if not self.ended.is_set():
                response = await self._request("BYE", headers, b"", None)
        except (SipError, TimeoutError) as error:
            log.info("sip_bye_unanswered", sip_call_id=self.dialog.call_id, error=str(error))
        finally:
            self.end("local")
            done.set(response)

    # The peer's requests

    def answer(
        self, transaction: ServerTransaction, response: SipResponse, acked: asyncio.Event | None = None
    ) -> None:
        """Send a 2xx to an INVITE of the peer and repeat it until its ACK comes."""
        if self._answer is not None:
            self._answer.stop()
        self._invited = None
        self._answer = UnacknowledgedAnswer(self._stack, transaction, response, self._unacknowledged, acked)

    def _unacknowledged(self) -> None:
        log.info("sip_answer_unacknowledged", sip_call_id=self.dialog.call_id)
        if self.on_ack_timeout is not None:
            self.on_ack_timeout()
        else:
            self._stack.spawn(self._hang_up())

    async def _hang_up(self) -> None:
        await self.bye()

    def receive_ack(self, request: SipRequest) -> None:
        """Take the ACK of a 2xx of ours."""
        if self._answer is not None and self._answer.cseq == request.cseq.number:
            is_first = not self._answer.acked.is_set()
            self.ack = request
            self._answer.acknowledge()
            if is_first and self.on_ack is not None:
                self.on_ack(request)

    def receive(self, incoming: IncomingRequest) -> None:
        """Take a request of the peer within this dialog."""
        if not self.dialog.in_order(incoming.request):
            incoming.respond(500, "CSeq Out Of Order")
        elif incoming.method == "BYE":
            self._receive_bye(incoming)
        elif self._inviting and _offers(incoming):
            incoming.respond(491)
        elif incoming.method == "INVITE" and self._owes_answer:
            incoming.respond(500, headers=[("Retry-After", "2")])
        else:
            if incoming.method == "INVITE":
                self._invited = incoming
            self._hand_over(incoming)

    def _hand_over(self, incoming: IncomingRequest) -> None:
        if self.on_request is not None:
            self.on_request(incoming)
        elif incoming.method == "OPTIONS":
            incoming.respond(200)
        else:
            incoming.respond(488 if incoming.method in ("INVITE", "UPDATE") else 405)

    def _receive_bye(self, incoming: IncomingRequest) -> None:
        if self._invited is not None:
            self._invited.respond(487)
        try:
            if self.on_request is not None and self._bye is None:
                self.on_request(incoming)
        finally:
            incoming.respond(200)
            self.end("remote" if self._bye is None else "local")

    def end(self, by: Literal["local", "remote", "lost"]) -> None:
        """The dialog is over; no request is sent."""
        if self.ended.is_set():
            return
        self.ended_by = by
        if self._answer is not None:
            self._answer.stop()
        self.ended.set()
        self._core.departed(self)

    def close(self) -> None:
        """Forget the dialog without a BYE; harmless when it has ended."""
        self.end("local")


def _offers(incoming: IncomingRequest) -> bool:
    """Whether a request would begin an offer of the peer (RFC 3261 section 14.2, RFC 3311 section 5.2)."""
    return incoming.method == "INVITE" or (incoming.method == "UPDATE" and bool(incoming.request.body))
