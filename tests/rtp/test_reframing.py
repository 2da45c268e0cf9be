"""Packets of any length become frames, whatever holes, overlaps and orders they have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.frame import FRAME_SAMPLES, Samples
from telephony.rtp.reframing import MAX_SEGMENTS, Reframer

pytestmark = pytest.mark.pure


def ramp(start: int, count: int) -> Samples:
    """Samples that say where they belong, never 0."""
    return (np.arange(start, start + count) % 30000 + 1).astype(np.int16)


@pytest.mark.parametrize("length", [80, 160, 240, 320, 480, 37])
def test_packets_of_any_length_become_frames(length: int) -> None:
    """Packets of 10 to 60 ms, and odd ones, come out as 20 ms frames without a seam."""
    reframer = Reframer()
    for at in range(0, 4800, length):
        reframer.put(at, ramp(at, length))
    for position in range(0, 4800 - length, FRAME_SAMPLES):
        frame = reframer.take(position)
        assert frame is not None
        assert np.array_equal(frame, ramp(position, FRAME_SAMPLES))


def test_hole_inside_a_frame_is_zeros() -> None:
    """The half of a frame that is missing is silence, the other half is played."""
    reframer = Reframer()
    reframer.put(80, ramp(80, 80))
    frame = reframer.take(0)
    assert frame is not None
    assert not frame[:80].any()
    assert np.array_equal(frame[80:], ramp(80, 80))


def test_missing_frame_is_none_and_later_ones_stay() -> None:
    """A frame of which nothing is there is None, and takes nothing from the next."""
    reframer = Reframer()
    reframer.put(160, ramp(160, 160))
    assert reframer.take(0) is None
    assert reframer.samples == 160
    assert reframer.take(160) is not None
    assert not reframer


def test_overlap_keeps_what_lies_earlier() -> None:
    """Where two packets cover the same samples, each sample is played once, from the earlier packet."""
    reframer = Reframer()
    reframer.put(100, np.full(160, 2, np.int16))
    reframer.put(0, np.full(160, 1, np.int16))
    frame = reframer.take(0)
    assert frame is not None
    assert frame.tolist() == [1] * 160
    frame = reframer.take(160)
    assert frame is not None
    assert frame.tolist() == [2] * 100 + [0] * 60


def test_second_packet_at_a_position_is_ignored() -> None:
    """A repetition does not replace what is there."""
    reframer = Reframer()
    for value in (1, 2):
        assert reframer.put(0, np.full(160, value, np.int16)) is None
    frame = reframer.take(0)
    assert frame is not None
    assert frame[0] == 1


def test_never_more_than_its_limit() -> None:
    """When too much waits, the oldest goes, and its end is told."""
    reframer = Reframer()
    ends = [reframer.put(160 * n, ramp(0, 160)) for n in range(MAX_SEGMENTS + 3)]
    assert ends[:MAX_SEGMENTS] == [None] * MAX_SEGMENTS
    assert ends[MAX_SEGMENTS:] == [160, 320, 480]
    assert reframer.samples == 160 * MAX_SEGMENTS


def test_discarding_counts_whole_packets() -> None:
    """Only packets that end at or before the position go."""
    reframer = Reframer()
    for at in (0, 160, 320):
        reframer.put(at, ramp(at, 160))
    assert reframer.discard_before(350) == 2
    assert reframer.samples == 160


@given(
    st.lists(st.tuples(st.integers(-200, 2000), st.integers(1, 500)), max_size=30),
    st.integers(0, 159),
)
def test_every_sample_is_played_where_it_belongs(packets: list[tuple[int, int]], start: int) -> None:
    """Whatever overlaps and orders, each covered sample comes out once at its place, all others as zero."""
    reframer = Reframer()
    covered = np.zeros(4000, bool)
    taken: set[int] = set()
    for at, count in packets:
        reframer.put(at, ramp(at, count))
        if at not in taken:
            taken.add(at)
            covered[max(0, at) : max(0, at + count)] = True
    for position in range(start, 2800, FRAME_SAMPLES):
        frame = reframer.take(position)
        expected = np.where(covered[position : position + 160], ramp(position, 160), 0)
        if frame is None:
            assert not covered[position : position + 160].any()
        else:
            assert np.array_equal(frame, expected)
