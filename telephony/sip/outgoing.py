"""A call of ours from INVITE to its final response (RFC 3261 sections 9.1, 13.2 and 22).

Guarantee: a CANCEL leaves only after a provisional response; every 2xx is ACKed; a 2xx that races
the CANCEL, and the second branch of a forked call, are ACKed and hung up; challenges are answered.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.errors import SipError, SipParseError, SipTimeoutError
from telephony.logs import get_logger
from telephony.sip.authorization import Attempt, Authorizer
from telephony.sip.dialog import Dialog
from telephony.sip.identifiers import new_call_id, new_tag
from telephony.sip.incoming import ALLOW
from telephony.sip.message import SipRequest, SipResponse
from telephony.sip.outcome import Outcome
from telephony.sip.rules import response_to
from telephony.sip.session import DialogSession
from telephony.sip.timers import NamedTimers
from telephony.sip.transaction import build_cancel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from telephony.sip.core import Core
    from telephony.sip.digest import Credentials
    from telephony.sip.routing import Hop
    from telephony.sip.sending import Sending
    from telephony.sip.stack import Stack
    from telephony.sip.uri import NameAddr, SipUri
    from telephony.sip.via import Address

log = get_logger(__name__)

FINAL_TIMEOUT_S = 180.0
"""How long ``final`` waits where nothing else is said: three minutes, as proxies do (Timer C)."""


@dataclass(frozen=True, slots=True)
class OutgoingInviteRequest:
    """What to call, and as whom.

    Args:
        uri: the Request-URI.
        from_: without a tag; one is made.
        to: where None, the Request-URI.
        body: the offer; empty for none.
        headers: further lines.
        credentials: answer challenges by these; None to answer none.
        target: where to send instead of the URI's host, such as an outbound proxy.
        contact_user: user part of our Contact; where None, that of ``from_``.
        call_id: random where None.
        local_tag: our From tag; random where None.
    """

    uri: SipUri
    from_: NameAddr
    to: NameAddr | None = None
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()
    credentials: Credentials | None = None
    target: Address | None = None
    contact_user: str | None = None
    call_id: str | None = None
    content_type: str = "application/sdp"
    local_tag: str | None = None


class OutgoingInvite:
    """One INVITE of ours, challenges and repetitions included; made by ``SipEndpoint.invite``.

    Attributes:
        session: the dialog after a 2xx, ACKed already; None before, and for a call that was cancelled.
        cancelled: whether ``cancel`` was asked for.
        on_provisional: called for each response of 100 to 199; set it before anything is awaited.
    """

    def __init__(self, core: Core, invite: SipRequest, hop: Hop, credentials: Credentials | None) -> None:
        self._core = core
        self._stack = core.stack
        self._invite = invite
        self._hop = hop
        self._authorizer = Authorizer(credentials)
        self._attempt = Attempt()
        self._sending: Sending | None = None
        self._provisional = False
        self._timers = NamedTimers(core.stack.clock)
        self._outcome: Outcome[SipResponse | SipError] = Outcome()
        self._events: asyncio.Queue[SipResponse | None] = asyncio.Queue()
        self._sessions: dict[str, DialogSession] = {}
        self.session: DialogSession | None = None
        self.cancelled = False
        self.on_provisional: Callable[[SipResponse], None] | None = None

    @property
    def call_id(self) -> str:
        """The Call-ID of every request of this call."""
        return self._invite.call_id

    @property
    def request(self) -> SipRequest:
        """The INVITE as it was sent last."""
        return self._invite

    @property
    def hop(self) -> Hop:
        """Where the INVITE is sent."""
        return self._hop

    @property
    def done(self) -> bool:
        """Whether ``final`` would return at once."""
        return self._outcome.done

    def start(self) -> None:
        """Send the INVITE.

        Raises:
            SipError: the endpoint is closed, or the request is longer than a datagram.
        """
        self._authorizer.authorize(self._invite)
        invite = self._invite.copy()
        self._provisional = False
        self._sending = self._stack.start_client(
            invite,
            self._hop,
            on_response=lambda response: self._receive(invite, response),
            on_failure=self._fail,
        )

    async def final(self, timeout_s: float = FINAL_TIMEOUT_S) -> SipResponse:
        """The final response: a 2xx (then ``session`` is there), or a refusal of 300 and above.

        After ``cancel`` it is the peer's refusal, normally 487; if a 2xx raced the CANCEL, a 487 made here,
        since that call has been hung up.

        Raises:
            SipTimeoutError: nothing came; when only ``timeout_s`` ran out, the call has been cancelled.
            SipError: the peer cannot be reached, or the endpoint was closed.
        """
        try:
            result = await self._outcome.wait(self._stack.clock, timeout_s)
        except TimeoutError:
            self.cancel()
            raise SipTimeoutError(
                f"no final response to INVITE within {timeout_s:g} s", field="INVITE", call_id=self.call_id
            ) from None
        if isinstance(result, SipError):
            raise result
        return result

    async def events(self) -> AsyncIterator[SipResponse]:
        """Each provisional response as it comes; ends with the final one, which is read by ``final``."""
        while (response := await self._events.get()) is not None:
            yield response
        self._events.put_nowait(None)

    def cancel(self) -> None:
        """Call it off: CANCEL goes out now, or with the first provisional; harmless once final."""
        if self.cancelled or self._outcome.done:
            return
        self.cancelled = True
        if self._provisional:
            self._send_cancel()

    def _send_cancel(self) -> None:
        assert self._sending is not None
        cancel = build_cancel(self._sending.request)
        # A peer that answers neither the CANCEL nor the INVITE: the call counts as cancelled (section 9.1).
        self._timers.start("cancel", self._stack.timers.timeout, self._give_up)
        try:
            self._stack.start_client(
                cancel, self._sending.hop, on_response=lambda _response: None, on_failure=lambda _error: None
            )
        except SipError as error:
            log.info("sip_cancel_not_sent", sip_call_id=self.call_id, error=str(error))

    def _give_up(self) -> None:
        if self._sending is not None:
            self._sending.terminate()
        self._fail(
            SipTimeoutError("no final response to INVITE after CANCEL", field="INVITE", retryable=False)
        )

    def _receive(self, invite: SipRequest, response: SipResponse) -> None:
        if response.status < 200:
            self._receive_provisional(response)
        elif response.status < 300:
            self._receive_success(invite, response)
        elif self._may_retry(response):
            self._retry()
        else:
            self._finish(response)

    def _receive_provisional(self, response: SipResponse) -> None:
        first, self._provisional = not self._provisional, True
        if first and self.cancelled:
            self._send_cancel()
        self._events.put_nowait(response)
        if self.on_provisional is not None:
            self.on_provisional(response)

    def _may_retry(self, response: SipResponse) -> bool:
        return not self.cancelled and self._authorizer.learn(response, self._attempt)

    def _retry(self) -> None:
        cseq = self._invite.cseq.number + 1
        self._invite.headers.set("CSeq", f"{cseq} INVITE")
        try:
            self.start()
        except SipError as error:
            self._fail(error)

    def _receive_success(self, invite: SipRequest, response: SipResponse) -> None:
        tag = response.to.tag or ""
        session = self._sessions.get(tag)
        if session is not None:
            session.acknowledge(invite)
            return
        try:
            dialog = Dialog.as_uac(invite, response)
        except SipParseError as error:
            log.warning("sip_answer_unusable", sip_call_id=self.call_id, error=str(error))
            self._fail(error)
            return
        session = DialogSession(self._core, dialog, self._authorizer)
        session.invite, session.response = invite, response
        self._sessions[tag] = session
        self._core.established(session)
        session.acknowledge(invite)
        if self._outcome.done or self.cancelled:
            self._stack.spawn(_hang_up(session))
            self._finish(response_to(invite, 487))
        else:
            self.session = session
            self._finish(response)

    def _finish(self, result: SipResponse | SipError) -> None:
        self._timers.stop_all()
        self._outcome.set(result)
        self._events.put_nowait(None)

    def _fail(self, error: SipError) -> None:
        error.call_id = error.call_id or self.call_id
        self._finish(error)


async def _hang_up(session: DialogSession) -> None:
    await session.bye()


def build_invite(stack: Stack, wanted: OutgoingInviteRequest, protocol: str) -> SipRequest:
    """The INVITE for what is wanted, without a Via.

    Raises:
        SipParseError: a header would break its line.
    """
    request = SipRequest("INVITE", wanted.uri, body=wanted.body)
    headers = request.headers
    headers.add("Max-Forwards", "70")
    headers.add("From", str(wanted.from_.with_tag(wanted.local_tag or new_tag())))
    to = f"<{wanted.uri}>" if wanted.to is None else str(wanted.to)
    headers.add("To", to)
    headers.add("Call-ID", wanted.call_id or new_call_id())
    headers.add("CSeq", "1 INVITE")
    user = wanted.from_.uri.user if wanted.contact_user is None else wanted.contact_user
    headers.add("Contact", stack.contact(user, protocol))
    headers.add("Allow", ALLOW)
    headers.extend(wanted.headers)
    if wanted.body:
        headers.set("Content-Type", wanted.content_type)
    return request
