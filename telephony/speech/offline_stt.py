"""Whisper in the speech engine, as a LiveKit recogniser of whole utterances.

Not streaming: ``livekit.agents.stt.StreamAdapter`` cuts the call into utterances with a VAD and asks for
each. Nothing but speech gives an empty text, which the adapter drops without a word, so a caller who was
not understood must be noticed by the dialogue.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import numpy as np
from livekit import rtc
from livekit.agents import NOT_GIVEN, APIConnectionError, APITimeoutError, LanguageCode, stt, utils

from telephony.errors import SpeechError

if TYPE_CHECKING:
    from livekit.agents import APIConnectOptions, NotGivenOr

    from telephony.speech.engine_link import EngineLink
    from telephony.speech.expectation import Expectation
    from telephony.speech.settings import OfflineSttSettings

_Events = Literal["metrics_collected", "error"]


class OfflineStt(stt.STT[_Events]):
    """Recognises through the engine, led by what the dialogue expects.

    Args:
        link: the connection; closed by whoever made it.
        settings: language and the longest wait.
        expectation: read at each utterance.
    """

    def __init__(self, link: EngineLink, settings: OfflineSttSettings, expectation: Expectation) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._link = link
        self._settings = settings
        self._expectation = expectation
        self._language = settings.language or "en"

    @property
    def model(self) -> str:
        return "whisper-base" if self._language == "ru" else "whisper-tiny.en"

    @property
    def provider(self) -> str:
        return "offline"

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        frame = rtc.combine_audio_frames(buffer)
        samples = np.frombuffer(frame.data, np.int16)[:: frame.num_channels]
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                client = await self._link.client()
                transcript = await client.transcribe(
                    samples,
                    frame.sample_rate,
                    hint=self._expectation.hint,
                    language=self._language,
                )
        except TimeoutError as error:
            raise APITimeoutError(f"No transcript within {self._settings.timeout_s:g} s.") from error
        except SpeechError as error:
            raise APIConnectionError(str(error), retryable=error.retryable) from error
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=utils.shortuuid("stt_"),
            alternatives=[
                stt.SpeechData(
                    language=LanguageCode(self._language),
                    text=transcript.text,
                    end_time=transcript.duration_ms / 1000,
                    confidence=transcript.confidence,
                )
            ],
        )
