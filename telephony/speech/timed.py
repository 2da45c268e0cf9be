"""Providers with known delays, so that a measurement shows what everything else takes.

The recogniser hears loudness and always understands the same; the model always answers the same; the
voice sounds a steady tone, or a clip, handed over five times faster than it plays, as a real one does.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from livekit import rtc
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    LanguageCode,
    llm,
    stt,
    tts,
    utils,
)

from telephony.audio.level import dbfs
from telephony.audio.tones import sine
from telephony.audio.wav import read_wav
from telephony.errors import AudioError, ConfigError
from telephony.speech.marks import mark
from telephony.speech.settings import PHONE_RATE

if TYPE_CHECKING:
    from livekit.agents import NotGivenOr
    from numpy.typing import NDArray

    from telephony.speech.settings import TimedLlmSettings, TimedSttSettings, TimedTtsSettings

_Events = Literal["metrics_collected", "error"]
_PIECE_S = 0.1
_FASTER = 5.0
_WORD_S = 0.25
"""How long a word takes to be spoken."""


class TimedStt(stt.STT[_Events]):
    """Gives a final transcript ``stt_final_ms`` after the last loud frame; its words sooner, if wanted."""

    def __init__(self, settings: TimedSttSettings) -> None:
        interim = settings.interim_ms is not None
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=interim))
        self.settings = settings

    @property
    def model(self) -> str:
        return "timed"

    @property
    def provider(self) -> str:
        return "timed"

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        loud = _is_loud(rtc.combine_audio_frames(buffer), self.settings.loud_dbfs)
        await asyncio.sleep(self.settings.stt_final_ms / 1000)
        return _final(self.settings.text if loud else "")

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> TimedRecognition:
        """Listen to one call."""
        return TimedRecognition(self, conn_options)


class TimedRecognition(stt.RecognizeStream):
    """One call being listened to."""

    def __init__(self, recogniser: TimedStt, conn_options: APIConnectOptions) -> None:
        self._settings = recogniser.settings
        self._due: asyncio.TimerHandle | None = None
        self._texts = itertools.cycle(self._settings.texts or [self._settings.text])
        self._text = ""
        self._loud_s = 0.0
        self._unfinished: list[asyncio.TimerHandle] = []
        super().__init__(stt=recogniser, conn_options=conn_options)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async for item in self._input_ch:
                if not isinstance(item, rtc.AudioFrame) or not _is_loud(item, self._settings.loud_dbfs):
                    continue
                self._loud_s += item.duration
                if self._due is None:
                    mark("heard")
                    self._text = next(self._texts)
                    self._tell_words(loop)
                    self._event_ch.send_nowait(stt.SpeechEvent(stt.SpeechEventType.START_OF_SPEECH))
                else:
                    self._due.cancel()
                delay_s = self._settings.stt_final_ms / 1000
                self._due = loop.call_later(delay_s, self._finish, time.time())
            if self._due is not None:
                self._finish(time.time())
        finally:
            for timer in (*self._unfinished, *([self._due] if self._due is not None else [])):
                timer.cancel()

    def _tell_words(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._settings.interim_ms is None:
            return
        words = self._text.split()
        for count in range(1, len(words) + 1):
            delay_s = self._settings.interim_ms / 1000 + (count - 1) * _WORD_S
            event = _transcript(stt.SpeechEventType.INTERIM_TRANSCRIPT, " ".join(words[:count]))
            self._unfinished.append(loop.call_later(delay_s, self._event_ch.send_nowait, event))

    def _finish(self, speech_end_time: float) -> None:
        self._due = None
        mark("listened", loud_s=self._loud_s)
        self._loud_s = 0.0
        for timer in self._unfinished:
            timer.cancel()
        self._unfinished.clear()
        self._event_ch.send_nowait(
            stt.SpeechEvent(stt.SpeechEventType.END_OF_SPEECH, speech_end_time=speech_end_time)
        )
        self._event_ch.send_nowait(_final(self._text, speech_end_time))


class TimedLlm(llm.LLM[_Events]):
    """Says the same text ``llm_ms`` after each request."""

    def __init__(self, settings: TimedLlmSettings) -> None:
        super().__init__()
        self._settings = settings

    @property
    def model(self) -> str:
        return "timed"

    @property
    def provider(self) -> str:
        return "timed"

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> TimedAnswer:
        """Answer, whatever the history."""
        return TimedAnswer(self, self._settings, chat_ctx, tools or [], conn_options)


class TimedAnswer(llm.LLMStream):
    """One answer."""

    def __init__(
        self,
        model: TimedLlm,
        settings: TimedLlmSettings,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        self._settings = settings
        super().__init__(model, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)

    async def _run(self) -> None:
        await asyncio.sleep(self._settings.llm_ms / 1000)
        delta = llm.ChoiceDelta(role="assistant", content=self._settings.text)
        self._event_ch.send_nowait(llm.ChatChunk(id=utils.shortuuid("timed_"), delta=delta))


class TimedTts(tts.TTS[_Events]):
    """Sounds ``tts_ms`` after the first text of each utterance.

    Raises:
        ConfigError: the clip cannot be read, or is not one channel at 8 kHz.
    """

    def __init__(self, settings: TimedTtsSettings) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True), sample_rate=PHONE_RATE, num_channels=1
        )
        self.delay_s = settings.tts_ms / 1000
        self.sound = _sound(settings)

    @property
    def model(self) -> str:
        return "timed"

    @property
    def provider(self) -> str:
        return "timed"

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Sound once for a whole text."""
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> TimedSpeech:
        """Sound once for text that arrives in pieces."""
        return TimedSpeech(self, conn_options)


