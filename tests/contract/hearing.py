"""Who hears whom: each party of a call has a tone of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import RATE
from telephony.audio.level import dbfs
from tests.waiting import until

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from tests.bridge.called_phone import CalledLeg
    from tests.bridge.phone import PhoneCall
    from tests.contract.line import ContractAgent

WINDOW_S = 0.3
_NEAR_HZ = 15.0
_AUDIBLE_DBFS = -40.0
_STANDS_OUT = 20.0


def is_tone(samples: Samples, frequency_hz: float) -> bool:
    """Whether this tone is the loudest of what was heard, and loud."""
    if len(samples) < WINDOW_S * RATE / 2 or dbfs(samples) < _AUDIBLE_DBFS:
        return False
    return abs(dominant_frequency(samples, RATE) - frequency_hz) < _NEAR_HZ


def has_tones(samples: Samples, *frequencies_hz: float, without_hz: float) -> bool:
    """Whether all of several tones are heard at once, and another one is not."""
    if len(samples) < RATE:
        return False
    spectrum = np.abs(np.fft.rfft(samples[-RATE:].astype(np.float64)))
    floor = float(spectrum[round(without_hz) - 3 : round(without_hz) + 4].max())
    peaks = [float(spectrum[round(hz) - 3 : round(hz) + 4].max()) for hz in frequencies_hz]
    return all(peak > _STANDS_OUT * floor for peak in peaks)


async def hears(
    who: PhoneCall | CalledLeg | ContractAgent, frequency_hz: float, timeout_s: float = 10.0
) -> None:
    """Wait until somebody hears a tone."""
    await until(lambda: is_tone(who.samples(WINDOW_S), frequency_hz), timeout_s)


async def hears_nothing(who: PhoneCall | CalledLeg | ContractAgent, timeout_s: float = 10.0) -> None:
    """Wait until somebody has heard silence for a while."""
    await until(lambda: len(who.heard) > WINDOW_S * 50 and dbfs(who.samples(WINDOW_S)) < -50, timeout_s)
