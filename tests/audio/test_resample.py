"""A change of rate keeps pitch, level and length."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.level import dbfs
from telephony.audio.resample import Resampler, resample
from telephony.audio.tones import sine

pytestmark = pytest.mark.pure

RATES = [(8000, 16000), (8000, 48000), (16000, 8000), (24000, 8000), (48000, 8000), (22050, 8000)]


@pytest.mark.parametrize(("source", "target"), RATES)
def test_whole_signal(source: int, target: int) -> None:
    """A tone has the same frequency, level and duration at another rate."""
    tone = sine(1000, 0.5, rate=source)
    changed = resample(tone, source, target)
    assert abs(len(changed) - target // 2) <= 1
    assert dominant_frequency(changed, target) == pytest.approx(1000, abs=1)
    assert dbfs(changed) == pytest.approx(dbfs(tone), abs=0.2)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_stream_equals_the_whole(source: int, target: int) -> None:
    """Fed in frames of 20 ms and flushed, the stream gives the same signal as the whole at once."""
    tone = sine(700, 0.4, rate=source)
    stream = Resampler(source, target)
    step = source // 50
    parts = [stream.process(tone[at : at + step]) for at in range(0, len(tone), step)]
    streamed = np.concatenate([*parts, stream.flush()])
    whole = resample(tone, source, target)
    assert abs(len(streamed) - len(whole)) <= 1
    length = min(len(streamed), len(whole))
    assert np.max(np.abs(streamed[:length].astype(int) - whole[:length])) <= 2


def test_stream_starts_anew_after_flush() -> None:
    """What is fed after a flush gives the same as in a new stream."""
    stream, fresh = Resampler(8000, 16000), Resampler(8000, 16000)
    stream.process(sine(300, 0.1))
    stream.flush()
    tone = sine(900, 0.2)
    # Two units of dither apart at most.
    assert np.allclose(stream.process(tone).astype(int), fresh.process(tone), atol=2)


def test_same_rate_passes_through() -> None:
    """Nothing is done to audio that has the rate already."""
    tone = sine(440, 0.1)
    stream = Resampler(8000, 8000)
    assert resample(tone, 8000, 8000) is tone
    assert stream.process(tone) is tone
    assert stream.flush().size == 0


def test_nothing_in_nothing_out() -> None:
    """No samples at all are no error."""
    empty = np.zeros(0, np.int16)
    assert resample(empty, 8000, 16000).size == 0
    assert Resampler(8000, 16000).process(empty).size == 0


def test_frequencies_above_the_band_are_removed() -> None:
    """A tone that 8 kHz cannot carry does not fold back into the voice."""
    assert dbfs(resample(sine(7000, 0.5, rate=24000), 24000, 8000)[400:-400]) < -70
