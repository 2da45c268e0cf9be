"""What the phone changes during a call: hold, address, codec, Contact, session timer (RFC 3261 14, 3311).

Guarantees. An offer that cannot be taken leaves the call as it was. Hold in any form is mirrored, stops our
audio and lasts as long as the phone wants, with its music heard or nothing at all. A re-INVITE without an
offer gets ours, and the answer in its ACK is followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.bridge.nat import hop_to_caller
from telephony.errors import SdpError
from telephony.logs import get_logger
from telephony.sip import session_timer
from telephony.sip.session_timer import TooBrief

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.agreement import MediaAgreement
    from telephony.bridge.session_keeping import SessionKeeper
    from telephony.sip.incoming import IncomingRequest
    from telephony.sip.message import SipRequest
    from telephony.sip.session import DialogSession

log = get_logger(__name__)


class Renegotiation:
    """The re-INVITEs and UPDATEs of one answered call.

    Args:
        on_held: told after each change whether the phone holds the call.
        on_unusable: the phone never answered our first offer in a way that can be used.
    """

    def __init__(
        self,
        call_id: str,
        session: DialogSession,
        agreement: MediaAgreement,
        keeper: SessionKeeper,
        *,
        on_held: Callable[[bool], None],
        on_unusable: Callable[[], None],
    ) -> None:
        self._call_id = call_id
        self._session = session
        self._agreement = agreement
        self._keeper = keeper
        self._on_held = on_held
        self._on_unusable = on_unusable
        session.on_ack = self._acknowledged

    def take(self, incoming: IncomingRequest) -> None:
        """Answer a re-INVITE or an UPDATE of the phone."""
        request = incoming.request
        held = self._keeper.terms
        terms = session_timer.accept(request, wanted_s=held.interval_s if held is not None else 0)
        if isinstance(terms, TooBrief):
            incoming.respond(422, headers=terms.headers)
            return
        try:
            body = self._body(incoming)
        except SdpError as error:
            log.warning("offer_refused", call_id=self._call_id, reason=error.message)
            incoming.respond(488)
            return
        incoming.respond(200, headers=session_timer.answer_headers(terms), body=body)
        self._keeper.follow(terms)
        if not self._session.dialog.route_set and request.contact is not None:
            self._session.next_hop = hop_to_caller(incoming)
        if request.body:
            self._changed()

    def _body(self, incoming: IncomingRequest) -> bytes:
        if incoming.request.body:
            return self._agreement.take(incoming.request.body).body
        # An UPDATE without a body only refreshes the session.
        return self._agreement.offer_again() if incoming.method == "INVITE" else b""

    def _acknowledged(self, ack: SipRequest) -> None:
        if not self._agreement.owes_answer:
            return
        try:
            self._agreement.accept(ack.body)
        except SdpError as error:
            log.warning("answer_unusable", call_id=self._call_id, reason=error.message)
            if not self._agreement.is_agreed:
                self._on_unusable()
            return
        self._changed()

    def _changed(self) -> None:
        current = self._agreement.current
        self._on_held(self._agreement.is_held)
        log.info(
            "media_renegotiated", call_id=self._call_id, direction=current.direction, codec=current.codec
        )
