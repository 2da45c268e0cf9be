"""What RFC 3550 counts of a received stream: packets, cumulative loss and interarrival jitter.

Appendix A.1 (sequence numbers with cycles), A.3 (expected and lost) and A.8 (jitter).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.audio.frame import RATE

if TYPE_CHECKING:
    from telephony.rtp.reports import FarEnd

MAX_DROPOUT = 3000
"""A sequence number further ahead, or back by more than ``MAX_MISORDER``, starts the count anew."""

MAX_MISORDER = 100


@dataclass(frozen=True, slots=True)
class RtpStats:
    """One call's reception so far.

    Attributes:
        received: packets of the stream, telephone-events and repetitions included.
        lost: packets that never came (expected minus received, not below 0), over all restarts.
        late: packets that came after their time to be played.
        reordered: packets that came after one with a higher sequence number.
        duplicates: packets that came again.
        concealed: frames that were made up for missing ones.
        jitter_ms: interarrival jitter as RFC 3550 section 6.4.1 smooths it.
        delay_ms: how long the jitter buffer keeps audio, now.
        far: how the other side hears us, where it speaks RTCP.
    """

    received: int = 0
    lost: int = 0
    late: int = 0
    reordered: int = 0
    duplicates: int = 0
    concealed: int = 0
    jitter_ms: float = 0.0
    delay_ms: float = 0.0
    far: FarEnd | None = None


class Reception:
    """Counts one direction of one call across restarts of the sender."""

    def __init__(self) -> None:
        self.received = 0
        self._lost_before = 0
        self._ssrc: int | None = None
        self._base = 0
        self._highest = 0
        self._received_here = 0
        self._transit: float | None = None
        self._jitter_s = 0.0

    @property
    def expected(self) -> int:
        """Packets that the sender's current run of sequence numbers says it sent."""
        return self._highest - self._base + 1 if self._ssrc is not None else 0

    @property
    def ssrc(self) -> int | None:
        """The stream that comes now; None before the first packet."""
        return self._ssrc

    @property
    def highest(self) -> int:
        """The highest sequence number of that stream, with its cycles."""
        return self._highest

    @property
    def received_here(self) -> int:
        """Packets of that stream, of its current run of sequence numbers."""
        return self._received_here

    @property
    def lost(self) -> int:
        """Packets that never came; repetitions can hide losses, as in RFC 3550."""
        return self._lost_before + max(0, self.expected - self._received_here)

    @property
    def jitter_ms(self) -> float:
        """Smoothed interarrival jitter."""
        return 1000 * self._jitter_s

    def count(self, ssrc: int, sequence: int) -> None:
        """Count one packet of any payload type."""
        step = (sequence - self._highest) & 0xFFFF
        back = 0x10000 - step
        if ssrc != self._ssrc or (step >= MAX_DROPOUT and back > MAX_MISORDER):
            self._restart(ssrc, sequence)
        elif step < MAX_DROPOUT:
            self._highest += step
        elif self._highest - back < self._base:
            # It was sent before the first one that was counted.
            self._base = self._highest - back
        self.received += 1
        self._received_here += 1

    def time(self, timestamp: int, arrival_s: float) -> None:
        """Let an audio packet into the jitter; events do not count, their timestamps stand still."""
        transit = arrival_s - timestamp / RATE
        if self._transit is not None:
            change = abs(transit - self._transit)
            # Half a second is a pause, a restart or a wrap of the timestamp, never jitter.
            if change < 0.5:
                self._jitter_s += (change - self._jitter_s) / 16
        self._transit = transit

    def _restart(self, ssrc: int, sequence: int) -> None:
        self._lost_before = self.lost
        self._ssrc = ssrc
        self._base = self._highest = sequence
        self._received_here = 0
        self._transit = None
