"""The jitter buffer packet by packet: order, gaps, restarts, lengths, limits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, Samples
from telephony.audio.g711 import PCMA, PCMU
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import RtpPacket
from telephony.rtp.reframing import MAX_SEGMENTS
from tests.rtp.simulation import LOUD, NUMBERED, numbered_payload

pytestmark = pytest.mark.pure

DEPTH_FRAMES = 3
TICK_PHASE_S = 0.010
"""Ticks run halfway between packets."""


class Line:
    """A buffer, a steady sender of numbered packets and a tick, by hand."""

    def __init__(self, buffer: JitterBuffer | None = None, *, sequence: int = 0, timestamp: int = 0) -> None:
        self.buffer = buffer or JitterBuffer(NUMBERED, depth_ms=60)
        self.sequence = sequence
        self.timestamp = timestamp
        self.ssrc = 1
        self.ticks = 0

    @property
    def now(self) -> float:
        """When the next tick's packet arrives; the tick itself is 10 ms later."""
        return self.ticks * FRAME_S

    def packet(
        self, number: int, *, marker: bool = False, samples: int = FRAME_SAMPLES, loud: bool = True
    ) -> RtpPacket:
        """Packet ``number`` of the sender's present run."""
        return RtpPacket(
            0,
            (self.sequence + number) & 0xFFFF,
            (self.timestamp + number * samples) & 0xFFFFFFFF,
            self.ssrc,
            marker,
            numbered_payload(number, loud=loud, samples=samples),
        )

    def put(self, *numbers: int, late_s: float = 0.0, marker: bool = False) -> None:
        """Packets arrive now."""
        for number in numbers:
            self.buffer.put(self.packet(number, marker=marker), self.now + late_s)

    def tick(self) -> int | None:
        """What the next tick plays: a packet's number, -1 for silence, None for nothing."""
        frame = self.buffer.pull(self.now + TICK_PHASE_S)
        self.ticks += 1
        return heard(frame)

    def run(self, *arrivals: tuple[int, ...] | int | None) -> list[int | None]:
        """Tick by tick: what arrives before each tick, and what each plays."""
        played = []
        for arrival in arrivals:
            if arrival is not None:
                self.put(*((arrival,) if isinstance(arrival, int) else arrival))
            played.append(self.tick())
        return played


def heard(frame: Samples | None) -> int | None:
    if frame is None:
        return None
    return int(frame[-1]) - LOUD if frame[-1] >= LOUD else -1


def test_first_packet_is_played_after_the_depth() -> None:
    """With 60 ms and ticks 10 ms after arrivals, packet 0 is played 70 ms after it came, then one a tick."""
    played = Line().run(*range(8))
    assert played == [None] * DEPTH_FRAMES + [0, 1, 2, 3, 4]


def test_reordered_packets_are_played_in_order() -> None:
    """Packets that change places within the depth are played in the sender's order and counted."""
    line = Line()
    played = line.run((1,), (0,), (4,), (3, 2), (5,), None, (6,), None, None, None)
    assert [number for number in played if number is not None] == [0, 1, 2, 3, 4, 5, 6]
    assert line.buffer.stats.reordered == 3
    assert line.buffer.stats.missing == 0


def test_repeated_packets_are_played_once() -> None:
    """A packet that comes twice, at once or after it was played, is played once and counted."""
    line = Line()
    played = line.run((0, 0), (1, 1), 2, 3, (4, 0), 5, None, None, None)
    assert [number for number in played if number is not None] == [0, 1, 2, 3, 4, 5]
    assert line.buffer.stats.duplicates == 3
    assert line.buffer.stats.late == 0


def test_lost_packet_is_a_missing_frame() -> None:
    """In place of a lost packet there is nothing, and the next one keeps its time."""
    line = Line()
    assert line.run(0, 1, None, 3, 4, 5, 6) == [None, None, None, 0, 1, None, 3]
    assert line.buffer.stats.missing == 1


def test_late_packet_is_thrown_away_and_moves_nothing() -> None:
    """A packet that comes after its time is counted, and the others stay where they are."""
    line = Line()
    assert line.run(0, 1, None, 3, 4, 5, (2, 6), 7, 8) == [None, None, None, 0, 1, None, 3, 4, 5]
    assert line.buffer.stats.late == 1
    assert line.buffer.stats.restarts == 0


def test_silence_suppression_keeps_the_time_of_the_pause() -> None:
    """A sender that stops for a second and goes on with its clock is played a second later, not sooner."""
    line = Line()
    line.run(*range(10))
    played = [line.tick() for _ in range(50)]
    assert played == [7, 8, 9] + [None] * 47
    line.put(60, marker=True)
    assert line.run(None, 61, 62, 63) == [None, None, None, 60]
    assert line.buffer.stats.restarts == 0


def test_clock_that_stands_still_in_a_pause() -> None:
    """A sender whose timestamps do not count the pause is played from its talkspurt's first packet on."""
    line = Line()
    line.run(*range(10))
    for _ in range(100):
        line.tick()
    line.put(10, marker=True)
    assert line.run(None, 11, 12, 13, 14) == [None, None, None, 10, 11]


