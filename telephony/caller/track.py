"""What arrived from the other side, packet by packet, placed on one time line.

Pure. Samples are placed by their RTP timestamp, so that packets late or out of order do not move the sound;
the time line itself is the clock of the arrivals, which is what latencies are measured on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.level import dbfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from telephony.rtp.packet import RtpPacket

_RATE = 8000
_NEW_RUN_S = 1.0
"""A timestamp so far from the clock belongs to another time base, as after a change of source."""
_STALL_S = 0.06
"""When every packet of the last second is later than this, the sender has stopped and gone on."""
_STALL_PACKETS = 50


@dataclass(slots=True)
class _Run:
    """A part of the stream with one time base: ``anchor_s`` is where timestamp ``base`` lies."""

    anchor_s: float
    base: int


@dataclass(frozen=True, slots=True)
class HeardPacket:
    """One packet of audio as it arrived."""

    arrival_s: float
    """When it was received, on the caller's clock."""
    sequence: int
    """RTP sequence number, counted on through its wrap."""
    source: int
    """SSRC."""
    level_dbfs: float
    """RMS level."""
    samples: NDArray[np.int16]
    timestamp: int
    run: _Run

    @property
    def media_s(self) -> float:
        """Where its first sample lies on the time line, in s."""
        return self.run.anchor_s + (self.timestamp - self.run.base) / _RATE


class ReceivedTrack:
    """Collects the audio packets of one stream; 8 kHz mono."""

    def __init__(self) -> None:
        self.packets: list[HeardPacket] = []
        self.duplicates = 0
        self._seen: set[tuple[int, int]] = set()
        self._run: _Run | None = None
        self._source: int | None = None
        self._last_timestamp = 0
        self._last_sequence = 0
        self._lateness: deque[float] = deque(maxlen=_STALL_PACKETS)

    def add(self, packet: RtpPacket, samples: NDArray[np.int16], arrival_s: float) -> HeardPacket | None:
        """Place one packet.

        Args:
            packet: as received.
            samples: its payload decoded, shape (n,).
            arrival_s: when it arrived.

        Returns:
            The packet on the time line, or None when it has been here before.
        """
        new_source = packet.ssrc != self._source
        if new_source:
            self._source = packet.ssrc
            timestamp, sequence = packet.timestamp, packet.sequence
        else:
            timestamp = _unwrap(packet.timestamp, self._last_timestamp, 32)
            sequence = _unwrap(packet.sequence, self._last_sequence, 16)
        if (packet.ssrc, sequence) in self._seen:
            self.duplicates += 1
            return None
        self._seen.add((packet.ssrc, sequence))
        self._last_timestamp, self._last_sequence = timestamp, sequence
        run = self._place(timestamp, arrival_s, new_source=new_source)
        heard = HeardPacket(arrival_s, sequence, packet.ssrc, dbfs(samples), samples, timestamp, run)
        self.packets.append(heard)
        return heard

    def _place(self, timestamp: int, arrival_s: float, *, new_source: bool) -> _Run:
        run = self._run
        if run is not None and not new_source:
            late_s = arrival_s - run.anchor_s - (timestamp - run.base) / _RATE
            if abs(late_s) < _NEW_RUN_S:
                if late_s < 0.0:
                    # The fastest packet shows where the stream really lies; all others waited somewhere.
                    run.anchor_s += late_s
                self._lateness.append(late_s)
                if len(self._lateness) == _STALL_PACKETS and min(self._lateness) > _STALL_S:
                    run = self._begin(timestamp, arrival_s - late_s + min(self._lateness))
                return run
        return self._begin(timestamp, arrival_s)

    def _begin(self, timestamp: int, anchor_s: float) -> _Run:
        self._lateness.clear()
        self._run = _Run(anchor_s, timestamp)
        return self._run

    def samples_between(self, start_s: float, end_s: float) -> NDArray[np.int16]:
        """The sound from ``start_s`` to ``end_s``, shape (8000 * (end - start),); silence where none came."""
        line = np.zeros(max(0, round((end_s - start_s) * _RATE)), np.int16)
        for packet in reversed(self.packets):
            if packet.arrival_s < start_s - _NEW_RUN_S:
                break
            _lay(line, packet, start_s)
        return line


def _lay(line: NDArray[np.int16], packet: HeardPacket, start_s: float) -> None:
    at = round((packet.media_s - start_s) * _RATE)
    low, high = max(0, at), min(line.size, at + packet.samples.size)
    if low < high:
        line[low:high] = packet.samples[low - at : high - at]


def _unwrap(value: int, near: int, bits: int) -> int:
    """The number closest to ``near`` whose low ``bits`` are ``value``."""
    size = 1 << bits
    return near + (value - near + size // 2) % size - size // 2
