"""A change of rate keeps pitch, level and length, and a stream hardly lags."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.detect import dominant_frequency
from telephony.audio.level import dbfs
from telephony.audio.resample import Resampler, resample
from telephony.audio.tones import sine

pytestmark = pytest.mark.pure

RATES = [
    (8000, 16000),
    (8000, 24000),
    (8000, 48000),
    (16000, 8000),
    (24000, 8000),
    (48000, 8000),
    (22050, 8000),
    (16000, 24000),
]


@pytest.mark.parametrize(("source", "target"), RATES)
def test_whole_signal(source: int, target: int) -> None:
    """A tone has the same frequency, level and duration at another rate."""
    tone = sine(1000, 0.5, rate=source)
    changed = resample(tone, source, target)
    assert abs(len(changed) - target // 2) <= 1
    assert dominant_frequency(changed, target) == pytest.approx(1000, abs=1)
    assert dbfs(changed) == pytest.approx(dbfs(tone), abs=0.2)


@pytest.mark.parametrize(("source", "target"), RATES)
@pytest.mark.parametrize("frequency", [300, 1000, 3000])
def test_stream_is_in_step_with_its_input(source: int, target: int, frequency: int) -> None:
    """Fed in frames and flushed, a tone comes out as the same tone sampled at the other rate, in phase."""
    stream = Resampler(source, target)
    tone = sine(frequency, 0.4, rate=source)
    step = source // 50
    parts = [stream.process(tone[at : at + step]) for at in range(0, len(tone), step)]
    streamed = np.concatenate([*parts, stream.flush()])
    expected = sine(frequency, 0.4, rate=target)
    assert len(streamed) == len(expected)
    inside = slice(target // 100, -target // 100)
    assert np.max(np.abs(streamed[inside].astype(int) - expected[inside])) < 0.01 * 0.3 * 32767


@pytest.mark.parametrize(("source", "target"), RATES)
def test_stream_lags_by_3_ms(source: int, target: int) -> None:
    """After each 20 ms frame all but the last 3 ms (at 8 kHz) have come out, from the first frame on."""
    stream = Resampler(source, target)
    tone = sine(440, 0.2, rate=source)
    step = source // 50
    given = 0
    for at in range(0, len(tone), step):
        given += len(stream.process(tone[at : at + step]))
        lag_s = (at + step) / source - given / target
        assert 0 <= lag_s < 24 / min(source, target) + 1.5 / target


@given(st.lists(st.integers(0, 700), min_size=1, max_size=12), st.sampled_from(RATES))
def test_stream_does_not_depend_on_how_it_is_cut(sizes: list[int], rates: tuple[int, int]) -> None:
    """Chunks of any sizes, none and single samples included, give the same as one chunk."""
    rng = np.random.default_rng(1)
    signal = rng.integers(-9000, 9000, sum(sizes), np.int16)
    cut, whole = Resampler(*rates), Resampler(*rates)
    edges = np.cumsum([0, *sizes])
    parts = [cut.process(signal[a:b]) for a, b in pairwise(edges)]
    assert np.array_equal(
        np.concatenate([*parts, cut.flush()]), np.concatenate([whole.process(signal), whole.flush()])
    )


def test_stream_starts_anew_after_flush() -> None:
    """What is fed after a flush gives the same as in a new stream."""
    stream, fresh = Resampler(8000, 16000), Resampler(8000, 16000)
    stream.process(sine(300, 0.1))
    stream.flush()
    tone = sine(900, 0.2)
    assert np.array_equal(stream.process(tone), fresh.process(tone))


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
    stream = Resampler(8000, 16000)
    assert stream.process(empty).size == 0
    assert stream.flush().size == 0


@pytest.mark.parametrize("frequency", [4100, 5000, 7000, 11000])
def test_frequencies_above_the_band_are_removed(frequency: int) -> None:
    """A tone that 8 kHz cannot carry does not fold back into the voice, whole or as a stream."""
    tone = sine(frequency, 0.5, rate=24000)
    assert dbfs(resample(tone, 24000, 8000)[400:-400]) < -70
    assert dbfs(Resampler(24000, 8000).process(tone)[400:-400]) < -70


def test_loudest_signal_is_clipped_not_wrapped() -> None:
    """A full-scale square wave, which overshoots in any filter, never wraps around."""
    square = np.where(np.arange(1600) // 20 % 2, 32767, -32768).astype(np.int16)
    upsampled = Resampler(8000, 16000).process(square).astype(int)
    assert np.max(np.abs(np.diff(upsampled))) < 60000
    assert upsampled.max() == 32767