def test_clock_that_stands_still_without_a_marker() -> None:
    """Without a marker the new time is believed after two packets, or after 60 ms of late ones."""
    for pause in (10, 100):
        line = Line()
        line.run(*range(10))
        for _ in range(pause):
            line.tick()
        played = line.run(*range(10, 24))
        first = next(number for number in played if number is not None)
        assert first <= 10 + 4
        assert played[-1] == 20


def test_late_packet_with_a_marker_out_of_order_is_no_new_talkspurt() -> None:
    """A talkspurt's first packet that comes after its time and its followers does not turn the time back."""
    line = Line()
    line.run(*range(10))
    line.run(None, 11, 12, 13, 14, 15)
    line.put(10, marker=True)
    assert line.run(16, 17, 18) == [13, 14, 15]
    assert line.buffer.stats.late == 1


@pytest.mark.parametrize("samples", [80, 240, 320, 480])
def test_packets_of_other_lengths(samples: int) -> None:
    """Packets of 10, 30, 40 and 60 ms are played without a gap in frames of 20 ms."""
    buffer = JitterBuffer(NUMBERED, depth_ms=60)
    line = Line(buffer)
    sent_s = samples / 8000
    number = 0
    frames = []
    for tick in range(100):
        while number * sent_s <= tick * FRAME_S:
            buffer.put(line.packet(number, samples=samples), number * sent_s)
            number += 1
        frames.append(buffer.pull(tick * FRAME_S + TICK_PHASE_S))
    begin = next(index for index, frame in enumerate(frames) if frame is not None)
    assert begin == DEPTH_FRAMES
    audio = np.concatenate([frame for frame in frames[begin:] if frame is not None])
    assert len(audio) == (100 - begin) * FRAME_SAMPLES
    assert np.array_equal(audio, LOUD + np.arange(len(audio)) // samples)


def test_timestamps_and_sequences_wrap() -> None:
    """Playing goes on over the ends of both counters."""
    line = Line(sequence=65530, timestamp=0xFFFFFFFF - 5 * 160)
    played = line.run(*range(20))
    assert played == [None] * 3 + list(range(17))
    assert line.buffer.stats.reordered == 0


def test_new_ssrc_follows_after_what_is_waiting() -> None:
    """A new sender is played from its first packet on, after what was waiting of the old one."""
    line = Line()
    line.run(*range(10))
    line.ssrc, line.timestamp, line.sequence = 2, 3_000_000_000, 40_000
    assert line.run(100, 101, 102, 103, 104, 105) == [7, 8, 9, 100, 101, 102]
    assert line.buffer.stats.restarts == 1


def test_timestamps_that_jump_in_the_middle() -> None:
    """A jump of hours in the timestamps, with the sequence going on, is a restart and loses nothing."""
    line = Line()
    line.run(*range(10))
    line.timestamp = 100_000_000
    assert line.run(10, 11, 12, 13, 14) == [7, 8, 9, 10, 11]


def test_stray_packets_disturb_nothing() -> None:
    """Single packets of another sender or another time neither play nor interrupt."""
    line = Line()
    line.run(*range(5))
    stray = [
        RtpPacket(0, 999, 555, 77, False, numbered_payload(900)),
        RtpPacket(0, 20, 4_000_000_000, 1, False, numbered_payload(901)),
    ]
    for packet in stray:
        line.buffer.put(packet, line.now)
    played = line.run(*range(5, 12))
    assert played == [2, 3, 4, 5, 6, 7, 8]
    assert line.buffer.stats.restarts == 0


def test_two_senders_at_once_do_not_take_turns() -> None:
    """While the first sender is alive, packets of a second one between its own are left out."""
    line = Line()
    other = Line()
    other.ssrc, other.timestamp = 2, 9_000_000
    played = []
    for number in range(50):
        line.put(number)
        line.buffer.put(other.packet(1000 + number), line.now)
        played.append(line.tick())
    assert played[DEPTH_FRAMES:] == list(range(50 - DEPTH_FRAMES))


def test_burst_after_a_stall_does_not_add_delay() -> None:
    """After the network held everything back for half a second, playing goes on at the same delay."""
    line = Line()
    line.run(*range(50))
    line.run(*[None] * 25)
    line.put(*range(50, 75))
    played = line.run(*range(75, 90))
    assert played == list(range(72, 87))


def test_burst_at_the_start_does_not_add_delay() -> None:
    """Packets held back at the start of a call leave no lasting delay."""
    line = Line()
    line.put(*range(10))
    line.ticks = 10
    line.run(*range(10, 300))
    played = line.tick()
    assert played is not None
    assert 299 - played <= DEPTH_FRAMES + 1


def test_surplus_is_dropped_in_silence_first() -> None:
    """When the network gets faster, the delay shrinks in the pauses and no word is lost."""
    buffer = JitterBuffer(NUMBERED, depth_ms=60)
    line = Line(buffer)
    spoken: list[int | None] = []
    for number in range(400):
        faster = 0.0 if number < 100 else -0.055
        silent = number % 100 >= 60
        buffer.put(line.packet(number, loud=not silent), line.now + 0.06 + faster)
        spoken.append(line.tick())
    loud = [number for number in range(390) if number % 100 < 60]
    assert [number for number in spoken if number is not None and number >= 0][: len(loud)] == loud
    assert buffer.stats.dropped >= 2
    assert buffer.stats.delay_ms < 85


def test_surplus_in_endless_speech_is_blended_away_one_frame_a_second() -> None:
    """Without pauses, one frame a second is blended into the next."""
    buffer = JitterBuffer(NUMBERED, depth_ms=60)
    line = Line(buffer)
    blended = []
    for number in range(300):
        buffer.put(line.packet(number), line.now + (0.06 if number < 100 else 0.0))
        frame = buffer.pull(line.now + 0.07)
        line.ticks += 1
        if frame is not None and frame[0] != frame[-1]:
            blended.append(number)
            assert frame[-1] - frame[0] == 1
    assert 2 <= len(blended) <= 4
    assert min(b - a for a, b in pairwise(blended)) >= 50


def test_holds_a_frame_when_the_network_gets_slower() -> None:
    """When all packets take 40 ms longer, frames are held, not lost, and the delay is the target again."""
    line = Line()
    late_s = 0.04
    for number in range(400):
        line.buffer.put(line.packet(number), line.now + (0.0 if number < 100 else late_s))
        line.tick()
    stats = line.buffer.stats
    assert stats.held >= 1
    assert stats.late == 0
    assert 55 <= stats.delay_ms <= 85


def test_nobody_pulls() -> None:
    """While nobody pulls, what waits is bounded; the first pull then plays what is recent."""
    line = Line()
    line.run(0, 1, 2)
    for number in range(3, 2000):
        line.buffer.put(line.packet(number), number * FRAME_S)
    assert line.buffer.buffered <= MAX_SEGMENTS * FRAME_SAMPLES
    line.ticks = 2000
    played = line.run(2000, 2001)
    assert played == [1997, 1998]


def test_pulls_begin_long_after_packets() -> None:
    """A call whose ticks start three seconds after its packets starts at the usual delay."""
    line = Line()
    for number in range(150):
        line.buffer.put(line.packet(number), number * FRAME_S)
    line.ticks = 150
    assert line.run(150, 151) == [147, 148]


def test_skipped_ticks_leave_no_delay() -> None:
    """After a quarter of a second without ticks, the next ones play at the usual delay."""
    line = Line()
    line.run(*range(60))
    for number in range(60, 73):
        line.put(number)
        line.ticks += 1
    assert line.run(73, 74) == [70, 71]


def test_empty_payload_is_ignored() -> None:
    """A keep-alive packet without audio neither starts nor disturbs the playout."""
    line = Line()
    line.buffer.put(RtpPacket(0, 5, 5, 9, False, b""), 0.0)
    assert line.run(0, 1, 2, 3) == [None, None, None, 0]


def test_codec_can_change_while_packets_wait() -> None:
    """Packets are decoded by the codec they came under."""
    buffer = JitterBuffer(PCMU, depth_ms=20)
    loud = np.full(FRAME_SAMPLES, 8000, np.int16)
    buffer.put(RtpPacket(0, 0, 0, 1, False, PCMU.encode(loud)), 0.0)
    buffer.codec = PCMA
    buffer.put(RtpPacket(8, 1, 160, 1, False, PCMA.encode(loud)), 0.02)
    frames = [buffer.pull(0.01 + n * FRAME_S) for n in range(3)]
    levels = [int(frame[0]) for frame in frames if frame is not None]
    assert levels == [pytest.approx(8000, rel=0.04)] * 2


@pytest.mark.parametrize(("asked_ms", "target_ms"), [(0, 20), (40, 40), (5000, 200)])
def test_depth_is_bounded(asked_ms: int, target_ms: int) -> None:
    """The depth is kept between 20 and 200 ms."""
    assert JitterBuffer(depth_ms=asked_ms).stats.target_ms == pytest.approx(target_ms)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFF),
            st.integers(0, 0xFFFFFFFF) | st.integers(0, 20_000),
            st.integers(0, 2),
            st.booleans(),
            st.integers(0, 500),
            st.floats(0, 0.1),
        ),
        max_size=80,
    )
)
def test_hostile_packets_never_break_it(
    packets: list[tuple[int, int, int, bool, int, float]],
) -> None:
    """Any fields at any times give frames of the right shape or nothing, and bounded memory."""
    buffer = JitterBuffer(depth_ms=60, adaptive=True)
    now = 0.0
    for sequence, timestamp, ssrc, marker, length, wait in packets:
        now += wait
        buffer.put(RtpPacket(0, sequence, timestamp, ssrc, marker, b"\x10" * length), now)
        frame = buffer.pull(now)
        assert frame is None or frame.shape == (FRAME_SAMPLES,)
        assert buffer.buffered <= MAX_SEGMENTS * 500
