"""Recognisers of the corpus that listen themselves: the offline one, and one that understands nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit import rtc
from livekit.agents import LanguageCode, stt, utils

from bench.interruptions.recogniser import SimulatedStt
from bench.interruptions.trial import detector
from telephony.errors import DependencyError
from telephony.speech.models import find_whisper
from telephony.speech.recogniser import WhisperRecogniser
from telephony.speech.settings import OfflineSttSettings

if TYPE_CHECKING:
    from collections.abc import Callable

WORK_S = 0.15
"""What an utterance takes the offline recogniser on an idle machine; virtual time cannot measure it."""


def wordless(language: str) -> stt.STT[Any]:
    """Words are to be expected afterwards, and never come."""
    return SimulatedStt(language, interim=False)


def offline() -> Callable[[str], stt.STT[Any]] | None:
    """Makes offline recognisers that share one model; None where it is not installed."""
    try:
        model = WhisperRecogniser(find_whisper())
    except DependencyError:
        return None
    least_ms = OfflineSttSettings(provider="offline").min_speech_ms
    return lambda _: stt.StreamAdapter(stt=_Whisper(model), vad=detector(least_speech_ms=least_ms))


class _Whisper(stt.STT[Any]):
    def __init__(self, model: WhisperRecogniser) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._model = model

    async def _recognize_impl(self, buffer: utils.AudioBuffer, **_: Any) -> stt.SpeechEvent:
        frame = rtc.combine_audio_frames(buffer)
        found = self._model.recognise(np.frombuffer(frame.data, np.int16), frame.sample_rate)
        await asyncio.sleep(WORK_S)
        data = stt.SpeechData(language=LanguageCode("en"), text=found.text, confidence=found.confidence)
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data])
