"""180 Ringing: said once, and again each interval until there is a final answer.

Mirrors livekit/sip v1.11.0 ``sip_ringing_interval``: the repetition keeps proxies' timers (RFC 3261 16.6,
Timer C) and NAT bindings alive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telephony.bridge.record import CallRecord
    from telephony.clock import Clock, TimerHandle
    from telephony.sip.incoming import IncomingInvite


class Ringing:
    """The ringing of one call.

    Args:
        interval_s: between two 180.
    """

    def __init__(self, invite: IncomingInvite, clock: Clock, interval_s: float, record: CallRecord) -> None:
        self._invite = invite
        self._clock = clock
        self._interval_s = interval_s
        self._record = record
        self._timer: TimerHandle | None = None

    def begin(self) -> None:
        """Ring from now on; harmless when repeated, or when there is an answer."""
        if self._timer is None:
            self._ring()

    def stop(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        if self._invite.answered:
            return
        self._invite.respond(180, "Ringing")
        self._record.mark("ringing")
        self._timer = self._clock.call_later(self._interval_s, self._ring)
