"""The jitter buffer: packets in as they arrive, one frame out every 20 ms.

Guarantee: what is played is in the sender's order, each sample at most once, at a steady delay after
the fastest packets of the last seconds, whatever the network, the sender or our own clock do; the
delay comes back to its target after any disturbance, and memory is bounded.

Frames are placed by RTP timestamp on a line of playout positions in samples. Gaps in timestamps are
therefore silence of the right length (silence suppression, telephone-events in place of audio),
packets of any length are cut anew into frames, and losses need no sequence numbers. A surplus of delay
is removed by dropping a frame, a shortage by holding one, in silence where there is any.

Pure: the time comes as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.audio.conceal import cross_fade
from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, RATE, Samples
from telephony.audio.g711 import PCMU, Codec
from telephony.audio.level import rms
from telephony.rtp.delay import AdaptiveTarget, DelayControl, FixedTarget
from telephony.rtp.reframing import Reframer

if TYPE_CHECKING:
    from telephony.rtp.packet import RtpPacket

FOREIGN_S = 1.0
"""A packet this far from the reference is of another run of the sender; two in sequence prove it."""

LATE_STREAK = 3
LATE_STREAK_S = 0.06
"""When nothing was in time for so many packets and so long, the network has a new delay."""

SILENT_RMS = 150.0
"""About -47 dBFS: below it a frame can be dropped or held without being heard."""

_PHASE_S = 0.005
_SEEN = 128


@dataclass(frozen=True, slots=True)
class JitterStats:
    """What the buffer did so far.

    Attributes:
        late: packets that came after their time and were thrown away.
        duplicates: packets that came again.
        reordered: packets that came after a later one.
        missing: frames that were not there when later ones were: losses, and the last part of pauses.
        dropped: frames of audio left out to shorten the delay.
        held: frames put in to lengthen it.
        restarts: how often the playout was set anew: a new sender, a jump of its timestamps, a new route.
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
        depth_ms: the delay to hold, 20 to 200 ms; with ``adaptive`` the most it may be.
        adaptive: hold as little delay, from 20 ms up, as the jitter of the last seconds allows.
    """

    def __init__(self, codec: Codec = PCMU, *, depth_ms: int = 60, adaptive: bool = False) -> None:
        self.codec = codec
        depth_s = min(200, max(20, depth_ms)) / 1000
        self._control = DelayControl(AdaptiveTarget(high_s=depth_s) if adaptive else FixedTarget(depth_s))
        self._frames = Reframer()
        self._position = 0
        self._pulled_at: float | None = None
        self._ssrc: int | None = None
        self._begins_at = 0
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
        return JitterStats(
            late=self._late,
            duplicates=self._duplicates,
            reordered=self._reordered,
            missing=self._missing,
            dropped=self._dropped,
            held=self._held,
            restarts=self._restarts,
            delay_ms=1000 * self._control.delay_s,
            target_ms=1000 * self._control.target.value_s,
        )

    @property
    def buffered(self) -> int:
        """Samples waiting to be played."""
        return self._frames.samples

    def put(self, packet: RtpPacket, arrival_s: float) -> None:
        """Take an audio packet of any length that arrived at ``arrival_s``."""
        if not packet.payload:
            return
        if self._ssrc is None:
            self._start_stream(packet, arrival_s)
        elif self._is_foreign(packet, arrival_s):
            self._consider_restart(packet, arrival_s)
        else:
            self._candidate = None
            self._accept(packet, arrival_s)

    def pull(self, now_s: float) -> Samples | None:
        """Give the frame due now, shape (160,), or None if there is nothing to play. Call it each 20 ms."""
        if self._pulled_at is None and self._control.known:
            # Packets came before the first tick: only now is it known where the ticks lie between them.
            self._position = int(self._control.due_s(now_s) // FRAME_S) * FRAME_SAMPLES
        self._pulled_at = now_s
        skip = self._control.playing(now_s, now_s - self._position / RATE)
        if skip:
            self._position += skip * FRAME_SAMPLES
            self._dropped += self._frames.discard_before(self._position)
        frame = self._take()
        wanted = self._control.wanted()
        if wanted and self._control.permits(silent=frame is None or rms(frame) < SILENT_RMS):
            if wanted > 0:
                return self._shorten(frame)
            self._hold(frame)
            return None
        if frame is None and self._frames and self._position > self._begins_at:
            self._missing += 1
        return frame

    def _take(self) -> Samples | None:
        frame = self._frames.take(self._position)
        self._position += FRAME_SAMPLES
        return frame

    def _shorten(self, frame: Samples | None) -> Samples | None:
        """Play the next frame in place of a missing one, or blended with this one."""
        after = self._take()
        self._control.dropped(1)
        if frame is None:
            return after
        self._dropped += 1
        return frame if after is None else cross_fade(frame, after)

    def _hold(self, frame: Samples | None) -> None:
        """Play nothing now and this frame in the next tick."""
        self._position -= FRAME_SAMPLES
        if frame is not None:
            self._frames.put(self._position, frame)
        self._control.dropped(-1)
        self._held += 1

    def _is_foreign(self, packet: RtpPacket, arrival_s: float) -> bool:
        if packet.ssrc != self._ssrc:
            return True
        transit = arrival_s - self._place(packet) / RATE
        return abs(self._control.lateness_s(transit)) > FOREIGN_S

    def _place(self, packet: RtpPacket) -> int:
        """The playout position of a packet's first sample; timestamps wrap at 32 bits."""
        step = ((packet.timestamp - self._newest + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        return self._newest + step + self._offset

    def _consider_restart(self, packet: RtpPacket, arrival_s: float) -> None:
        """Follow a sender that started anew, but not a single stray packet."""
        before, self._candidate = self._candidate, (packet, arrival_s)
        if packet.marker and packet.ssrc == self._ssrc and self._is_newest(packet):
            # The sender's clock stood still in silence, and a talkspurt begins.
            self._start_stream(packet, arrival_s)
        elif before is not None:
            first, first_arrival_s = before
            if packet.ssrc == first.ssrc and packet.sequence == (first.sequence + 1) & 0xFFFF:
                self._start_stream(first, first_arrival_s)
                if not self._is_foreign(packet, arrival_s):
                    self._accept(packet, arrival_s)

    def _start_stream(self, packet: RtpPacket, arrival_s: float) -> None:
        """Let this packet be played when the target delay has passed, after what is still waiting."""
        if self._ssrc is not None:
            self._restarts += 1
        pulled_at = arrival_s if self._pulled_at is None else self._pulled_at
        due_s = arrival_s + self._control.target.value_s - pulled_at
        # The next pull, one frame after the last one, plays self._position.
        ticks = max(0, -int(-(due_s - _PHASE_S) // FRAME_S) - 1)
        self._ssrc = packet.ssrc
        self._newest = packet.timestamp
        self._newest_sequence = packet.sequence
        self._begins_at = self._position + ticks * FRAME_SAMPLES
        self._offset = self._begins_at - packet.timestamp
        self._seen = [-1] * _SEEN
        self._candidate = None
        self._late_since = None
        self._control.restart(arrival_s)
        self._accept(packet, arrival_s)

    def _accept(self, packet: RtpPacket, arrival_s: float) -> None:
        slot = packet.sequence % _SEEN
        if self._seen[slot] == packet.sequence:
            self._duplicates += 1
            return
        position = self._place(packet)
        samples = self.codec.decode(packet.payload)
        if position + len(samples) > self._position:
            self._late_since = None
            pushed_out = self._frames.put(position, samples)
            if pushed_out is not None:
                # Nobody pulls: what is played next must be recent.
                self._dropped += 1
                self._position = max(self._position, pushed_out)
        elif self._is_newest(packet) and self._is_shifted(packet, arrival_s):
            self._start_stream(packet, arrival_s)
            return
        else:
            self._late += 1
        self._seen[slot] = packet.sequence
        self._control.arrived(arrival_s, arrival_s - position / RATE)
        if self._is_newest(packet):
            self._newest_sequence = packet.sequence
        else:
            self._reordered += 1
        self._newest = max(self._newest, position - self._offset)

    def _is_newest(self, packet: RtpPacket) -> bool:
        return (packet.sequence - self._newest_sequence) & 0xFFFF < 0x8000

    def _is_shifted(self, packet: RtpPacket, arrival_s: float) -> bool:
        """Whether lateness is the new normal: a talkspurt begins late, or nothing was in time for a while."""
        if packet.marker:
            return True
        if self._late_since is None:
            self._late_since, self._late_count = arrival_s, 0
        self._late_count += 1
        return self._late_count >= LATE_STREAK and arrival_s - self._late_since >= LATE_STREAK_S
