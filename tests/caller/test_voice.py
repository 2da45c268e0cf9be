"""Lines as samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import FRAME_SAMPLES, Samples
from telephony.audio.level import dbfs
from telephony.audio.tones import noise, sine
from telephony.caller.script import VoiceSettings
from telephony.caller.voice import EngineVoice, ToneVoice, shape_line
from telephony.errors import ScriptError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.pure


class ToneEngine:
    """Speaks 300 Hz for as long as the text, faster or slower as asked."""

    def __init__(self) -> None:
        self.voice = "tone"
        self.spoken: list[str] = []

    async def synthesize(
        self, text: str, *, rate: int = 8000, speed: float = 1.0, seed: int = 0
    ) -> AsyncIterator[Samples]:
        self.spoken.append(text)
        for word in text.split():
            if word != "…":
                yield sine(300, 0.5 / speed, rate=rate)


def test_a_line_is_ready_to_be_sent() -> None:
    """Silence is cut off, the level is set, and the last packet has speech in it."""
    quiet = np.zeros(3000, np.int16)
    line = shape_line(np.concatenate([quiet, sine(600, 1.0, amplitude=0.02), quiet]), -20)
    assert line.size % FRAME_SAMPLES == 0
    assert line.size == pytest.approx(8000, abs=2 * FRAME_SAMPLES)
    assert dbfs(line) == pytest.approx(-20, abs=0.5)
    assert dbfs(line[-FRAME_SAMPLES:]) > -30


def test_a_line_keeps_to_the_telephone_band() -> None:
    """What a telephone would not carry is taken out."""
    both = sine(100, 1.0).astype(np.int32) + sine(1000, 1.0)
    line = shape_line(both.astype(np.int16), -20)
    spectrum = np.abs(np.fft.rfft(line[:8000]))
    assert spectrum[90:110].max() < spectrum[990:1010].max() / 100


def test_peaks_are_not_clipped() -> None:
    """A line with high peaks stays below full scale rather than at its level."""
    spiky = np.zeros(8000, np.int16)
    spiky[::400] = 20_000
    spiky[::7] += 300
    assert np.abs(shape_line(spiky, -3).astype(np.int32)).max() <= 0.91 * 32767


@pytest.mark.parametrize("nothing", [np.zeros(0, np.int16), np.zeros(8000, np.int16), np.zeros(50, np.int16)])
def test_silence_makes_no_line(nothing: Samples) -> None:
    """There is nothing to send."""
    assert shape_line(nothing, -20).size == 0


@pytest.mark.parametrize("pitch", [0.8, 1.0, 1.2])
async def test_pitch_changes_the_voice_and_not_its_pace(pitch: float) -> None:
    """A deeper voice takes as long for a line as the engine's own."""
    voice = EngineVoice(ToneEngine(), VoiceSettings(pitch=pitch))
    line = await voice.speak("two words")
    assert dominant_frequency(line) == pytest.approx(300 * pitch, rel=0.02)
    assert line.size / 8000 == pytest.approx(1.0, abs=0.05)


async def test_what_was_spoken_once_is_kept(tmp_path: Path) -> None:
    """The same line with the same settings needs no engine; other settings do."""
    engine = ToneEngine()
    first = await EngineVoice(engine, VoiceSettings(), cache=tmp_path).speak("a line")
    again = await EngineVoice(engine, VoiceSettings(), cache=tmp_path).speak("a line")
    assert np.array_equal(first, again)
    assert engine.spoken == ["a line"]
    await EngineVoice(engine, VoiceSettings(speed=1.2), cache=tmp_path).speak("a line")
    await EngineVoice(engine, VoiceSettings(), seed=2, cache=tmp_path).speak("a line")
    assert len(engine.spoken) == 3


async def test_a_broken_file_is_spoken_again(tmp_path: Path) -> None:
    """What was cut off on disk is made anew."""
    engine = ToneEngine()
    voice = EngineVoice(engine, VoiceSettings(), cache=tmp_path)
    first = await voice.speak("a line")
    [kept] = tmp_path.glob("*.wav")
    kept.write_bytes(b"RIFF")
    assert np.array_equal(await voice.speak("a line"), first)
    assert len(engine.spoken) == 2


async def test_a_line_that_cannot_be_spoken_is_refused() -> None:
    """An engine that says nothing is not taken for silence."""
    with pytest.raises(ScriptError, match="nothing can be spoken"):
        await EngineVoice(ToneEngine(), VoiceSettings()).speak("…")


async def test_the_test_voice_speaks_in_tones() -> None:
    """Its frequency says who it is, its length how many words there were."""
    line = await ToneVoice(650).speak("one two three")
    assert dominant_frequency(line) == pytest.approx(650, abs=3)
    assert line.size / 8000 == pytest.approx(0.8, abs=0.05)


def test_noise_is_levelled_too() -> None:
    """Any sound comes out at the level."""
    assert dbfs(shape_line(noise(1.0, -50, np.random.default_rng(1)), -20)) == pytest.approx(-20, abs=0.5)
