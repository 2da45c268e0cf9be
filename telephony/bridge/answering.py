"""While it rings: answer the call, or refuse it.

Pure but for the clock. Guarantee: exactly one decision, and always one: a call that nobody comes for is
refused within the agent's wait, one whose agent never speaks when the ringing time is over.
Mirrors step 10 of livekit/sip v1.11.0 ``pkg/sip/inbound.go``: a subscribed audio track, or another caller
in the room, answers. The wait for an agent is ours: livekit-sip rings on for three minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.bridge import refusal
from telephony.sip.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.people import People
    from telephony.bridge.refusal import Refusal
    from telephony.clock import Clock, TimerHandle

RINGING_TIMEOUT_S = 180.0
"""How long a call rings when neither trunk nor rule says, as with livekit-sip."""

GONE_GRACE_S = 1.0
"""How long a room stays worth ringing for after whoever came has left again."""

LOOK_AGAIN_S = 3.5
"""livekit-server tells of participants that publish nothing up to three seconds late, in batches: whoever is
there must have been told of by then."""

LOOK_TIMEOUT_S = 1.5
"""How long the server may take to say who is in the room."""


class AnswerGate:
    """The decision of one call.

    Attributes:
        decision: None to answer, or the refusal.
        look: asks the server who is in the room and gives the answer to ``looked``; called before a call is
            refused because nobody came, since a silent agent may be there that was not told of yet.

    Args:
        invited_at: clock time of the INVITE, from which the wait for an agent counts.
        agent_wait_s: 0 = no limit of its own.
        ringing_s: counts from ``start``.
        refuse_status: for a call that nobody comes for.
    """

    def __init__(
        self, clock: Clock, *, invited_at: float, agent_wait_s: float, ringing_s: float, refuse_status: int
    ) -> None:
        self.decision: Outcome[Refusal | None] = Outcome()
        self._clock = clock
        self._invited_at = invited_at
        self._agent_wait_s = agent_wait_s
        self._ringing_s = ringing_s
        self._refuse_status = refuse_status
        self._timers: dict[str, TimerHandle] = {}
        self._somebody = False
        self.look: Callable[[], None] | None = None

    def start(self, people: People) -> None:
        """Begin to decide, with those who are in the room already."""
        if self.decision.done:
            return
        self._timers["ringing"] = self._clock.call_later(self._ringing_s, self._rang_out)
        left = self._invited_at + self._agent_wait_s - self._clock.now()
        self._wait_for_somebody(left)
        self.people(people)

    def people(self, people: People) -> None:
        """Somebody came or left."""
        if people.sip:
            self._decide(None)
        elif people.anybody:
            self._somebody = True
            self._stop("nobody")
            self._stop("looking")
        elif self._somebody:
            self._somebody = False
            left = self._invited_at + self._agent_wait_s - self._clock.now()
            self._wait_for_somebody(max(left, GONE_GRACE_S))

    def looked(self, people: People) -> None:
        """The server says who is in the room."""
        self._stop("looking")
        if self.decision.done or self._somebody:
            return
        if people.anybody:
            self._wait_for_somebody(LOOK_AGAIN_S)
        else:
            self._nobody_came()

    def audible(self) -> None:
        """An audio track is subscribed."""
        self._decide(None)

    def refuse(self, refusal: Refusal) -> None:
        """Something else ends the ringing."""
        self._decide(refusal)

    def abandon(self) -> None:
        """The caller gave up: whoever waits is woken, nothing is to be answered."""
        self._decide(None)

    def close(self) -> None:
        """Decide nothing more."""
        for name in list(self._timers):
            self._stop(name)

    def _wait_for_somebody(self, seconds: float) -> None:
        self._stop("nobody")
        if self._agent_wait_s:
            self._timers["nobody"] = self._clock.call_later(max(0.0, seconds), self._waited)

    def _waited(self) -> None:
        if self.look is None:
            self._nobody_came()
            return
        self._timers["looking"] = self._clock.call_later(LOOK_TIMEOUT_S, self._nobody_came)
        self.look()

    def _nobody_came(self) -> None:
        waited = self._clock.now() - self._invited_at
        self._decide(refusal.no_agent(self._refuse_status, waited))

    def _rang_out(self) -> None:
        self._decide(refusal.agent_silent(self._ringing_s))

    def _decide(self, decision: Refusal | None) -> None:
        self.close()
        self.decision.set(decision)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
