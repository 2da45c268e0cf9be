"""What counts as a gap."""

from __future__ import annotations

import pytest

from telephony.rtp.gaps import Gaps
from telephony.rtp.packet import RtpPacket

pytestmark = pytest.mark.pure


def _packet(number: int, *, timestamp: int | None = None, ssrc: int = 1) -> RtpPacket:
    stamp = number * 160 if timestamp is None else timestamp
    return RtpPacket(0, number & 0xFFFF, stamp & 0xFFFFFFFF, ssrc, False, b"\xff" * 160)


def test_a_steady_stream_has_none() -> None:
    """Also over the wraparound of sequence and timestamp, and with some jitter."""
    gaps = Gaps()
    for number in range(0xFFF0, 0x10010):
        gaps.arrived(
            _packet(number, timestamp=0xFFFFFF00 + number * 160), number * 0.02 + (number % 3) * 0.01
        )
    assert (gaps.count, gaps.longest_s) == (0, 0.0)


def test_packets_that_are_lost_in_a_row_are_one_gap() -> None:
    """Three lost ones leave 80 ms without sound; two are what concealment covers."""
    gaps = Gaps()
    for number in (0, 1, 4, 5, 9, 10):
        gaps.arrived(_packet(number), number * 0.02)
    assert gaps.count == 1
    assert gaps.longest_s == pytest.approx(0.08)


def test_packets_that_come_late_in_a_bunch_are_a_gap() -> None:
    """Nothing is lost, and the listener heard nothing all the same."""
    gaps = Gaps()
    for number, at in ((0, 0.0), (1, 0.5), (2, 0.501), (3, 0.502)):
        gaps.arrived(_packet(number), at)
    assert (gaps.count, gaps.total_s) == (1, 0.5)


def test_silence_suppression_is_no_gap() -> None:
    """The next packet in sequence, with a timestamp that has counted the pause."""
    gaps = Gaps()
    gaps.arrived(_packet(0), 0.0)
    gaps.arrived(_packet(1, timestamp=8000), 1.0)
    assert gaps.count == 0


def test_neither_a_hold_nor_a_new_stream_is_a_gap() -> None:
    """Counting begins anew."""
    gaps = Gaps()
    gaps.arrived(_packet(0), 0.0)
    gaps.pause()
    gaps.arrived(_packet(500), 30.0)
    gaps.arrived(_packet(900, ssrc=2), 60.0)
    assert gaps.count == 0
