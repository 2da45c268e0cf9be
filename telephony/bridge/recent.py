"""What is known of INVITEs seen lately: the id of a call that comes back, and answers to repeat.

Pure but for the clock. A caller that is asked for its password sends its INVITE again with the same
Call-ID and From tag: it is the same call. One that was told that nobody is here and asks the same again
gets the same answer without asking livekit-server again. Mirrors livekit/sip v1.11.0, which keeps
rejections for a minute; refusals that may pass, such as 503, are not kept.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from telephony.bridge.psrpc import new_id

if TYPE_CHECKING:
    from telephony.bridge.refusal import Refusal
    from telephony.clock import Clock

T = TypeVar("T")

KEPT_S = 60.0
MAX_KEPT = 5000

_KEPT_STATUSES = frozenset({404, 488, 501})

Key = tuple[str, str]
"""Call-ID and From tag."""


class RecentInvites:
    """A bounded memory of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids: OrderedDict[Key, tuple[float, str]] = OrderedDict()
        self._refusals: OrderedDict[Key, tuple[float, Refusal]] = OrderedDict()

    def call_id(self, key: Key) -> str:
        """``SCL_`` and twelve characters, the same for a call that comes back within a minute."""
        known = self._fresh(self._ids, key)
        call_id = known or new_id("SCL_")
        self._keep(self._ids, key, call_id)
        return call_id

    def forget(self, key: Key) -> None:
        """The call is over: the same key would be another one."""
        self._ids.pop(key, None)

    def refused(self, key: Key) -> Refusal | None:
        """The refusal to repeat, or None."""
        return self._fresh(self._refusals, key)

    def refuse(self, key: Key, refusal: Refusal) -> None:
        """Keep a refusal, if it is one that stands."""
        if refusal.status in _KEPT_STATUSES:
            self._keep(self._refusals, key, refusal)

    def _fresh(self, kept: OrderedDict[Key, tuple[float, T]], key: Key) -> T | None:
        found = kept.get(key)
        if found is None or self._clock.now() - found[0] > KEPT_S:
            return None
        return found[1]

    def _keep(self, kept: OrderedDict[Key, tuple[float, T]], key: Key, value: T) -> None:
        kept[key] = (self._clock.now(), value)
        kept.move_to_end(key)
        while len(kept) > MAX_KEPT:
            kept.popitem(last=False)
