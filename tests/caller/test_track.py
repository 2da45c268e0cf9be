"""Received packets on one time line."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.frame import FRAME_SAMPLES, Samples
from telephony.caller.track import ReceivedTrack
from telephony.rtp.packet import RtpPacket

pytestmark = pytest.mark.pure


def packet(number: int, *, ssrc: int = 1, sequence: int = 0, timestamp: int = 0) -> RtpPacket:
    return RtpPacket(
        payload_type=0,
        sequence=(sequence + number) & 0xFFFF,
        timestamp=(timestamp + number * FRAME_SAMPLES) & 0xFFFFFFFF,
        ssrc=ssrc,
        marker=False,
        payload=b"",
    )


def frame(number: int) -> Samples:
    return np.full(FRAME_SAMPLES, number + 1, np.int16)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 99))
def test_samples_are_placed_by_their_timestamp(sequence: int, timestamp: int, seed: int) -> None:
    """Order and moment of arrival do not move the sound, wherever the counters wrap."""
    numbers = list(range(30))
    shuffled = sorted(numbers, key=lambda number: number + random.Random(seed + number).uniform(0, 3))
    track = ReceivedTrack()
    track.add(packet(0, sequence=sequence, timestamp=timestamp), frame(0), 1.0)
    for number in shuffled:
        late_s = random.Random(number).uniform(0.0, 0.03)
        track.add(
            packet(number, sequence=sequence, timestamp=timestamp),
            frame(number),
            1.0 + 0.02 * number + late_s,
        )
    heard = track.samples_between(1.0, 1.6)
    assert np.array_equal(heard, np.concatenate([frame(number) for number in numbers]))
    assert track.duplicates == 1


def test_the_fastest_packet_says_where_the_stream_lies() -> None:
    """A first packet that came late does not move all the others."""
    track = ReceivedTrack()
    track.add(packet(0), frame(0), 1.03)
    for number in range(1, 5):
        track.add(packet(number), frame(number), 1.0 + 0.02 * number)
    assert track.packets[0].media_s == pytest.approx(1.0)


def test_what_did_not_arrive_is_silence() -> None:
    """A lost packet leaves a hole of its own length."""
    track = ReceivedTrack()
    for number in (0, 2):
        track.add(packet(number), frame(number), 0.02 * number)
    heard = track.samples_between(0.0, 0.06)
    assert heard[:160].tolist() == [1] * 160
    assert not heard[160:320].any()
    assert heard[320:].tolist() == [3] * 160


def test_a_new_source_is_placed_by_its_arrival() -> None:
    """Another SSRC has timestamps of its own."""
    track = ReceivedTrack()
    track.add(packet(0), frame(0), 0.0)
    track.add(packet(0, ssrc=2, sequence=500, timestamp=99_999), frame(1), 1.0)
    assert [item.media_s for item in track.packets] == [0.0, 1.0]


def test_a_jump_of_the_timestamp_is_placed_by_its_arrival() -> None:
    """A sender that starts its timestamps anew is heard when it is heard."""
    track = ReceivedTrack()
    track.add(packet(0), frame(0), 0.0)
    track.add(packet(1, timestamp=4_000_000), frame(1), 0.02)
    assert track.packets[1].media_s == pytest.approx(0.02)


def test_a_sender_that_stalled_is_followed() -> None:
    """When all packets have become later for good, they are placed where they arrive."""
    track = ReceivedTrack()
    for number in range(50):
        track.add(packet(number), frame(number), 0.02 * number)
    for number in range(50, 200):
        track.add(packet(number), frame(number), 0.02 * number + 0.3)
    last = track.packets[-1]
    assert last.media_s == pytest.approx(last.arrival_s, abs=0.01)
    assert track.packets[40].media_s == pytest.approx(0.8)


def test_only_the_part_asked_for_is_given() -> None:
    """A stretch can begin and end in the middle of a packet, and lie outside of the stream."""
    track = ReceivedTrack()
    for number in range(10):
        track.add(packet(number), frame(number), 0.02 * number)
    assert track.samples_between(0.03, 0.05).tolist() == [2] * 80 + [3] * 80
    assert not track.samples_between(5.0, 5.1).any()
    assert track.samples_between(1.0, 0.5).size == 0
