"""The voice's samples, trimmed for a telephone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.audio.tones import sine
from telephony.speech.voice import LEAD_S, TAIL_S, trim

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.pure

RATE = 8000


def silence(seconds: float) -> NDArray[np.int16]:
    """Digital silence."""
    return np.zeros(int(seconds * RATE), np.int16)


def test_silence_around_speech_is_cut_down() -> None:
    """A caller waits 30 ms instead of 300, and sentences are 180 ms apart instead of 500."""
    speech = sine(300, 0.5, rate=RATE)
    trimmed = trim(np.concatenate([silence(0.3), speech, silence(0.5)]), RATE)
    assert len(trimmed) == pytest.approx((LEAD_S + 0.5 + TAIL_S) * RATE, abs=RATE * 0.02)
    onset = np.flatnonzero(np.abs(trimmed) > 1000)[0]
    assert onset == pytest.approx(LEAD_S * RATE, abs=RATE * 0.012)


def test_no_sample_of_speech_is_lost() -> None:
    """Pauses inside the speech stay, and all of the speech does."""
    inside = np.concatenate([sine(300, 0.2, rate=RATE), silence(0.4), sine(300, 0.2, rate=RATE)])
    trimmed = trim(np.concatenate([silence(0.2), inside, silence(0.2)]), RATE)
    assert np.sum(np.abs(trimmed.astype(np.int64))) == np.sum(np.abs(inside.astype(np.int64)))


def test_nothing_audible_stays_as_it_is() -> None:
    """Silence is not made into nothing, which would end a reply without a sound."""
    assert len(trim(silence(0.3), RATE)) == int(0.3 * RATE)


def test_speech_without_silence_stays_as_it_is() -> None:
    """There is nothing to cut."""
    speech = sine(300, 0.5, rate=RATE)
    assert len(trim(speech, RATE)) == len(speech)
