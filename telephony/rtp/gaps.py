"""Gaps in what arrives: moments in which a listener had nothing to hear, whichever way they came about.

Pure. A gap is more than 60 ms between two packets that silence suppression does not explain: packets were
lost in between, or they came late in a bunch. A sender that pauses on purpose goes on in sequence, with a
timestamp that has counted the pause (RFC 3550 section 5.1): that is no gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.audio.frame import RATE

if TYPE_CHECKING:
    from telephony.rtp.packet import RtpPacket

GAP_S = 0.06
"""What concealment can cover; more is heard."""


class Gaps:
    """Counts one direction of one call.

    Attributes:
        count: how many there were.
        longest_s: the longest.
        total_s: all together.
    """

    def __init__(self) -> None:
        self.count = 0
        self.longest_s = 0.0
        self.total_s = 0.0
        self._last: tuple[int, int, int, float] | None = None

    def arrived(self, packet: RtpPacket, at_s: float) -> None:
        """A packet that counts has come."""
        last = self._last
        self._last = (packet.ssrc, packet.sequence, packet.timestamp, at_s)
        if last is None or last[0] != packet.ssrc:
            return
        pause = at_s - last[3]
        if pause <= GAP_S:
            return
        counted = (packet.timestamp - last[2] & 0xFFFFFFFF) / RATE
        in_sequence = (packet.sequence - last[1] & 0xFFFF) == 1
        if in_sequence and counted > pause - GAP_S:
            return
        self.count += 1
        self.total_s += pause
        self.longest_s = max(self.longest_s, pause)

    def pause(self) -> None:
        """Nothing is expected for now, as during a hold: what comes next begins anew."""
        self._last = None
