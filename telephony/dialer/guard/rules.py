"""What the operator allows, as the guard reads it. The defaults allow nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from telephony.calls.cost import PriceTable
from telephony.dialer.guard.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.dialer.guard.hours import Hours

Amount = TypeVar("Amount", int, float)

DAY_S = 24 * 3600
"""A day of every cap: the last 24 hours, so that no midnight gives a second helping."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of the line or of one key; None: none. Spend in millionths of the price table's currency.

    Attributes:
        concurrent: calls at once.
        calls: in any 24 hours.
        minutes: of talk in any 24 hours; calls under way count at their longest.
        spend_micros: in any 24 hours; calls under way count at their longest.
    """

    concurrent: int | None = None
    calls: int | None = None
    minutes: float | None = None
    spend_micros: int | None = None

    def lowered_by(self, other: Limits | None) -> Limits:
        """The lower of each cap."""
        if other is None:
            return self
        return Limits(
            _lower(self.concurrent, other.concurrent),
            _lower(self.calls, other.calls),
            _lower(self.minutes, other.minutes),
            _lower(self.spend_micros, other.spend_micros),
        )


def _lower(left: Amount | None, right: Amount | None) -> Amount | None:
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)


@dataclass(frozen=True, slots=True)
class TrunkRules:
    """A trunk that calls out.

    Attributes:
        name: in the file.
        place: its path in the file, such as ``sip_trunks[0]``.
        caller_ids: its numbers, as the file writes them: what calls may show.
        max_calls: at once, calls in included; None: not known.
        max_calls_per_second: new calls.
        takes_calls_in: whether some of its lines must stay free for callers.
    """

    name: str
    place: str
    caller_ids: tuple[str, ...]
    max_calls: int | None = None
    max_calls_per_second: float = 1.0
    takes_calls_in: bool = True

    @property
    def burst(self) -> tuple[int, float]:
        """How many calls may begin within how many seconds."""
        count = max(1, int(self.max_calls_per_second))
        return count, count / self.max_calls_per_second


@dataclass(frozen=True, slots=True)
class GuardRules:
    """Everything that decides about calls out, but counts and the clock.

    Attributes:
        allowed_regions: ISO 3166 countries.
        denied_prefixes: beginnings of numbers in E.164.
        known_risks: further ones, with the reason.
        extra_numbers: digits of numbers that may be dialled whatever country and kind they are of.
        own_numbers: digits of every number of the file's trunks.
        trunks: those that call out, in the file's order; ``trunk`` the file's choice.
        zones: by the beginning of a number, where it lies; ``zone`` where all lie.
        worker_calls, bridge_calls: how many calls worker and bridge take at once; None: no limit.
        reserved: how many of their lines, and of each trunk's, stay free for callers.
        line: caps of all calls; ``key`` of those of one key.
        calls_per_number: in any 24 hours.
        max_price_micros: of a minute; None: none.
    """

    enabled: bool = False
    default_region: str | None = None
    allowed_regions: frozenset[str] = frozenset()
    allowed_kinds: frozenset[Kind] = frozenset({Kind.FIXED_LINE, Kind.MOBILE})
    denied_prefixes: tuple[str, ...] = ()
    known_risks: Mapping[str, str] = field(default_factory=dict)
    extra_numbers: frozenset[str] = frozenset()
    own_numbers: frozenset[str] = frozenset()
    trunks: tuple[TrunkRules, ...] = ()
    trunk: str | None = None
    hours: Hours | None = None
    zone: str | None = None
    zones: Mapping[str, str] = field(default_factory=dict)
    worker_calls: int | None = None
    bridge_calls: int | None = None
    reserved: int = 2
    ringing_timeout_s: float = 30.0
    max_call_duration_s: float = 600.0
    line: Limits = Limits(concurrent=1, calls=100, minutes=300)
    key: Limits = Limits()
    calls_per_number: int = 1
    max_price_micros: int | None = None
    prices: PriceTable = field(default_factory=PriceTable)

    @property
    def longest_burst_s(self) -> float:
        """How far back the beginnings of calls matter to the trunks' rates, in seconds."""
        return max((trunk.burst[1] for trunk in self.trunks), default=1.0)
