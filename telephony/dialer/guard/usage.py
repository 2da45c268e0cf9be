"""What has been dialled and what is under way, as far as caps look at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """The calls out of the last 24 hours: of the line, of one key, or to one number.

    Attributes:
        calls: how many.
        seconds: of talk; what is under way counts at its longest.
        micros: what they cost, likewise, in millionths of the price table's currency.
        active: how many are under way.
        oldest: when the first of them was permitted; it is the next to be a day old.
    """

    calls: int = 0
    seconds: float = 0.0
    micros: int = 0
    active: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The counts behind one decision.

    Attributes:
        line, key, number: the calls out.
        active_by_trunk: calls out under way, by the trunk's name.
        recent_by_trunk: when calls of the last seconds were permitted, newest first.
        inbound: calls in that are under way.
        inbound_by_number: the same by the digits of the number that was called.
        do_not_call: whether the called number is on the do-not-call list.
        known: False where nobody could be asked and all counts are zero.
    """

    line: Tally = Tally()
    key: Tally = Tally()
    number: Tally = Tally()
    active_by_trunk: Mapping[str, int] = field(default_factory=dict)
    recent_by_trunk: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    inbound: int = 0
    inbound_by_number: Mapping[str, int] = field(default_factory=dict)
    do_not_call: bool = False
    known: bool = True
