"""Which dialogs and unanswered INVITEs an endpoint has, and which of them a message belongs to.

Guarantee: a dialog is found by Call-ID and both tags (RFC 3261 section 12), never by Call-ID alone;
nothing is left of a call 32 s after its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telephony.clock import TimerHandle
    from telephony.sip.dialog import DialogId
    from telephony.sip.incoming import IncomingInvite
    from telephony.sip.message import SipRequest, SipResponse
    from telephony.sip.session import DialogSession
    from telephony.sip.stack import Stack
    from telephony.sip.transaction import ServerTransaction
    from telephony.sip.via import Address


class Registry:
    """The calls of one endpoint; what sessions and INVITEs see of it is ``core.Core``."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._sessions: dict[DialogId, DialogSession] = {}
        self._departed: dict[DialogId, TimerHandle] = {}
        self._invites: set[IncomingInvite] = set()

    @property
    def stack(self) -> Stack:
        """Transports and transactions."""
        return self._stack

    @property
    def dialogs(self) -> int:
        """Dialogs that have not ended."""
        return len(self._sessions)

    @property
    def unanswered(self) -> int:
        """INVITEs that the owner still has to answer."""
        return len(self._invites)

    # What the parts of a call tell

    def established(self, session: DialogSession) -> None:
        """A dialog began."""
        self._sessions[session.dialog.id] = session

    def departed(self, session: DialogSession) -> None:
        """A dialog ended: for 32 s a BYE that crossed ours is still answered 200."""
        key = session.dialog.id
        if self._sessions.pop(key, None) is not None:
            delay = self._stack.timers.timeout
            self._departed[key] = self._stack.clock.call_later(delay, lambda: self._forget(key))

    def _forget(self, key: DialogId) -> None:
        self._departed.pop(key, None)

    def settled(self, invite: IncomingInvite) -> None:
        """An INVITE has its final response, or never gets one."""
        self._invites.discard(invite)

    # What the endpoint asks

    def add(self, invite: IncomingInvite) -> None:
        """A new INVITE is handed to the owner."""
        self._invites.add(invite)

    def drop_answered(self) -> None:
        """Forget INVITEs that were answered behind their owner's back, after a failure of it."""
        self._invites = {invite for invite in self._invites if not invite.answered}

    def session_of(self, request: SipRequest) -> DialogSession | None:
        """The live dialog of a request of the peer."""
        return self._sessions.get(_dialog_of(request))

    def session_of_response(self, response: SipResponse) -> DialogSession | None:
        """The live dialog of a response to a request of ours."""
        key = (response.call_id, response.from_.tag or "", response.to.tag or "")
        return self._sessions.get(key)

    def has_departed(self, request: SipRequest) -> bool:
        """Whether the request belongs to a dialog that ended a moment ago."""
        return _dialog_of(request) in self._departed

    def needs(self, peer: Address) -> bool:
        """Whether a dialog's peer can be reached only by the connection that it made from there."""
        return any(
            session.next_hop is not None and session.next_hop.address == peer
            for session in self._sessions.values()
        )

    def early_of(self, request: SipRequest) -> IncomingInvite | None:
        """The unanswered INVITE whose early dialog a request belongs to."""
        key = _dialog_of(request)
        return next((invite for invite in self._invites if _early_dialog_of(invite) == key), None)

    def unanswered_by(self, transaction: ServerTransaction) -> IncomingInvite | None:
        """The unanswered INVITE of a transaction."""
        return next((item for item in self._invites if item.request is transaction.request), None)

    def has_merged(self, invite: IncomingInvite) -> bool:
        """Whether the INVITE is one that came already by another way (section 8.2.2.2)."""
        return any(_same_request(invite.request, other.request) for other in self._invites)

    def close(self) -> None:
        """Forget everything; no request is sent."""
        for session in list(self._sessions.values()):
            session.close()
        for timer in self._departed.values():
            timer.cancel()
        self._departed.clear()
        self._invites.clear()


def _dialog_of(request: SipRequest) -> DialogId:
    return request.call_id, request.to.tag or "", request.from_.tag or ""


def _early_dialog_of(invite: IncomingInvite) -> DialogId:
    return invite.request.call_id, invite.local_tag, invite.request.from_.tag or ""


def _same_request(left: SipRequest, right: SipRequest) -> bool:
    return (left.call_id, left.cseq, left.from_.tag) == (right.call_id, right.cseq, right.from_.tag)
