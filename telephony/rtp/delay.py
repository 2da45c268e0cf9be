"""How long audio waits before it is played: how long it should, how long it does, and when to act.

The network's part is the transit time of packets (arrival minus playout position) and its least value
over two seconds, the reference: a minimum follows clock drift and a new route, and ignores jitter. Our
part is the playout time (now minus playout position), again by its least value over a second, because
a tick can only ever be late. Their difference is the delay. It is held between the target and one frame
above it, with some hysteresis, so that neither drift nor the phase of the tick makes it hunt.

Pure: times come as arguments, in seconds on any one clock.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from telephony.audio.frame import FRAME_S
from telephony.rtp.minimum import SlidingMinimum

REFERENCE_WINDOW_S = 2.0
PLAYOUT_WINDOW_S = 1.0

FORCED_INTERVAL_S = 1.0
"""In speech, the delay is moved by one frame this often at most."""

JUMP_S = 0.2
"""A surplus this large is an interruption that is over: it is skipped at once."""

_HYSTERESIS_S = 0.005
_SLACK_S = 0.001
"""In silence a whole frame of surplus goes at once; in speech it must be clear that it is one."""

_HISTORY_PACKETS = 500
_REVIEW_PACKETS = 25
_IN_TIME = 0.99
_MARGIN_S = 0.005


class Target(Protocol):
    """The delay to hold, in seconds."""

    @property
    def value_s(self) -> float:
        """What it is now."""

    def observe(self, lateness_s: float) -> None:
        """Learn how much later than the reference a packet came."""


class FixedTarget:
    """The same delay always."""

    def __init__(self, value_s: float) -> None:
        self._value_s = value_s

    @property
    def value_s(self) -> float:
        return self._value_s

    def observe(self, lateness_s: float) -> None:
        """Nothing to learn."""


class AdaptiveTarget:
    """As little delay as lets 99 % of the packets of the last ten seconds come in time.

    Args:
        low_s: never less.
        high_s: never more; packets later than that are concealed.
        start_s: until 25 packets are known.
    """

    def __init__(self, low_s: float = 0.02, high_s: float = 0.06, start_s: float = 0.04) -> None:
        self._low_s = low_s
        self._high_s = high_s
        self._value_s = min(high_s, max(low_s, start_s))
        self._lateness: deque[float] = deque(maxlen=_HISTORY_PACKETS)
        self._until_review = _REVIEW_PACKETS

    @property
    def value_s(self) -> float:
        return self._value_s

    def observe(self, lateness_s: float) -> None:
        self._lateness.append(lateness_s)
        self._until_review -= 1
        if self._until_review > 0:
            return
        self._until_review = _REVIEW_PACKETS
        ordered = sorted(self._lateness)
        needed = ordered[min(len(ordered) - 1, int(len(ordered) * _IN_TIME))] + _MARGIN_S
        self._value_s = min(self._high_s, max(self._low_s, needed))


class DelayControl:
    """Measures the delay of one stream and says when to change it.

    Args:
        target: the delay to hold.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._reference = SlidingMinimum(REFERENCE_WINDOW_S)
        self._playout = SlidingMinimum(PLAYOUT_WINDOW_S)
        self._now = 0.0
        self._steady_at = 0.0
        self._forced_at = float("-inf")
        self._urgent = False

    @property
    def known(self) -> bool:
        """Whether there is a stream to measure against."""
        return bool(self._reference)

    @property
    def delay_s(self) -> float:
        """The delay after the fastest packets of the last seconds; 0 before there is one."""
        return self._playout.value - self._reference.value if self._playout and self._reference else 0.0

    def restart(self, at_s: float) -> None:
        """Measure anew from ``at_s``: another stream, or another place on the playout line."""
        self._reference.clear()
        self._playout.clear()
        self._steady_at = at_s + PLAYOUT_WINDOW_S

    def lateness_s(self, transit_s: float) -> float:
        """How much later than the reference a packet with this transit time is; negative if earlier."""
        return transit_s - self._reference.value

    def due_s(self, now_s: float) -> float:
        """Where on the playout line, in seconds, the target delay would have us play now."""
        return now_s - self._reference.value - self.target.value_s

    def arrived(self, at_s: float, transit_s: float) -> None:
        """A packet came."""
        self._reference.add(at_s, transit_s)
        self.target.observe(transit_s - self._reference.value)

    def playing(self, now_s: float, playout_s: float) -> int:
        """A frame is about to be played; give how many whole frames to skip before it, mostly 0."""
        self._now = now_s
        self._playout.add(now_s, playout_s)
        if not self._reference:
            return 0
        surplus = playout_s - self._reference.value - self.target.value_s
        if surplus <= JUMP_S:
            return 0
        frames = int(surplus / FRAME_S)
        self._playout.clear()
        self._playout.add(now_s, playout_s - frames * FRAME_S)
        self._steady_at = now_s + PLAYOUT_WINDOW_S
        return frames

    def wanted(self) -> int:
        """Frames to drop (1) or to hold (-1) to come back to the target, else 0."""
        if not self._reference or self._now < self._steady_at:
            return 0
        surplus = self.delay_s - self.target.value_s
        self._urgent = not -_HYSTERESIS_S <= surplus <= FRAME_S + _HYSTERESIS_S
        if surplus > FRAME_S + _SLACK_S:
            return 1
        return -1 if surplus < -_HYSTERESIS_S else 0

    def permits(self, *, silent: bool) -> bool:
        """Whether to do what is wanted with the frame at hand: in silence always, in speech sparingly."""
        if silent:
            return True
        if not self._urgent or self._now - self._forced_at < FORCED_INTERVAL_S:
            return False
        self._forced_at = self._now
        return True

    def dropped(self, frames: int) -> None:
        """So many frames were left out; negative if held."""
        self._playout.shift(-frames * FRAME_S)
