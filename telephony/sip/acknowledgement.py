"""A 2xx to an INVITE, repeated until it is acknowledged (RFC 3261 section 13.3.1.4).

Guarantee: no timer is left once the ACK has come, 64 * T1 are over, or ``stop`` was called.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.sip.outcome import Outcome
from telephony.sip.timers import NamedTimers

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.sip.message import SipResponse
    from telephony.sip.stack import Stack
    from telephony.sip.transaction import ServerTransaction


class UnacknowledgedAnswer:
    """A 2xx of ours, repeated until its ACK comes or 64 * T1 are over (section 13.3.1.4)."""

    def __init__(
        self,
        stack: Stack,
        transaction: ServerTransaction,
        response: SipResponse,
        on_timeout: Callable[[], None],
        acked: asyncio.Event | None = None,
    ) -> None:
        self.cseq = response.cseq.number
        self.acked = acked or asyncio.Event()
        self.finished: Outcome[bool] = Outcome()
        self._stack = stack
        self._transaction = transaction
        self._response = response
        self._on_timeout = on_timeout
        self._timers = NamedTimers(stack.clock)
        self._timers.start("give up", stack.timers.timeout, self._give_up)
        self._repeat_after(stack.timers.t1)
        transaction.respond(response)

    def _repeat_after(self, interval: float) -> None:
        def repeat() -> None:
            self._repeat_after(min(2 * interval, self._stack.timers.t2))
            self._transaction.respond(self._response)

        # Over TCP too: behind the next hop the way may go on over UDP.
        self._timers.start("repeat", interval, repeat)

    def _give_up(self) -> None:
        self.stop()
        self._on_timeout()

    def acknowledge(self) -> None:
        """The ACK came."""
        self._timers.stop_all()
        self.acked.set()
        self.finished.set(True)

    def stop(self) -> None:
        """Repeat no more."""
        self._timers.stop_all()
        self.finished.set(False)
