"""Dialogs: the state that two user agents share between INVITE and BYE (RFC 3261 section 12).

Sans-I/O: builds requests within the dialog and judges those that come; sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telephony.errors import SipParseError
from telephony.sip.message import SipRequest, SipResponse
from telephony.sip.uri import NameAddr, SipUri

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DialogId = tuple[str, str, str]
"""Call-ID, local tag, remote tag; a peer from before RFC 3261 may have the empty tag."""

_REFRESHES_TARGET = ("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER")
_FIRST_CSEQ = 1


@dataclass(slots=True)
class Dialog:
    """One dialog as this end sees it.

    Args:
        local, remote: the From and To of requests that this end sends, tags included.
        remote_target: the peer's Contact, refreshed by target refresh requests.
        route_set: proxies that every request passes, nearest first.
        local_cseq: number of the last request that this end sent.
        remote_cseq: number of the peer's last request, None before its first.
        contact: this end's Contact header value.
    """

    call_id: str
    local: NameAddr
    remote: NameAddr
    remote_target: SipUri
    contact: str
    route_set: tuple[NameAddr, ...] = ()
    local_cseq: int = _FIRST_CSEQ
    remote_cseq: int | None = None
    invite_cseq: int = field(default=_FIRST_CSEQ)

    @classmethod
    def as_uac(cls, invite: SipRequest, response: SipResponse) -> Dialog:
        """The dialog that a 2xx to our INVITE makes (section 12.1.2).

        A Contact is a must there; without one that can be sent to, the Request-URI stands for it, since
        a call that is not ACKed would hang in the air at the other end.

        Raises:
            SipParseError: neither can be sent to, or To or Record-Route is malformed.
        """
        contact = response.contact
        target = contact.uri if contact is not None and contact.uri.is_sip else invite.uri
        if not target.is_sip:
            raise SipParseError("an answer needs one that can be sent to", field="Contact")
        return cls(
            call_id=invite.call_id,
            local=invite.from_,
            remote=response.to,
            remote_target=target,
            contact=invite.headers.get("Contact") or "",
            route_set=tuple(reversed(response.record_routes)),
            local_cseq=invite.cseq.number,
            invite_cseq=invite.cseq.number,
        )

    @classmethod
    def as_uas(cls, invite: SipRequest, local_tag: str, contact: str) -> Dialog:
        """The dialog that our response to an INVITE makes (section 12.1.1).

        Raises:
            SipParseError: the INVITE has no Contact that can be sent to.
        """
        peer = invite.contact
        if peer is None or not peer.uri.is_sip:
            raise SipParseError("an INVITE needs one that can be sent to", field="Contact")
        return cls(
            call_id=invite.call_id,
            local=invite.to.with_tag(local_tag),
            remote=invite.from_,
            remote_target=peer.uri,
            contact=contact,
            route_set=tuple(invite.record_routes),
            local_cseq=0,
            remote_cseq=invite.cseq.number,
            invite_cseq=invite.cseq.number,
        )

    @property
    def next_hop(self) -> SipUri:
        """Where requests are sent to: the first proxy of the route set, else the remote target."""
        return self.route_set[0].uri if self.route_set else self.remote_target

    @property
    def id(self) -> DialogId:
        """What finds the dialog."""
        return self.call_id, self.local.tag or "", self.remote.tag or ""

    def build(
        self,
        method: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> SipRequest:
        """The next request of this end, without a Via (section 12.2.1.1); takes the next CSeq.

        Raises:
            SipParseError: a header would break its line.
        """
        self.local_cseq += 1
        request = self._request(method, self.local_cseq)
        if method in _REFRESHES_TARGET:
            request.headers.set("Contact", self.contact)
        request.headers.extend(headers)
        if body:
            request.body = body
            request.headers.set("Content-Type", content_type or "application/sdp")
        return request

    def ack(self, cseq: int, authorization: Sequence[tuple[str, str]] = ()) -> SipRequest:
        """The ACK of a 2xx to the INVITE of that number (section 13.2.2.4); without a Via."""
        request = self._request("ACK", cseq)
        request.headers.extend(authorization)
        return request

    def _request(self, method: str, cseq: int) -> SipRequest:
        uri, routes = self.remote_target, list(self.route_set)
        if routes and "lr" not in routes[0].uri.params:
            # The first proxy is a strict router: it wants itself in the Request-URI, the target last.
            uri = routes.pop(0).uri
            routes.append(NameAddr("", self.remote_target))
        request = SipRequest(method, uri)
        request.headers.extend(("Route", str(route)) for route in routes)
        request.headers.add("Max-Forwards", "70")
        request.headers.add("From", str(self.local))
        request.headers.add("To", str(self.remote))
        request.headers.add("Call-ID", self.call_id)
        request.headers.add("CSeq", f"{cseq} {method}")
        return request

    def in_order(self, request: SipRequest) -> bool:
        """Whether a request of the peer is in order; its number is then remembered (section 12.2.2).

        False means it is to be answered 500: it was overtaken by a later one.
        """
        cseq = request.cseq.number
        if self.remote_cseq is not None and cseq < self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def refresh_target(self, message: SipRequest | SipResponse) -> bool:
        """Take over the Contact of an accepted re-INVITE or UPDATE of either end; True if it changed."""
        contact = message.contact
        if contact is None or not contact.uri.is_sip or message.cseq.method not in _REFRESHES_TARGET:
            return False
        changed = contact.uri != self.remote_target
        self.remote_target = contact.uri
        return changed
