"""Whether a batch may begin calls now, and whether one of its numbers may be among them. Pure.

The guard decides once more, and finally, when the call is asked for; what is decided here keeps a batch from
asking in vain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from telephony.calls.outcomes import Outcome
from telephony.dialer.batches.breaker import Position

if TYPE_CHECKING:
    from telephony.dialer.batches.breaker import Breaker
    from telephony.dialer.batches.options import BatchOptions

ON_THE_PHONE_S = 30.0
"""A number that another row is calling is looked at again after so long."""


class Hours(Protocol):
    """When a number may be rung."""

    def next_allowed(self, number: str, at: datetime) -> datetime | None:
        """The first instant from ``at`` on at which it may ring there; None: never."""


class AnyHour:
    """No hours but the line's own, which the guard keeps."""

    def next_allowed(self, number: str, at: datetime) -> datetime | None:
        return at


@dataclass(frozen=True, slots=True)
class Standing:
    """A batch as it stands.

    Attributes:
        running: whether nobody and nothing has paused it.
        by_breaker: whether it is the breaker that has.
        active: calls of it that are under way, or about to be.
    """

    running: bool
    by_breaker: bool
    breaker: Breaker
    active: int


def places(batch: Standing, options: BatchOptions, now: datetime) -> int:
    """How many calls may be added to those under way, the pace aside."""
    if batch.running:
        return max(0, options.concurrency - batch.active)
    breaker = batch.breaker.at(now)
    trial = batch.by_breaker and breaker.position is Position.HALF_OPEN and breaker.probe is None
    return 1 if trial else 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A number whose turn it is.

    Attributes:
        forbidden: whether it is on the do-not-call list.
        on_the_phone: whether another row is calling it.
        rung: attempts by any batch within the cap's time.
        outcome: of its last attempt.
    """

    number: str
    forbidden: bool = False
    on_the_phone: bool = False
    rung: int = 0
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """It may be called now."""


@dataclass(frozen=True, slots=True)
class Later:
    """It is looked at again."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Over:
    """It is not called any more."""

    outcome: Outcome
    reason: str


def decide(candidate: Candidate, options: BatchOptions, hours: Hours, now: datetime) -> Start | Later | Over:
    """Whether a number may be called now."""
    if candidate.forbidden:
        return Over(candidate.outcome or Outcome.BLOCKED, "The number is on the do-not-call list.")
    if options.is_late(now):
        return Over(candidate.outcome or Outcome.CANCELLED, "The batch's deadline has passed.")
    if candidate.rung >= options.cap.times:
        days = options.cap.within_s / 86_400
        sentence = f"Batches have called the number {candidate.rung} times within {days:g} days."
        return Over(candidate.outcome or Outcome.BLOCKED, sentence)
    allowed_at = hours.next_allowed(candidate.number, now)
    if allowed_at is None or (options.deadline is not None and allowed_at >= options.deadline):
        sentence = "There is no calling hour for the number before the batch's deadline."
        return Over(candidate.outcome or Outcome.BLOCKED, sentence)
    if allowed_at > now:
        return Later(allowed_at, "It is not a calling hour at the called person's place.")
    if candidate.on_the_phone:
        return Later(now + timedelta(seconds=ON_THE_PHONE_S), "The number is being called by another row.")
    return Start()
