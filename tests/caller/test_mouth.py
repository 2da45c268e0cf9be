"""The caller's own stream."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.frame import FRAME_SAMPLES, Samples
from telephony.audio.level import dbfs
from telephony.caller.impairment import Impairment
from telephony.caller.mouth import Mouth
from telephony.caller.script import ImpairmentSettings

pytestmark = pytest.mark.pure


def mouth(settings: ImpairmentSettings | None = None) -> Mouth:
    return Mouth(Impairment(settings or ImpairmentSettings(), seed=1))


def line(frames: int) -> Samples:
    return np.repeat(np.arange(1, frames + 1, dtype=np.int16), FRAME_SAMPLES)


def test_silence_is_sent_when_nothing_is_said() -> None:
    """Frames never stop, and the line lies between them with its exact times."""
    sender = mouth()
    assert not sender.next_frame(0.0).any()
    playback = sender.play(line(3))
    sent = [int(sender.next_frame(0.02 * tick)[0]) for tick in range(1, 6)]
    assert sent == [1, 2, 3, 0, 0]
    assert (playback.started_s, playback.ended_s) == (0.02, 0.06)
    assert playback.done.is_set()


def test_a_new_line_cuts_the_old_one_off() -> None:
    """The old line is done without having ended."""
    sender = mouth()
    first = sender.play(line(3))
    sender.next_frame(0.0)
    sender.play(line(1))
    assert first.done.is_set()
    assert first.ended_s is None
    assert int(sender.next_frame(0.02)[0]) == 1


def test_the_recording_lies_where_it_was_sent() -> None:
    """The time before the first frame is silent, and what lies after the end is left out."""
    sender = mouth()
    sender.play(line(3))
    for tick in range(3):
        sender.next_frame(0.1 + 0.02 * tick)
    recorded = sender.recording(0.15)
    assert recorded.size == 1200
    assert not recorded[:800].any()
    assert recorded[800:].tolist() == [1] * 160 + [2] * 160 + [3] * 80


def test_late_ticks_are_remembered() -> None:
    """A stall of the caller's own clock is known, so that nobody else is blamed for it."""
    sender = mouth()
    for at_s in (0.0, 0.02, 0.12, 0.13, 0.14):
        sender.next_frame(at_s)
    [(at_s, late_s)] = sender.stalls
    assert at_s == 0.12
    assert late_s == pytest.approx(0.08)


def test_noise_lies_under_everything() -> None:
    """Also while nothing is said."""
    assert dbfs(mouth(ImpairmentSettings(noise_dbfs=-40)).next_frame(0.0)) == pytest.approx(-40, abs=2)
