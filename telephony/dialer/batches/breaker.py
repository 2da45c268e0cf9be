"""Stops a batch whose calls fail by the line's own fault, before it has burnt its list. Pure.

A circuit breaker as M. Nygard describes it (Release It!): closed while calls work; open after too many
failures, in a row or among the last ones; half-open when its pause is over, for one call, whose end alone
decides. Each failed trial doubles the pause; after some of them only a person closes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from telephony.calls.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.dialer.batches.options import BreakerLimits

LONGEST_PAUSE_S = 3600.0

LINE_CODES = frozenset(
    {"agent_lost", "bridge_lost", "server_lost", "media_timeout", "no_agent", "shutdown", "dial_unknown"}
)
"""Causes of an end that are ours, even where somebody had answered."""

_SAYS_NOTHING = frozenset({Outcome.BLOCKED, Outcome.REFUSED_BY_US, Outcome.CANCELLED})
_NOT_TRIED = frozenset({"too_late", "no_line"})


class Position(StrEnum):
    """Where the breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


def line_failed(outcome: Outcome, code: str | None) -> bool | None:
    """Whether a call's end speaks against the line; None where it says nothing of it.

    Args:
        code: the key of the call's cause in ``telephony.calls.outcomes.CAUSES``.
    """
    if outcome in _SAYS_NOTHING or code in _NOT_TRIED:
        return None
    return outcome in (Outcome.FAILED, Outcome.UNKNOWN) or code in LINE_CODES


@dataclass(frozen=True, slots=True)
class Breaker:
    """One batch's.

    Attributes:
        in_a_row: failures since the last call that worked.
        recent: of the last calls, oldest first, whether each failed.
        pauses: how many times in a row it opened.
        until: when the pause is over; None while closed, and when a person has to close it.
        probe: the row whose call is the trial.
    """

    position: Position = Position.CLOSED
    in_a_row: int = 0
    recent: tuple[bool, ...] = ()
    pauses: int = 0
    until: datetime | None = None
    probe: int | None = None

    def at(self, now: datetime) -> Breaker:
        """The breaker as it stands now: half-open once its pause is over."""
        if self.position is Position.OPEN and self.until is not None and now >= self.until:
            return replace(self, position=Position.HALF_OPEN, until=None, probe=None)
        return self

    def probing(self, row: int) -> Breaker:
        """One call is made to see whether the line works again."""
        return replace(self, probe=row)

    def after(self, failed: bool | None, row: int, limits: BreakerLimits, now: datetime) -> Breaker:
        """The breaker after a call's end.

        Args:
            failed: see ``line_failed``.
            row: whose call it was; while half-open only the trial's counts, while open nobody's.
        """
        if self.position is Position.HALF_OPEN and row == self.probe:
            if failed is None:
                return replace(self, probe=None)
            return self._opened(limits, now) if failed else Breaker()
        if self.position is not Position.CLOSED or failed is None:
            return self
        recent = (*self.recent, failed)[-limits.of_last :]
        noted = replace(self, recent=recent, in_a_row=self.in_a_row + 1 if failed else 0)
        tripped = noted.in_a_row >= limits.in_a_row or sum(recent) >= limits.failures
        return noted._opened(limits, now) if failed and tripped else noted

    def _opened(self, limits: BreakerLimits, now: datetime) -> Breaker:
        pauses = self.pauses + 1
        pause_s = min(limits.pause_s * 2 ** (pauses - 1), max(LONGEST_PAUSE_S, limits.pause_s))
        until = None if pauses >= limits.give_up_after else now + timedelta(seconds=pause_s)
        return replace(self, position=Position.OPEN, pauses=pauses, until=until, probe=None)

    def sentence(self) -> str:
        """Why the batch pauses."""
        what = (
            f"{self.in_a_row} calls in a row"
            if self.in_a_row >= sum(self.recent)
            else f"{sum(self.recent)} of the last {len(self.recent)} calls"
        )
        then = (
            "somebody resumes it" if self.until is None else f"one call is tried at {self.until:%H:%M:%S} UTC"
        )
        return f"{what} failed by the line's own fault; it waits until {then}."

    def to_json(self) -> dict[str, Any]:
        """The JSON shape that the store keeps."""
        return {
            "position": self.position,
            "in_a_row": self.in_a_row,
            "recent": list(self.recent),
            "pauses": self.pauses,
            "until": self.until.isoformat() if self.until else None,
            "probe": self.probe,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Breaker:
        """Read the shape of ``to_json`` back; nothing is a closed one."""
        if not raw:
            return cls()
        until = raw["until"]
        return cls(
            Position(raw["position"]),
            raw["in_a_row"],
            tuple(raw["recent"]),
            raw["pauses"],
            datetime.fromisoformat(until) if until else None,
            raw["probe"],
        )
