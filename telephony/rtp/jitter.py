"""The jitter buffer: packets in as they arrive, one frame out every 20 ms.

Guarantee: what is played is in the sender's order, each sample at most once, at a steady delay after
the fastest packets of the last seconds, whatever the network, the sender or our own clock do; the
delay comes back to its target after any disturbance, and memory is bounded.

Frames are placed by RTP timestamp on a line of playout positions in samples. Gaps in timestamps are
therefore silence of the right length (silence suppression, telephone-events in place of audio),
packets of any length are cut anew into frames, and losses need no sequence numbers. Every packet tells
a transit time (arrival minus position); the least one of the last seconds is the reference against
which the delay of the playout is held: a surplus is removed by dropping a frame, a shortage by holding
one, in silence where there is any.

Pure: the time comes as an argument.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, RATE, Samples, to_int16
from telephony.audio.g711 import PCMU, Codec
from telephony.audio.level import rms
from telephony.rtp.minimum import SlidingMinimum

if TYPE_CHECKING:
    from telephony.rtp.packet import RtpPacket

_REFERENCE_WINDOW_S = 2.0
_PLAYOUT_WINDOW_S = 1.0
_FORCED_INTERVAL_S = 1.0
_HYSTERESIS_S = 0.005
_JUMP_S = 0.2
"""A surplus this large is an interruption that is over: it is skipped at once."""

_FOREIGN_S = 1.0
"""A packet this far from the reference is of another run of the sender; two in sequence prove it."""

_LATE_STREAK = 3
_LATE_STREAK_S = 0.06
_SILENT_RMS = 150.0
_MAX_SEGMENTS = 150
_SEEN = 128


@dataclass(frozen=True, slots=True)
class JitterStats:
    """What the buffer did so far.

    Attributes:
        late: packets that came after their time and were thrown away.
        duplicates: packets that came again.
        reordered: packets that came after a later one.
        missing: frames whose time came before they did, with later ones already there.
        dropped: frames left out to shorten the delay.
        held: frames of silence put in to lengthen it.
        restarts: how often the playout was set anew: a new sender, a jump of its timestamps.
        delay_ms: playout delay after the fastest packets, now.
        target_ms: what it is held at, or up to one frame above.
    """

    late: int = 0
    duplicates: int = 0
    reordered: int = 0
    missing: int = 0
    dropped: int = 0
    held: int = 0
    restarts: int = 0
    delay_ms: float = 0.0
    target_ms: float = 0.0


class JitterBuffer:
    """One direction of one call.

    Args:
        codec: decodes what is put in; ``codec`` can be changed at any time for packets to come.
        depth_ms: the delay to hold, 20 to 200 ms.
    """

    def __init__(self, codec: Codec = PCMU, *, depth_ms: int = 60) -> None:
        self.codec = codec
        self._target_s = min(200, max(20, depth_ms)) / 1000
        self._segments: list[tuple[int, Samples]] = []
        self._position = 0
        self._pulled_at: float | None = None
        self._reference = SlidingMinimum(_REFERENCE_WINDOW_S)
        self._playout = SlidingMinimum(_PLAYOUT_WINDOW_S)
        self._steady_at = 0.0
        self._forced_at = 0.0
        self._ssrc: int | None = None
        self._offset = 0
        self._newest = 0
        self._newest_sequence = 0
        self._seen = [-1] * _SEEN
        self._candidate: tuple[RtpPacket, float] | None = None
        self._late_since: float | None = None
        self._late_count = 0
        self._late = self._duplicates = self._reordered = 0
        self._missing = self._dropped = self._held = self._restarts = 0

    @property
    def stats(self) -> JitterStats:
        """The counts so far."""
        delay = self._playout.value - self._reference.value if self._playout and self._reference else 0.0
        return JitterStats(
            late=self._late,
            duplicates=self._duplicates,
            reordered=self._reordered,
            missing=self._missing,
            dropped=self._dropped,
            held=self._held,
            restarts=self._restarts,
            delay_ms=1000 * delay,
            target_ms=1000 * self._target_s,
        )

    @property
    def buffered(self) -> int:
        """Samples waiting to be played."""
        return sum(len(samples) for _, samples in self._segments)

    def put(self, packet: RtpPacket, arrival_s: float) -> None:
        """Take an audio packet of any length that arrived at ``arrival_s``."""
        if not packet.payload:
            return
        if self._ssrc is None:
            self._start_stream(packet, arrival_s)
        elif self._is_foreign(packet, arrival_s):
            self._consider_restart(packet, arrival_s)
        else:
            self._accept(packet, arrival_s)

    def pull(self, now_s: float) -> Samples | None:
        """Give the frame due now, shape (160,), or None if there is nothing to play. Call it each 20 ms."""
        self._pulled_at = now_s
        playout = now_s - self._position / RATE
        self._playout.add(now_s, playout)
        if not self._reference:
            self._position += FRAME_SAMPLES
            return None
        if playout - self._reference.value - self._target_s > _JUMP_S:
            self._jump(now_s, playout)
        frame = self._take()
        if now_s >= self._steady_at:
            surplus = self._playout.value - self._reference.value - self._target_s
            if surplus > FRAME_S + _HYSTERESIS_S:
                return self._shorten(frame, now_s)
            if surplus < -_HYSTERESIS_S:
                return self._lengthen(frame, now_s)
        if frame is None and self._segments:
            self._missing += 1
        return frame

    # The sender's timeline.

    def _is_foreign(self, packet: RtpPacket, arrival_s: float) -> bool:
        if packet.ssrc != self._ssrc:
            return True
        transit = arrival_s - self._place(packet) / RATE
        return abs(transit - self._reference.value) > _FOREIGN_S

    def _place(self, packet: RtpPacket) -> int:
        """The playout position of a packet's first sample; timestamps wrap at 32 bits."""
        step = (packet.timestamp - self._newest + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        return self._newest + step + self._offset

    def _consider_restart(self, packet: RtpPacket, arrival_s: float) -> None:
        """Follow a sender that started anew, but not a single stray packet."""
        before, self._candidate = self._candidate, (packet, arrival_s)
        if packet.marker and packet.ssrc == self._ssrc:
            self._start_stream(packet, arrival_s)
        elif before is not None:
            first, first_arrival_s = before
            follows = packet.sequence == (first.sequence + 1) & 0xFFFF
            if packet.ssrc == first.ssrc and follows:
                self._start_stream(first, first_arrival_s)
                if not self._is_foreign(packet, arrival_s):
                    self._accept(packet, arrival_s)

    def _start_stream(self, packet: RtpPacket, arrival_s: float) -> None:
        """Play this packet first when the target delay has passed, after what is still to be played."""
        if self._ssrc is not None:
            self._restarts += 1
        if self._pulled_at is None:
            self._pulled_at = arrival_s
        due_s = arrival_s + self._target_s - self._pulled_at
        # The next pull plays self._position, the one after it a frame more.
        frames = max(0, -int(-(due_s - _HYSTERESIS_S) // FRAME_S) - 1)
        position = self._position + frames * FRAME_SAMPLES
        self._ssrc = packet.ssrc
        self._newest = packet.timestamp
        self._offset = position - packet.timestamp
        self._newest_sequence = packet.sequence
        self._seen = [-1] * _SEEN
        self._candidate = None
        self._late_since = None
        self._reference.clear()
        self._playout.clear()
        self._playout.add(self._pulled_at, self._pulled_at + FRAME_S - self._position / RATE)
        self._steady_at = arrival_s + _PLAYOUT_WINDOW_S
        self._accept(packet, arrival_s)

    def _accept(self, packet: RtpPacket, arrival_s: float) -> None:
        slot = packet.sequence % _SEEN
        if self._seen[slot] == packet.sequence:
            self._duplicates += 1
            return
        position = self._place(packet)
        samples = self.codec.decode(packet.payload)
        if position + len(samples) <= self._position:
            if self._is_shifted(packet, arrival_s):
                self._start_stream(packet, arrival_s)
                return
            self._late += 1
        else:
            self._late_since = None
            self._insert(position, samples)
        self._seen[slot] = packet.sequence
        self._reference.add(arrival_s, arrival_s - position / RATE)
        step = packet.sequence - self._newest_sequence & 0xFFFF
        if step < 0x8000:
            self._newest_sequence = packet.sequence
        else:
            self._reordered += 1
        if position - self._offset > self._newest:
            self._newest = position - self._offset

    def _is_shifted(self, packet: RtpPacket, arrival_s: float) -> bool:
        """Whether lateness is the new normal: a talkspurt begins late, or nothing was in time for a while."""
        if self._late_since is None:
            self._late_since, self._late_count = arrival_s, 0
        self._late_count += 1
        if packet.marker:
            return True
        return self._late_count >= _LATE_STREAK and arrival_s - self._late_since >= _LATE_STREAK_S

    def _insert(self, position: int, samples: Samples) -> None:
        segments = self._segments
        if not segments or position > segments[-1][0]:
            segments.append((position, samples))
        else:
            index = bisect_left(segments, position, key=lambda segment: segment[0])
            if segments[index][0] == position:
                return
            segments.insert(index, (position, samples))
        if len(segments) > _MAX_SEGMENTS:
            # Nobody pulls; what is played next must be recent.
            start, oldest = segments.pop(0)
            self._dropped += 1
            self._position = max(self._position, start + len(oldest))

    # Playing.

    def _take(self) -> Samples | None:
        """The frame at the playout position, which moves on; parts that are missing are zeros."""
        start = self._position
        end = self._position = start + FRAME_SAMPLES
        segments = self._segments
        while segments and segments[0][0] + len(segments[0][1]) <= start:
            segments.pop(0)
        if not segments or segments[0][0] >= end:
            return None
        if segments[0][0] == start and len(segments[0][1]) == FRAME_SAMPLES:
            return segments.pop(0)[1]
        frame = np.zeros(FRAME_SAMPLES, np.int16)
        at = start
        while segments and segments[0][0] < end:
            position, samples = segments[0]
            # Overlapping packets: the part that was filled already stays.
            begin = max(position, at)
            stop = min(position + len(samples), end)
            if begin < stop:
                frame[begin - start : stop - start] = samples[begin - position : stop - position]
                at = stop
            if position + len(samples) > end:
                segments[0] = (end, samples[end - position :])
                break
            segments.pop(0)
        return frame

    def _jump(self, now_s: float, playout: float) -> None:
        """Go on at the target delay; what lies before is left out."""
        frames = int((playout - self._reference.value - self._target_s) / FRAME_S)
        skipped_to = self._position + frames * FRAME_SAMPLES
        while self._segments and self._segments[0][0] + len(self._segments[0][1]) <= skipped_to:
            self._segments.pop(0)
            self._dropped += 1
        self._position = skipped_to
        self._playout.clear()
        self._playout.add(now_s, playout - frames * FRAME_S)
        self._steady_at = now_s + _PLAYOUT_WINDOW_S

    def _shorten(self, frame: Samples | None, now_s: float) -> Samples | None:
        """Leave a frame out: a missing or silent one at once, any other by blending it into the next."""
        if frame is None and not self._segments:
            # The sender is silent: the frame is left out, nobody hears it.
            self._moved(FRAME_SAMPLES)
            return None
        if frame is None:
            self._moved(0)
            return self._take()
        silent = rms(frame) < _SILENT_RMS
        if not silent and now_s - self._forced_at < _FORCED_INTERVAL_S:
            return frame
        after = self._take()
        self._moved(0)
        self._dropped += 1
        if not silent:
            self._forced_at = now_s
        return frame if after is None else blend(frame, after)

    def _lengthen(self, frame: Samples | None, now_s: float) -> Samples | None:
        """Stand still for a frame: in silence or a gap at once, in speech once a second."""
        silent = frame is None or rms(frame) < _SILENT_RMS
        if not silent and now_s - self._forced_at < _FORCED_INTERVAL_S:
            return frame
        if not silent:
            self._forced_at = now_s
        if frame is not None:
            self._segments.insert(0, (self._position - FRAME_SAMPLES, frame))
        self._position -= FRAME_SAMPLES
        self._held += 1
        self._playout.shift(FRAME_S)
        return None

    def _moved(self, samples: int) -> None:
        self._position += samples
        self._playout.shift(-FRAME_S)


def blend(earlier: Samples, later: Samples) -> Samples:
    """Fade from one frame into another of the same length, linearly."""
    rise = (np.arange(len(earlier)) + 0.5) / len(earlier)
    return to_int16(earlier * (1.0 - rise) + later * rise)
