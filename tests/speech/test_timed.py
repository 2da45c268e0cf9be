"""Providers with known delays: the delays are kept, and what they say is always the same."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import llm, stt

from telephony.audio.detect import dominant_frequency
from telephony.audio.tones import sine
from telephony.audio.wav import write_wav
from telephony.errors import ConfigError
from telephony.speech.settings import TimedLlmSettings, TimedSttSettings, TimedTtsSettings
from telephony.speech.timed import TimedLlm, TimedStt, TimedTts

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.component

FRAME_S = 0.02


def frame(*, loud: bool) -> rtc.AudioFrame:
    """20 ms at 8 kHz of a tone or of nothing."""
    samples = sine(440.0, FRAME_S) if loud else np.zeros(160, np.int16)
    return rtc.AudioFrame(samples.tobytes(), 8000, 1, 160)


async def test_the_transcript_comes_after_the_last_loud_frame() -> None:
    """Start, end and the text come in order, the text the set time after the last loud frame."""
    settings = TimedSttSettings(provider="timed", stt_final_ms=120, text="Hi.")
    async with TimedStt(settings).stream() as stream:
        for loud in (False, True, True, False, True, False, False):
            stream.push_frame(frame(loud=loud))
            if loud:
                last_loud = time.monotonic()
            await asyncio.sleep(FRAME_S)
        events = [await anext(stream) for _ in range(3)]
        assert time.monotonic() - last_loud >= 0.115
        assert [event.type for event in events] == [
            stt.SpeechEventType.START_OF_SPEECH,
            stt.SpeechEventType.END_OF_SPEECH,
            stt.SpeechEventType.FINAL_TRANSCRIPT,
        ]
        assert events[2].alternatives[0].text == "Hi."


async def test_a_pause_shorter_than_the_delay_does_not_end_the_utterance() -> None:
    """Speech that goes on puts the transcript off; there is one for each utterance."""
    settings = TimedSttSettings(provider="timed", stt_final_ms=200)
    async with TimedStt(settings).stream() as stream:
        for _ in range(4):
            stream.push_frame(frame(loud=True))
            await asyncio.sleep(0.04)
        stream.end_input()
        events = [event.type async for event in stream]
    assert events.count(stt.SpeechEventType.FINAL_TRANSCRIPT) == 1
    assert events.count(stt.SpeechEventType.START_OF_SPEECH) == 1


async def test_silence_is_no_utterance() -> None:
    """Quiet frames give no event at all, and a quiet buffer an empty text."""
    recogniser = TimedStt(TimedSttSettings(provider="timed", stt_final_ms=0))
    async with recogniser.stream() as stream:
        for _ in range(5):
            stream.push_frame(frame(loud=False))
        stream.end_input()
        assert [event async for event in stream] == []
    assert (await recogniser.recognize(frame(loud=False))).alternatives[0].text == ""
    assert (await recogniser.recognize(frame(loud=True))).alternatives[0].text


async def test_the_model_answers_after_its_delay() -> None:
    """The fixed text comes in one piece, not before its time."""
    started = time.monotonic()
    model = TimedLlm(TimedLlmSettings(provider="timed", llm_ms=80, text="Fixed."))
    response = await model.chat(chat_ctx=llm.ChatContext.empty()).collect()
    assert response.text == "Fixed."
    assert time.monotonic() - started >= 0.075


async def spoken(voice: TimedTts, *texts: str) -> tuple[NDArray[np.int16], float, float]:
    """The samples of one utterance, the time to its first frame and to its last, in s."""
    pieces: list[NDArray[np.int16]] = []
    first = last = 0.0
    async with voice.stream() as stream:
        started = time.monotonic()
        for text in texts:
            stream.push_text(text)
        stream.end_input()
        async for event in stream:
            assert event.frame.sample_rate == 8000
            pieces.append(np.frombuffer(event.frame.data, np.int16))
            last = time.monotonic() - started
            first = first or last
    return np.concatenate(pieces), first, last


async def test_the_voice_is_one_steady_tone() -> None:
    """However many texts: one tone of the set length, unbroken, handed over faster than it plays."""
    settings = TimedTtsSettings(provider="timed", tts_ms=60, duration_s=1.5)
    samples, first, last = await spoken(TimedTts(settings), "One sentence. ", "And another.")
    np.testing.assert_array_equal(samples, sine(440.0, 1.5))
    assert dominant_frequency(samples, 8000) == pytest.approx(440, abs=5)
    assert first >= 0.055
    assert last < 1.4


async def test_a_whole_text_sounds_the_same() -> None:
    """Synthesis at once gives what streaming gives."""
    voice = TimedTts(TimedTtsSettings(provider="timed", tts_ms=0, duration_s=0.3))
    async with voice.synthesize("Hello.") as stream:
        whole = await stream.collect()
    samples = np.frombuffer(whole.data, np.int16)
    np.testing.assert_array_equal(samples[:2400], sine(440.0, 0.3))
    # LiveKit ends such a stream with a few ms of silence.
    assert not samples[2400:].any()


async def test_a_clip_is_played_as_it_is(tmp_path: Path) -> None:
    """The clip's samples come out untouched."""
    clip = sine(700.0, 0.25)
    write_wav(tmp_path / "clip.wav", [clip], 8000)
    settings = TimedTtsSettings(provider="timed", tts_ms=0, sound="clip", clip=str(tmp_path / "clip.wav"))
    samples, _, _ = await spoken(TimedTts(settings), "Hello.")
    np.testing.assert_array_equal(samples, clip)


def test_a_clip_that_cannot_be_played_is_refused(tmp_path: Path) -> None:
    """A missing, foreign, stereo or resampled file is an error that names the setting."""
    (tmp_path / "text.wav").write_text("no sound")
    write_wav(tmp_path / "fast.wav", [sine(700.0, 0.1, rate=16_000)], 16_000)
    write_wav(tmp_path / "stereo.wav", [sine(700.0, 0.1), sine(700.0, 0.1)], 8000)
    write_wav(tmp_path / "empty.wav", [np.zeros(0, np.int16)], 8000)
    for name in ("missing.wav", "text.wav", "fast.wav", "stereo.wav", "empty.wav"):
        settings = TimedTtsSettings(provider="timed", sound="clip", clip=str(tmp_path / name))
        with pytest.raises(ConfigError, match=r"speech\.tts\.clip"):
            TimedTts(settings)
