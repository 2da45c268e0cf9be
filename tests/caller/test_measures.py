"""The figures of a call, on synthetic recordings."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.frame import FRAME_SAMPLES, Samples
from telephony.audio.tones import sine
from telephony.caller.activity import Speech
from telephony.caller.measures import (
    Gap,
    Reception,
    arrival_gaps,
    barge_in_silence_ms,
    between_ms,
    estimated_mos,
    first_audio_ms,
    percentile,
    reception,
    reply_to,
    silent_holes,
)
from telephony.caller.track import ReceivedTrack
from telephony.rtp.packet import RtpPacket

pytestmark = pytest.mark.pure


def test_moments_that_did_not_come_have_no_distance() -> None:
    """A figure is missing rather than zero when one of its ends is."""
    assert between_ms(1.0, 1.25) == 250.0
    assert between_ms(None, 1.0) is None
    assert between_ms(1.0, None) is None


def test_first_audio_is_counted_from_the_answer() -> None:
    """Early media counts as at once."""
    assert first_audio_ms(1.0, [Speech(1.15, 3.0), Speech(4.0, 5.0)]) == 150.0
    assert first_audio_ms(1.0, [Speech(0.5, 3.0)]) == 0.0
    assert first_audio_ms(1.0, []) is None
    assert first_audio_ms(None, [Speech(0.5, 3.0)]) is None


def test_a_reply_is_what_begins_after_the_line_did_and_outlasts_it() -> None:
    """What was talked over, and a murmur under the line, are no replies."""
    talked_over, murmur, reply = Speech(0.0, 2.2), Speech(2.4, 2.6), Speech(3.7, 5.0)
    assert reply_to(2.0, 3.0, [talked_over, murmur, reply]) == reply
    assert reply_to(2.0, 3.0, [Speech(2.9, 4.0)]) == Speech(2.9, 4.0)
    assert reply_to(2.0, 3.0, [talked_over]) is None


def test_barge_in_silence_ends_with_the_last_packet_of_speech() -> None:
    """From the caller's onset to the end of what it talked over; nothing when there was silence anyway."""
    assert barge_in_silence_ms(2.0, [Speech(0.0, 2.21), Speech(4.0, 5.0)]) == 210.0
    assert barge_in_silence_ms(3.0, [Speech(0.0, 2.2), Speech(4.0, 5.0)]) is None


def test_gaps_are_longer_than_a_jitter_buffer_can_hide() -> None:
    """60 ms between packets is none, 61 ms is one."""
    assert arrival_gaps([0.0, 0.02, 0.08, 0.141, 0.16]) == [Gap(0.08, 61.0)]
    assert arrival_gaps([]) == arrival_gaps([1.0]) == []


def speech_with(hole: slice, *, fading: bool) -> Samples:
    tone = sine(300, 1.0)
    if fading:
        edge = 400
        tone[hole.start - edge : hole.start] = (
            tone[hole.start - edge : hole.start] * np.linspace(1, 0, edge)
        ).astype(np.int16)
    tone[hole] = 0
    return tone


def test_a_hole_is_cut_out_of_speech() -> None:
    """Silence with loud edges is a hole; a pause into which the sound dies away is none."""
    [hole] = silent_holes(speech_with(slice(4000, 4480), fading=False), start_s=2.0)
    assert hole.at_s == pytest.approx(2.5, abs=0.001)
    assert hole.duration_ms == pytest.approx(60, abs=2)
    assert silent_holes(speech_with(slice(4000, 4480), fading=True)) == []


def test_short_or_outer_silence_is_no_hole() -> None:
    """Less than a packet is part of speech, and so is silence before and after it."""
    assert silent_holes(speech_with(slice(4000, 4100), fading=False)) == []
    assert (
        silent_holes(np.concatenate([np.zeros(800, np.int16), sine(300, 0.5), np.zeros(800, np.int16)])) == []
    )
    assert silent_holes(np.zeros(0, np.int16)) == []


def received(numbers: list[int], ssrc: int = 1) -> ReceivedTrack:
    track = ReceivedTrack()
    for number in numbers:
        packet = RtpPacket(0, number & 0xFFFF, number * FRAME_SAMPLES, ssrc, False, b"")
        track.add(packet, np.zeros(FRAME_SAMPLES, np.int16), 0.02 * number)
    return track


def test_loss_is_what_is_missing_between_first_and_last() -> None:
    """Late, swapped and doubled packets are not lost, also where the sequence numbers wrap."""
    start = 0xFFF0
    numbers = [start + offset for offset in range(100) if offset not in (10, 50, 51)]
    numbers[20], numbers[21] = numbers[21], numbers[20]
    track = received([*numbers, numbers[-1]])
    counted = reception(track.packets, track.duplicates)
    assert counted == Reception(received=97, lost=3, duplicates=1, reordered=1)
    assert counted.loss_share == pytest.approx(0.03)
    assert reception([]) == Reception(0, 0, 0, 0)
    assert reception([]).loss_share == 0.0


def test_quality_falls_with_loss() -> None:
    """The E-model's figures: 4.41 for a perfect line, poor at five percent without concealment."""
    assert estimated_mos(0.0) == pytest.approx(4.41, abs=0.01)
    assert estimated_mos(0.01) == pytest.approx(3.8, abs=0.15)
    assert estimated_mos(0.05) < 2.5
    assert estimated_mos(1.0) >= 1.0


def test_percentiles_are_values_that_occurred() -> None:
    """The median of two is the lower, of none there is none."""
    assert percentile([3.0, 1.0], 0.5) == 1.0
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(value) for value in range(1, 101)], 0.99) == 99.0
    assert percentile([], 0.5) is None