class TimedSpeech(tts.SynthesizeStream):
    """One utterance: the whole sound, however much text."""

    def __init__(self, voice: TimedTts, conn_options: APIConnectOptions) -> None:
        self._voice = voice
        super().__init__(tts=voice, conn_options=conn_options)

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid("timed_"),
            sample_rate=PHONE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        sounded = False
        async for item in self._input_ch:
            if not sounded and isinstance(item, str) and item.strip():
                sounded = True
                self._mark_started()
                output_emitter.start_segment(segment_id=utils.shortuuid("timed_"))
                await asyncio.sleep(self._voice.delay_s)
                await self._play(output_emitter)
        if sounded:
            output_emitter.end_segment()

    async def _play(self, output_emitter: tts.AudioEmitter) -> None:
        step = int(_PIECE_S * PHONE_RATE)
        for start in range(0, len(self._voice.sound), step):
            if start:
                await asyncio.sleep(_PIECE_S / _FASTER)
            else:
                mark("spoke")
            piece = self._voice.sound[start : start + step]
            output_emitter.push_frame(rtc.AudioFrame(piece.tobytes(), PHONE_RATE, 1, len(piece)))


def _is_loud(frame: rtc.AudioFrame, threshold_dbfs: float) -> bool:
    return dbfs(np.frombuffer(frame.data, np.int16)) >= threshold_dbfs


def _final(text: str, speech_end_time: float | None = None) -> stt.SpeechEvent:
    return _transcript(stt.SpeechEventType.FINAL_TRANSCRIPT, text, speech_end_time)


def _transcript(
    kind: stt.SpeechEventType, text: str, speech_end_time: float | None = None
) -> stt.SpeechEvent:
    return stt.SpeechEvent(
        type=kind,
        request_id=utils.shortuuid("timed_"),
        alternatives=[stt.SpeechData(language=LanguageCode("en"), text=text, confidence=1.0)],
        speech_end_time=speech_end_time,
    )


def _sound(settings: TimedTtsSettings) -> NDArray[np.int16]:
    if settings.sound == "tone" or settings.clip is None:
        return sine(settings.tone_hz, settings.duration_s)
    try:
        channels, rate = read_wav(Path(settings.clip))
    except (OSError, AudioError) as error:
        raise ConfigError(f"The clip cannot be read: {error}", field="speech.tts.clip") from error
    if rate != PHONE_RATE or len(channels) != 1 or not len(channels[0]):
        raise ConfigError(
            f"The clip has {len(channels)} channels at {rate} Hz.",
            field="speech.tts.clip",
            fix=f"Convert it to one channel of 16-bit samples at {PHONE_RATE} Hz.",
        )
    return channels[0]
