"""Levels of known signals."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.frame import RATE, silence
from telephony.audio.level import FLOOR_DBFS, dbfs, rms
from telephony.audio.tones import sine

pytestmark = pytest.mark.pure


def test_full_scale_sine_is_three_db_down() -> None:
    """A sine of full amplitude measures -3.01 dBFS by RMS."""
    assert dbfs(sine(1000, 0.1, amplitude=1.0)) == pytest.approx(-3.01, abs=0.01)


def test_half_amplitude_is_six_db_less() -> None:
    """Halving the amplitude takes 6.02 dB off."""
    loud, soft = sine(500, 0.1, amplitude=0.5), sine(500, 0.1, amplitude=0.25)
    assert dbfs(loud) - dbfs(soft) == pytest.approx(6.02, abs=0.02)


@pytest.mark.parametrize("samples", [silence(), silence(0)])
def test_silence_is_the_floor(samples: np.ndarray) -> None:
    """Zeros, or no samples at all, are at the floor and never an error."""
    assert rms(samples) == 0.0
    assert dbfs(samples) == FLOOR_DBFS


def test_extreme_samples_do_not_overflow() -> None:
    """The most negative samples, whose squares exceed 32 bits in sum, measure 0 dBFS."""
    assert dbfs(np.full(RATE, -32768, np.int16)) == pytest.approx(0.0)


def test_the_least_signal_is_not_below_the_floor() -> None:
    """One bit now and then still measures no less than silence does."""
    faint = silence()
    faint[0] = 1
    assert dbfs(faint) == FLOOR_DBFS
