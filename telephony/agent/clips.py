"""What is the same in every call, spoken once by the line's own voice and then kept on its disk.

The greeting, so that a caller who is answered hears it at once, whatever the voice is doing; and the two
clips that a bridge plays when a job has died: a dead job cannot speak, and its successor needs a moment.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit.agents import APIConnectOptions
from livekit.agents.utils import http_context

from telephony.agent.session import PROVIDER_LIMITS
from telephony.assistants.call_data import filled
from telephony.assistants.loader import assistant_names, load_assistant
from telephony.audio.frame import RATE
from telephony.audio.resample import resample
from telephony.errors import TrunklineError
from telephony.link.messages import Clip
from telephony.logs import get_logger
from telephony.speech.by_language import spoken_in
from telephony.speech.providers import build_voice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from livekit.agents import tts

    from telephony.agent.settings import AgentSettings
    from telephony.assistants.schema import Assistant
    from telephony.audio.frame import Samples
    from telephony.speech.settings import TtsSettings

log = get_logger(__name__)

MOST_S = 20.0
"""Longest clip that is handed to a bridge."""
_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_ONE_TRY = APIConnectOptions(max_retry=0, timeout=PROVIDER_LIMITS.timeout)
"""Tried again after a pause of our own: LiveKit would warn of a voice that is only not there yet."""
_STAND_IN_S = 4.0
"""From this pause on the voice that stands in speaks them: the line's own is more than late."""
_FOLDER = "clips"


def clip_texts(assistant: Assistant) -> dict[Clip, str]:
    """What an assistant has to say in place of a dead job."""
    return {Clip.MOMENT: assistant.rescue.moment, Clip.GOODBYE: assistant.rescue.goodbye}


def rescue_texts(assistant: Assistant) -> list[str]:
    """What an assistant says when its providers fail it."""
    rescue = assistant.rescue
    return [*rescue.fillers, rescue.again, rescue.apology, rescue.goodbye]


def for_bridge(pcm: bytes) -> bytes:
    """A clip, cut to what a bridge keeps."""
    return pcm[: int(MOST_S * RATE) * 2]


class SpokenClips:
    """The clips of one line, on its disk.

    Args:
        settings: the worker's; another voice has other clips.
    """

    def __init__(self, settings: AgentSettings) -> None:
        self._folder = settings.data / _FOLDER
        self._voice = settings.line.speech.tts.model_dump_json()

    def load(self, text: str) -> bytes | None:
        """A clip as PCM, 16 bit, 8 kHz, mono; None if it has not been made."""
        try:
            return self._path(text).read_bytes()
        except OSError:
            return None

    async def make(
        self, voice: tts.TTS[Any], text: str, *, limits: APIConnectOptions = PROVIDER_LIMITS
    ) -> bytes:
        """Speak it and keep it; ``limits`` are those of the voice.

        Raises:
            Exception: whatever the voice raises.
        """
        parts: list[Samples] = []
        rate = voice.sample_rate
        async with voice.synthesize(text, conn_options=limits) as stream:
            async for audio in stream:
                rate = audio.frame.sample_rate
                parts.append(np.frombuffer(audio.frame.data, np.int16).copy())
        samples = np.concatenate(parts) if parts else np.zeros(0, np.int16)
        samples = resample(samples, rate, RATE) if len(samples) else samples
        pcm = samples.astype(np.int16).tobytes()
        path = self._path(text)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{os.getpid()}.new")
        draft.write_bytes(pcm)
        draft.replace(path)
        return pcm

    def _path(self, text: str) -> Path:
        name = hashlib.sha256(f"{self._voice}\n{text}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.pcm"


async def hand_over(
    clips: SpokenClips, assistant: Assistant, voice: tts.TTS[Any], keep: Callable[[Clip, bytes], None]
) -> None:
    """Let the bridge have what an assistant says in place of a dead job; what is missing is made.

    Args:
        voice: the call's.
        keep: takes one clip, PCM, 16 bit, 8 kHz, mono.
    """
    for clip, text in clip_texts(assistant).items():
        pcm = clips.load(text)
        if pcm is None:
            try:
                pcm = await clips.make(voice, text)
            except Exception as error:
                log.warning("clip_not_made", clip=clip.name, reason=str(error) or type(error).__name__)
        if pcm:
            keep(clip, for_bridge(pcm))


async def make_missing(settings: AgentSettings) -> None:
    """Make every assistant's clips that are not there yet; gives up quietly after half a minute.

    For the worker's own process, so that also the first call's job has them to hand over.
    """
    missing = [(own, texts) for own, texts in _wanted(settings) if texts]
    for pause_s in _PAUSES_S:
        missing = [(own, texts) for own, texts in missing if not await _speak(own, texts, pause_s)]
        if not missing:
            return
        # The speech engine starts beside the worker; a cloud may be away for a moment.
        await asyncio.sleep(pause_s)


async def _speak(settings: AgentSettings, texts: list[str], pause_s: float) -> bool:
    """Try once; whether all of them are made."""
    clips = SpokenClips(settings)
    voices = [settings.line.speech.tts, settings.line.speech.fallback.tts]
    for voice in voices if pause_s >= _STAND_IN_S else voices[:1]:
        if voice is not None and await _make(settings, voice, clips, texts):
            return True
    return False


async def _make(settings: AgentSettings, voice: TtsSettings, clips: SpokenClips, texts: list[str]) -> bool:
    speech = settings.line.speech.model_copy(update={"tts": voice})
    try:
        async with http_context.open():
            speaker = build_voice(speech, engine_socket=settings.speech_socket)
            try:
                made = await _make_all(clips, speaker.tts, texts)
            finally:
                await speaker.aclose()
    except Exception as error:
        log.info("clips_not_made", voice=voice.provider, reason=str(error) or type(error).__name__)
        return False
    log.info("clips_made", voice=voice.provider, count=made)
    return True


async def _make_all(clips: SpokenClips, voice: tts.TTS[Any], texts: list[str]) -> int:
    """How many were made; one in a language that nobody here speaks keeps no other back.

    Raises:
        Exception: the provider's, where not one could be made.
    """
    made, mute = 0, dict[str, Exception]()
    for text in texts:
        language = spoken_in(text)
        if language in mute:
            continue
        try:
            await clips.make(voice, text, limits=_ONE_TRY)
            made += 1
        except Exception as error:
            mute[language] = error
    for language, reason in mute.items():
        if not made:
            raise reason
        log.info("clips_not_made", language=language, reason=str(reason) or type(reason).__name__)
    return made


def _wanted(settings: AgentSettings) -> list[tuple[AgentSettings, list[str]]]:
    """What is not there yet, by voice; each text once, greetings first: the next call needs one."""
    greetings: dict[str, list[str]] = {}
    rescues: dict[str, list[str]] = {}
    voices: dict[str, AgentSettings] = {}
    for name in assistant_names(settings.assistant_directories):
        try:
            assistant = load_assistant(name, settings.assistant_directories)
            own = settings.for_assistant(assistant)
        except TrunklineError as error:
            log.warning("assistant_without_clips", assistant=name, reason=str(error))
            continue
        voice = own.line.speech.tts.model_dump_json()
        voices.setdefault(voice, own)
        greetings.setdefault(voice, []).append(filled(assistant).greeting)
        rescues.setdefault(voice, []).extend([*clip_texts(assistant).values(), *rescue_texts(assistant)])
    wanted = []
    for voice, own in voices.items():
        clips = SpokenClips(own)
        texts = dict.fromkeys(greetings[voice] + rescues[voice])
        wanted.append((own, [text for text in texts if clips.load(text) is None]))
    return wanted
