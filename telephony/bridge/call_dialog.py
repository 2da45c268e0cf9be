"""The dialog of one call with its phone, from the answer on: kept alive, renegotiated, and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.bridge import ending
from telephony.bridge.caller_identity import told_headers
from telephony.bridge.renegotiation import Renegotiation
from telephony.bridge.session_keeping import SessionKeeper
from telephony.sip.session_timer import EXPIRED_REASON, allows_update

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.call import Call
    from telephony.sip.incoming import IncomingRequest
    from telephony.sip.session import DialogSession
    from telephony.sip.session_timer import Terms


class CallDialog:
    """One call's.

    Args:
        on_held: told whether the phone is on hold, after each renegotiation.

    Attributes:
        asked_headers: what whoever ends the call wants our BYE to tell.
    """

    def __init__(self, call: Call, on_held: Callable[[bool], None]) -> None:
        self._call = call
        self._on_held = on_held
        self._session: DialogSession | None = None
        self._keeper: SessionKeeper | None = None
        self._renegotiation: Renegotiation | None = None
        self.asked_headers: dict[str, str] = {}

    def begin(self, session: DialogSession, terms: Terms | None) -> None:
        """There is a dialog, and media is agreed.

        Args:
            terms: of the session timer, as agreed with the 200.
        """
        call, agreement, peer = self._call, self._call.agreement, session.response or session.invite
        assert agreement is not None, "media is opened before a call is connected"
        self._session = session
        session.on_request = self._take
        session.on_ack_timeout = lambda: call.end(ending.NOT_ACKNOWLEDGED)
        self._keeper = SessionKeeper(
            call.services.clock,
            session,
            agreement,
            by_update=peer is not None and allows_update(peer),
            on_expired=self._expired,
        )
        self._keeper.follow(terms)
        self._renegotiation = Renegotiation(
            call.record.call_id,
            session,
            agreement,
            self._keeper,
            on_held=self._on_held,
            on_unusable=lambda: call.end(ending.NO_MEDIA_AGREED),
        )

    async def watch(self, session: DialogSession) -> None:
        """End the call with its dialog."""
        await session.ended.wait()
        gone = ending.CALLER_HUNG_UP if session.ended_by == "remote" else ending.CALLER_VANISHED
        self._call.end(gone)

    def remote_headers(self) -> list[tuple[str, str]]:
        """What the phone told when the call came about; empty before there is a dialog."""
        session = self._session
        if session is None:
            return []
        if session.response is not None:
            return list(session.response.headers)
        return told_headers(session.invite) if session.invite is not None else []

    async def say_bye(self, headers: list[tuple[str, str]]) -> None:
        """End the dialog, unless it has ended."""
        if self._session is None or self._session.ended.is_set():
            return
        await self._session.bye(headers)

    def close(self) -> None:
        """Keep it alive no more."""
        if self._keeper is not None:
            self._keeper.close()

    def _take(self, incoming: IncomingRequest) -> None:
        on_notify = self._call.on_notify
        if incoming.method == "BYE":
            self._call.end(ending.CALLER_HUNG_UP)
        elif incoming.method in ("INVITE", "UPDATE") and self._renegotiation is not None:
            self._renegotiation.take(incoming)
        elif incoming.method == "OPTIONS":
            incoming.respond(200)
        elif incoming.method == "NOTIFY" and on_notify is not None:
            on_notify(incoming)
        else:
            incoming.respond(405)

    def _expired(self) -> None:
        self.asked_headers = dict([EXPIRED_REASON])
        self._call.end(ending.SESSION_EXPIRED)
