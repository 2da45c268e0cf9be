"""What two ends tell each other of their streams, and what follows: loss, jitter and distance out there.

Pure: time is given. RFC 3550 sections 6.4 and A.3. The far end's figures are of our own stream alone; what it
says of another one is passed over. A round trip is measured by our own clock, less what the far end says it
waited; what cannot be (below zero, above ten seconds) is not believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.audio.frame import RATE
from telephony.rtp.rtcp import Report, ReportBlock, SenderInfo, middle, ntp_time, pack

if TYPE_CHECKING:
    from telephony.rtp.reception import Reception

_UNITS = 65536
_LONGEST_TRIP = 10 * _UNITS
_OWN_REPORTS = 32
"""Of ours that are remembered: an answer names one of the last."""


@dataclass(frozen=True, slots=True)
class FarEnd:
    """How the far end hears us, as it says.

    Attributes:
        loss_percent: of our packets, since the call began.
        jitter_ms: as it measures it.
        round_trip_ms: to it and back; None before it has answered a report of ours.
        reports: how many it has sent.
    """

    loss_percent: float
    jitter_ms: float
    round_trip_ms: float | None
    reports: int


@dataclass(slots=True)
class Sent:
    """Our own stream so far.

    Attributes:
        timestamp: of the next packet.
        first_sequence: the number of its first packet; None before it.
        packets, octets: sent.
    """

    timestamp: int = 0
    first_sequence: int | None = None
    packets: int = 0
    octets: int = 0


class Reports:
    """The reports of one call.

    Args:
        ssrc: our stream's.
        cname: our name in them, of this call alone (RFC 7022).
        received: the far end's stream.
        sent: ours.
    """

    def __init__(self, ssrc: int, cname: str, received: Reception, sent: Sent) -> None:
        self._ssrc = ssrc
        self._cname = cname
        self._received = received
        self._sent = sent
        self._told_packets = 0
        self._expected_before = 0
        self._received_before = 0
        self._theirs: dict[int, tuple[int, float]] = {}
        self._ours: list[int] = []
        self._far: FarEnd | None = None
        self._round_trip_ms: float | None = None
        self._count = 0

    @property
    def far(self) -> FarEnd | None:
        """What is known of the far end; None before it has said anything of our stream."""
        return self._far

    def compose(self, now: float, wall: float) -> bytes:
        """The datagram to send now.

        Args:
            now: seconds of a clock that only goes forward.
            wall: seconds since 1970.
        """
        sender = None
        if self._sent.packets != self._told_packets:
            self._told_packets = self._sent.packets
            ntp = ntp_time(wall)
            sender = SenderInfo(ntp, self._sent.timestamp, self._sent.packets, self._sent.octets)
            self._ours = [*self._ours[1 - _OWN_REPORTS :], middle(ntp)]
        block = self._block(now)
        return pack(Report(self._ssrc, sender, () if block is None else (block,)), self._cname)

    def take(self, report: Report, now: float, wall: float) -> None:
        """One report of the far end came."""
        if report.sender is not None:
            if len(self._theirs) > 8:
                self._theirs.clear()
            self._theirs[report.ssrc] = (middle(report.sender.ntp), now)
        for block in report.blocks:
            if block.ssrc == self._ssrc:
                self._heard_of_us(block, middle(ntp_time(wall)))

    def _heard_of_us(self, block: ReportBlock, now: int) -> None:
        self._count += 1
        if block.last_report in self._ours:
            # By the 16 bits of seconds that all of this is counted in.
            trip = (now - block.last_report - block.delay) & 0xFFFF_FFFF
            if trip <= _LONGEST_TRIP:
                self._round_trip_ms = round(1000 * trip / _UNITS, 1)
        self._far = FarEnd(
            loss_percent=self._loss_percent(block),
            jitter_ms=round(1000 * block.jitter / RATE, 1),
            round_trip_ms=self._round_trip_ms,
            reports=self._count,
        )

    def _loss_percent(self, block: ReportBlock) -> float:
        first = self._sent.first_sequence
        if first is None:
            return 0.0
        expected = block.highest - first + 1
        if not 0 < expected <= self._sent.packets:
            # It began to count in the middle, or counts its cycles otherwise.
            expected = self._sent.packets
        return round(100 * max(0.0, min(1.0, block.lost / expected)), 2)

    def _block(self, now: float) -> ReportBlock | None:
        received = self._received
        if received.ssrc is None:
            return None
        expected = received.expected - self._expected_before
        came = received.received_here - self._received_before
        if expected < 0:
            # The sender began anew.
            expected, came = received.expected, received.received_here
        self._expected_before, self._received_before = received.expected, received.received_here
        lost = max(0, expected - came)
        last_report, at = self._theirs.get(received.ssrc, (0, now))
        return ReportBlock(
            ssrc=received.ssrc,
            fraction_lost=min(255, lost * 256 // expected) if expected > 0 else 0,
            lost=received.expected - received.received_here,
            highest=received.highest,
            jitter=round(received.jitter_ms / 1000 * RATE),
            last_report=last_report,
            delay=round((now - at) * _UNITS),
        )
