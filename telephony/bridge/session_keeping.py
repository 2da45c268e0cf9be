"""The session timer of one call: repeat the session in time, or find out that the phone is gone (RFC 4028).

Guarantee: while a timer is agreed the call ends at the latest with its interval, however the phone vanished:
also during a hold, when no RTP is expected. Nothing runs after ``close``.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from telephony.errors import SdpError, SipError
from telephony.logs import get_logger
from telephony.sip import session_timer
from telephony.sip.timers import NamedTimers

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.agreement import MediaAgreement
    from telephony.clock import Clock
    from telephony.sip.message import SipResponse
    from telephony.sip.session import DialogSession
    from telephony.sip.session_timer import Terms

log = get_logger(__name__)

_GLARE_S = (2.1, 4.0)
"""Who made the dialog waits this long after a 491; the other end less (RFC 3261 section 14.1)."""
_LATER_S = 10.0
_NO_SUCH_METHOD = frozenset({405, 488, 501})


class SessionKeeper:
    """Keeps one session.

    Args:
        by_update: whether the phone takes UPDATE; else a re-INVITE repeats the session.
        on_expired: called at most once, when the interval is over without a refresh.

    Attributes:
        terms: what is agreed now; None = no timer.
    """

    def __init__(
        self,
        clock: Clock,
        session: DialogSession,
        agreement: MediaAgreement,
        *,
        by_update: bool,
        on_expired: Callable[[], None],
    ) -> None:
        self.terms: Terms | None = None
        self._session = session
        self._agreement = agreement
        self._by_update = by_update
        self._on_expired = on_expired
        self._timers = NamedTimers(clock)
        self._refreshing: asyncio.Task[None] | None = None
        self._closed = False

    def follow(self, terms: Terms | None) -> None:
        """The session was set up or repeated now, on these terms."""
        self._timers.stop_all()
        self.terms = terms
        if terms is None or self._closed:
            return
        self._timers.start("expire", terms.expire_after_s, self._expire)
        if terms.ours:
            self._timers.start("refresh", terms.refresh_after_s, self._begin)

    def close(self) -> None:
        """Keep it no more; harmless when repeated."""
        self._closed = True
        self._timers.stop_all()
        if self._refreshing is not None:
            self._refreshing.cancel()

    def _expire(self) -> None:
        self.close()
        self._on_expired()

    def _begin(self) -> None:
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        try:
            response = await self._ask()
        except SipError as error:
            # Where the phone did not answer at all the dialog is over, and whoever watches it knows.
            log.info("session_not_refreshed", reason=error.message)
            self._again(error.retryable)
            return
        if 200 <= response.status < 300:
            self.follow(session_timer.agreed(response, before=self.terms))
        elif not self._adapt(response):
            log.info("session_refresh_refused", sip_status=response.status)
            self._again(response.status == 491)

    async def _ask(self) -> SipResponse:
        terms = self.terms
        assert terms is not None, "the timer runs"
        if self._by_update:
            return await self._session.request("UPDATE", terms.request_headers())
        response = await self._session.request(
            "INVITE", terms.request_headers(), self._agreement.offer_same()
        )
        if 200 <= response.status < 300:
            try:
                self._agreement.accept(response.body)
            except SdpError as error:
                log.warning("refresh_answer_unusable", reason=error.message)
        return response

    def _adapt(self, response: SipResponse) -> bool:
        """Ask again at once, in another way, where that may help."""
        if response.status == 422 and self.terms is not None:
            least = session_timer.min_se(response)
            if least <= self.terms.interval_s:
                return False
            self.terms = replace(self.terms, interval_s=least)
        elif self._by_update and response.status in _NO_SUCH_METHOD:
            self._by_update = False
        else:
            return False
        self._timers.start("refresh", 0.0, self._begin)
        return True

    def _again(self, soon: bool) -> None:
        if not self._closed and not self._session.ended.is_set():
            self._timers.start("refresh", random.uniform(*_GLARE_S) if soon else _LATER_S, self._begin)
