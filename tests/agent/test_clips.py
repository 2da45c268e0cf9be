"""What is spoken once and kept: made by a voice, read by every call, played without asking the voice."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.agent import clips
from telephony.agent.clips import MOST_S, SpokenClips, for_bridge, make_missing
from telephony.agent.greeting import PreparedSpeech
from telephony.agent.settings import AgentSettings
from telephony.assistants.loader import load_assistant
from telephony.audio.frame import RATE
from telephony.speech.providers import build_voice
from telephony.speech.settings import OfflineTtsSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from livekit import rtc

pytestmark = pytest.mark.pure

LINE = """\
agent: {name: desk}
speech:
  stt: {provider: timed}
  llm: {provider: timed}
  tts: {provider: timed, tts_ms: 5, duration_s: DURATION}
"""


def settings_of(folder: Path, *, duration_s: float = 1.5) -> AgentSettings:
    path = folder / "line.yaml"
    path.write_text(LINE.replace("DURATION", str(duration_s)))
    return AgentSettings.from_environment({"TRUNKLINE_CONFIG": str(path), "TRUNKLINE_DATA": str(folder)})


class SilentSession:
    """Takes the audio that a session would play."""

    def __init__(self) -> None:
        self.audio: AsyncIterator[rtc.AudioFrame] | None = None

    def say(self, text: str, *, audio: AsyncIterator[rtc.AudioFrame] | None = None) -> None:
        self.audio = audio


async def test_every_assistants_fixed_words_are_made_once(tmp_path: Path) -> None:
    """Greeting and both rescue clips lie in the line's folder; what is there is not made again."""
    settings = settings_of(tmp_path)
    await make_missing(settings)
    kept = SpokenClips(settings)
    reception = load_assistant("reception", settings.assistant_directories)
    for text in (reception.greeting, reception.rescue.moment, reception.rescue.goodbye):
        pcm = kept.load(text)
        assert pcm is not None
        assert len(pcm) == pytest.approx(1.5 * RATE * 2, rel=0.05)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").iterdir()}
    await make_missing(settings)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").iterdir()} == written


async def test_a_voice_that_is_not_there_yet_is_nothing_to_warn_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The speech engine starts beside the worker: it is asked again, and nobody is alarmed."""
    monkeypatch.setattr(clips, "_PAUSES_S", (0.01, 0.01))
    settings = settings_of(tmp_path)
    line = settings.line.model_copy(
        update={
            "speech": settings.line.speech.model_copy(update={"tts": OfflineTtsSettings(provider="offline")})
        }
    )
    settings = dataclasses.replace(settings, line=line, speech_socket=tmp_path / "speech.sock")
    await make_missing(settings)
    assert not (tmp_path / "clips").exists()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_another_voice_has_other_clips(tmp_path: Path) -> None:
    """A changed setting of the voice is heard in the next call."""
    await make_missing(settings := settings_of(tmp_path))
    greeting = load_assistant("reception", settings.assistant_directories).greeting
    assert SpokenClips(settings).load(greeting) is not None
    assert SpokenClips(settings_of(tmp_path, duration_s=2.5)).load(greeting) is None


async def test_a_kept_greeting_is_played_whole_without_the_voice(tmp_path: Path) -> None:
    """Every sample of the clip reaches the session, and nobody is asked to speak."""
    pcm = (np.arange(RATE * 3 // 2 + 37, dtype=np.int16)).tobytes()
    voice = build_voice(settings_of(tmp_path).line.speech, engine_socket=None)
    asked: list[str] = []
    voice.tts.synthesize = lambda text, **_: asked.append(text)  # type: ignore[assignment, method-assign]
    speech = PreparedSpeech(voice.tts, "Hello.", pcm)
    session = SilentSession()
    speech.say(session)  # type: ignore[arg-type]
    assert session.audio is not None
    heard = b"".join([bytes(frame.data) async for frame in session.audio])
    assert heard == pcm
    assert asked == []
    await speech.aclose()
    await voice.aclose()


async def test_without_a_clip_the_voice_is_asked_at_once(tmp_path: Path) -> None:
    """A first call, or a new assistant, is greeted by the voice itself."""
    voice = build_voice(settings_of(tmp_path).line.speech, engine_socket=None)
    speech = PreparedSpeech(voice.tts, "Hello.")
    session = SilentSession()
    speech.say(session)  # type: ignore[arg-type]
    assert session.audio is not None
    samples = sum([frame.samples_per_channel async for frame in session.audio])
    assert samples == pytest.approx(1.5 * voice.tts.sample_rate, rel=0.05)
    await speech.aclose()
    await voice.aclose()


def test_a_bridge_gets_no_more_than_it_keeps() -> None:
    """A clip too long for the bridge is cut, not refused."""
    assert len(for_bridge(bytes(60 * RATE * 2))) == int(MOST_S * RATE) * 2
