"""What was lost is filled without clicks, without humming on, and better than by silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.conceal import FADE_FRAMES, Concealer, cross_fade
from telephony.audio.frame import FRAME_SAMPLES, Samples, silence, to_int16
from telephony.audio.level import rms
from telephony.audio.tones import noise, sine

pytestmark = pytest.mark.pure


def voiced(pitch_hz: float, duration_s: float) -> Samples:
    """Ten harmonics that get weaker: as periodic and as rich as a vowel."""
    return to_int16(
        sum(
            (sine(pitch_hz * n, duration_s, amplitude=0.3 / n).astype(np.float64) for n in range(1, 11)),
            start=np.zeros(round(duration_s * 8000)),
        )
    )


def frames_of(signal: Samples) -> list[Samples]:
    return [
        signal[at : at + FRAME_SAMPLES] for at in range(0, len(signal) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    ]


def through(frames: list[Samples], lost: set[int]) -> Samples:
    """Play ``frames`` with some of them lost."""
    concealer = Concealer()
    out = []
    for index, frame in enumerate(frames):
        filled = concealer.conceal() if index in lost else concealer.play(frame)
        out.append(silence() if filled is None else filled)
    return np.concatenate(out)


def roughness(signal: Samples) -> int:
    """The largest step between neighbouring samples."""
    return int(np.max(np.abs(np.diff(signal.astype(int)))))


@pytest.mark.parametrize("pitch_hz", [70, 95, 125, 160, 210, 290])
def test_lost_frame_of_a_vowel_is_close_to_the_original(pitch_hz: float) -> None:
    """For every pitch of voice, a filled frame resembles the lost one far more than silence does."""
    frames = frames_of(voiced(pitch_hz, 0.4))
    original = frames[10].astype(float)
    filled = through(frames, {10})[10 * FRAME_SAMPLES : 11 * FRAME_SAMPLES].astype(float)
    # The fade alone takes a sixth off; the rest is the error of an integer period.
    assert np.sqrt(np.mean((filled - original) ** 2)) < 0.45 * rms(frames[10])


@pytest.mark.parametrize("pitch_hz", [70, 133, 290])
@pytest.mark.parametrize("lost", [{10}, {10, 11}, set(range(10, 13)), set(range(10, 16))])
def test_no_click_at_the_seams(pitch_hz: float, lost: set[int]) -> None:
    """Into, inside and out of a gap, no step is much larger than the voice's own."""
    frames = frames_of(voiced(pitch_hz, 0.5))
    assert roughness(through(frames, lost)) < 1.5 * roughness(np.concatenate(frames))


def test_fades_out_within_60_ms_and_then_stays_silent() -> None:
    """Three frames get weaker and weaker; from the fourth on there is nothing."""
    concealer = Concealer()
    for frame in frames_of(voiced(120, 0.2)):
        concealer.play(frame)
    filled = [concealer.conceal() for _ in range(FADE_FRAMES + 3)]
    levels = [rms(frame) for frame in filled if frame is not None]
    assert len(levels) == FADE_FRAMES
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] < 0.3 * levels[0]
    assert filled[FADE_FRAMES:] == [None] * 3


def test_undamaged_audio_passes_bit_by_bit() -> None:
    """Without loss, every frame is given back as the very same array."""
    concealer = Concealer()
    for frame in frames_of(voiced(120, 0.2)):
        assert concealer.play(frame) is frame


def test_only_the_first_5_ms_after_a_gap_are_touched() -> None:
    """After a gap all later samples are as they came, and the array given in is not changed."""
    frames = frames_of(voiced(150, 0.3))
    before = frames[8].copy()
    out = through(frames, {7})
    assert np.array_equal(out[8 * FRAME_SAMPLES + 40 : 10 * FRAME_SAMPLES], np.concatenate(frames[8:10])[40:])
    assert np.array_equal(frames[8], before)


def test_nothing_is_made_up_before_anything_was_heard() -> None:
    """A call that starts with missing frames starts with nothing."""
    concealer = Concealer()
    assert concealer.conceal() is None
    first = sine(200, 0.02)
    assert concealer.play(first) is first


def test_silence_stays_silent() -> None:
    """Filling silence gives silence."""
    concealer = Concealer()
    concealer.play(silence())
    filled = concealer.conceal()
    assert filled is not None
    assert not filled.any()


def test_noise_keeps_its_level() -> None:
    """Filled background noise is about as loud as it was, so that it does not pump."""
    frames = frames_of(noise(0.4, -40, np.random.default_rng(3)))
    filled = through(frames, {10})[10 * FRAME_SAMPLES : 11 * FRAME_SAMPLES]
    assert 0.5 < rms(filled) / rms(frames[9]) < 1.3


@given(
    st.lists(st.booleans(), min_size=1, max_size=40),
    st.integers(0, 2**32 - 1),
)
def test_any_pattern_of_loss_is_bounded(arrived: list[bool], seed: int) -> None:
    """Whatever is lost in whatever loud signal, frames keep shape and type and nothing wraps around."""
    rng = np.random.default_rng(seed)
    concealer = Concealer()
    run = 0
    for came in arrived:
        frame = rng.integers(-32768, 32767, FRAME_SAMPLES, np.int16, endpoint=True)
        out = concealer.play(frame) if came else concealer.conceal()
        run = 0 if came else run + 1
        if out is None:
            continue
        assert run <= FADE_FRAMES
        assert out.shape == (FRAME_SAMPLES,)
        assert out.dtype == np.int16


def test_cross_fade_goes_from_one_to_the_other() -> None:
    """A blend of two frames starts as the first, ends as the second, and stays between them."""
    blended = cross_fade(np.full(160, 1000, np.int16), np.full(160, -1000, np.int16))
    assert blended[0] > 980
    assert blended[-1] < -980
    assert np.all(np.diff(blended.astype(int)) <= 0)
