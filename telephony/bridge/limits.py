"""How many calls may be up at once: in all, of one trunk, from one source.

Pure. Guarantee: a call has a place from the moment it is let in until ``leave``, and a call that is refused
takes none; so however calls come and go, no more than the limit are ever up. livekit-sip v1.11.0 has no
such limits: its ``max_active_calls`` only weighs the choice of a node for calls out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.bridge import refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.bridge.refusal import Refusal


@dataclass(frozen=True, slots=True)
class TrunkCap:
    """The limit of one line of a carrier, whose trunks for calls in and out share it.

    Args:
        name: for people.
        numbers: of the line: calls to them and from them count.
    """

    name: str
    numbers: frozenset[str]
    calls: int


@dataclass(frozen=True, slots=True)
class Caps:
    """The limits; 0 = none. ``status`` is what a call above one gets: 503 or 486.

    ``reserved``: how many places in all and of each trunk are for calls in alone, where there is a limit.
    """

    in_all: int = 0
    per_trunk: int = 0
    per_source: int = 0
    status: int = 503
    reserved: int = 0
    of_trunks: Sequence[TrunkCap] = ()
    """Lines with a limit of their own, in place of ``per_trunk``."""

    def of(self, number: str) -> TrunkCap | None:
        """The limit of the line that has a number, with or without its plus."""
        return next((cap for cap in self.of_trunks if number.removeprefix("+") in cap.numbers), None)


@dataclass(slots=True)
class _Place:
    source: str
    out: bool = False
    trunk_id: str = ""


class CallLimits:
    """The places of one bridge, ringing calls included; calls out count in all and on their trunk."""

    def __init__(self, caps: Caps | None = None) -> None:
        self._caps = caps or Caps()
        self._places: dict[str, _Place] = {}
        self._of_source: Counter[str] = Counter()
        self._of_trunk: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        """Whether no further call is taken, wherever it comes from."""
        return 0 < self._caps.in_all <= len(self._places)

    def enter(self, call_id: str, source: str = "", *, out: bool = False) -> Refusal | None:
        """Give a call a place, or say why it gets none.

        Args:
            source: the IP address that it comes from; empty for calls of our own.
            out: a call of our own, which never takes the last places that are kept for callers.
        """
        caps = self._caps
        if self.is_full:
            return refusal.at_capacity(caps.in_all, caps.status)
        if out and 0 < caps.in_all <= len(self._places) + caps.reserved:
            return refusal.kept_for_callers(caps.reserved, caps.in_all, caps.status)
        if source and 0 < caps.per_source <= self._of_source[source]:
            return refusal.source_at_capacity(caps.per_source, source, caps.status)
        self._places[call_id] = _Place(source, out)
        if source:
            self._of_source[source] += 1
        return None

    def on_trunk(self, call_id: str, trunk_id: str, number: str = "") -> Refusal | None:
        """Count a call that has a place on its trunk, or say why the trunk has none left.

        Args:
            number: ours in the call: the called one of a call in, the shown one of a call out.
        """
        place = self._places.get(call_id)
        if place is None or not trunk_id or place.trunk_id:
            return None
        caps, own = self._caps, self._caps.of(number)
        counted = trunk_id if own is None else f"line {own.name}"
        limit, taken = caps.per_trunk if own is None else own.calls, self._of_trunk[counted]
        if 0 < limit <= taken:
            if own is not None:
                return refusal.line_at_capacity(limit, own.name, caps.status)
            return refusal.trunk_at_capacity(limit, trunk_id, caps.status)
        if place.out and 0 < limit <= taken + caps.reserved:
            return refusal.kept_for_callers(caps.reserved, limit, caps.status, trunk_id)
        place.trunk_id = counted
        self._of_trunk[counted] += 1
        return None

    def leave(self, call_id: str) -> None:
        """The call is over; harmless when it has no place."""
        place = self._places.pop(call_id, None)
        if place is None:
            return
        for counter, key in ((self._of_source, place.source), (self._of_trunk, place.trunk_id)):
            if key:
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]
