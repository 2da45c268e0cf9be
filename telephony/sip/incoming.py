"""What comes in: requests to answer, and INVITEs that may become calls (RFC 3261 sections 8.2, 9.2, 13.3).

Guarantee: each request gets at most one final response; a cancelled INVITE is answered 487 at once
and can no longer be accepted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.errors import SipError
from telephony.sip.dialog import Dialog
from telephony.sip.identifiers import new_tag
from telephony.sip.rules import response_to
from telephony.sip.session import DialogSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telephony.sip.core import Core
    from telephony.sip.message import SipRequest, SipResponse
    from telephony.sip.routing import Hop
    from telephony.sip.transaction import ServerTransaction
    from telephony.sip.via import Address

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, NOTIFY, UPDATE, REFER"


class IncomingRequest:
    """A request with its server transaction: within a dialog, or out of any."""

    def __init__(
        self,
        core: Core,
        transaction: ServerTransaction,
        hop: Hop,
        *,
        session: DialogSession | None = None,
        local_tag: str | None = None,
    ) -> None:
        self._core = core
        self._transaction = transaction
        self.hop = hop
        self.session = session
        self.local_tag = local_tag or new_tag()

    @property
    def request(self) -> SipRequest:
        """The request as it came, the top Via stamped with where it came from."""
        return self._transaction.request

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.method

    @property
    def source(self) -> Address:
        """Address and port that a response goes to."""
        return self.hop.address

    @property
    def answered(self) -> bool:
        """Whether a final response was sent, or none can be sent any more."""
        return self._transaction.answered

    def respond(
        self,
        status: int,
        reason: str = "",
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "application/sdp",
    ) -> None:
        """Send a response; after a final one this does nothing.

        A 2xx to a re-INVITE is repeated until its ACK comes, and refreshes the remote target.

        Raises:
            SipParseError: a header would break its line.
        """
        if self.answered:
            return
        response = self._response(status, reason, headers, body, content_type)
        if 200 <= status < 300 and self.session is not None:
            self._accept_within(self.session, response)
            return
        self._transaction.respond(response)

    def _accept_within(self, session: DialogSession, response: SipResponse) -> None:
        session.dialog.refresh_target(self.request)
        if self.method in ("INVITE", "UPDATE"):
            response.headers.set("Contact", session.dialog.contact)
        if self.method == "INVITE":
            session.answer(self._transaction, response)
        else:
            self._transaction.respond(response)

    def _response(
        self, status: int, reason: str, headers: Iterable[tuple[str, str]], body: bytes, content_type: str
    ) -> SipResponse:
        response = response_to(
            self.request,
            status,
            reason,
            to_tag=self.local_tag,
            headers=headers,
            body=body,
            content_type=content_type,
        )
        if status == 405 and "Allow" not in response.headers:
            response.headers.add("Allow", ALLOW)
        if status > 100:
            response.headers.set("Server", self._core.stack.user_agent)
        return response


class IncomingInvite(IncomingRequest):
    """An INVITE that is no part of a dialog yet.

    ``local_tag`` may be set before the first response. ``acked`` is set by the ACK of our 2xx,
    ``cancelled`` by a CANCEL or a BYE before the answer; ``on_cancelled`` is called then.
    """

    def __init__(self, core: Core, transaction: ServerTransaction, hop: Hop) -> None:
        super().__init__(core, transaction, hop)
        self.acked = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.on_cancelled: Callable[[], None] | None = None

    def respond(
        self,
        status: int,
        reason: str = "",
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "application/sdp",
    ) -> None:
        """Send a provisional response or a refusal; after a final response this does nothing.

        Raises:
            SipParseError: a header would break its line.
            ValueError: a 2xx: that is what ``accept`` is for.
        """
        if 200 <= status < 300:
            raise ValueError("an INVITE is accepted by accept(), which returns the session")
        if self.answered:
            return
        response = self._response(status, reason, headers, body, content_type)
        if 100 < status < 200:
            self._make_dialog_headers(response)
        self._transaction.respond(response)
        if status >= 200:
            self._core.settled(self)

    def accept(
        self,
        body: bytes,
        headers: Iterable[tuple[str, str]] = (),
        *,
        content_type: str = "application/sdp",
    ) -> DialogSession:
        """Answer 200 and repeat it until the ACK comes or 32 s are over.

        Raises:
            SipError: the caller has cancelled, or the INVITE was answered already.
            SipParseError: the INVITE's Contact cannot be sent to, or a header would break its line.
        """
        if self.cancelled.is_set() or self.answered:
            raise SipError("the INVITE can no longer be accepted", field="INVITE")
        dialog = Dialog.as_uas(self.request, self.local_tag, self._contact())
        response = self._response(200, "", headers, body, content_type)
        self._make_dialog_headers(response)
        response.headers.add("Allow", ALLOW)
        session = DialogSession(self._core, dialog)
        session.invite = self.request
        self._core.settled(self)
        self._core.established(session)
        session.answer(self._transaction, response, self.acked)
        return session

    def forget(self) -> None:
        """Never answer: repetitions are swallowed, the caller's own timers end its call."""
        self._transaction.abandon()
        self._core.settled(self)

    def cancel(self) -> None:
        """Take a CANCEL or an early BYE; 487 is sent here unless ``on_cancelled`` does."""
        if self.answered:
            return
        self.cancelled.set()
        try:
            if self.on_cancelled is not None:
                self.on_cancelled()
        finally:
            self.respond(487)

    def _contact(self) -> str:
        return self._core.stack.contact(self.request.uri.user, self.hop.transport.protocol)

    def _make_dialog_headers(self, response: SipResponse) -> None:
        response.headers.extend(
            ("Record-Route", value) for value in self.request.headers.get_all("Record-Route")
        )
        response.headers.set("Contact", self._contact())
