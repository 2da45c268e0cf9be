"""A voice that speaks in time: deadlines for the first sound of a text and for each further piece.

Silence is no sound: a voice that sends nothing else is replaced like one that sends nothing. One that breaks
off is replaced from the beginning of the sentence that it was in, by the pace of speech.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectionError, APIConnectOptions, tts, utils

from telephony.audio.level import dbfs
from telephony.speech.guard.rota import error_of, is_final, reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from telephony.speech.guard.rota import Rota
    from telephony.speech.settings import DeadlineSettings

_Events = Literal["metrics_collected", "error"]

SLOWEST = 15.0
"""Characters a second of ordinary speech: where a text is after so much of its sound."""
FASTEST = 45.0
"""Nobody speaks so many: less sound than that is a part of the text."""
SILENT_DBFS = -60.0
_SHORT = 40
"""A text of fewer characters may be over sooner than its pace says."""
_SENTENCE = re.compile(r"[^.!?…]*[.!?…]+\s*|[^.!?…]+$")


def rest_of(text: str, spoken_s: float) -> str:
    """What is still to be said of a text that broke off, from the beginning of a sentence."""
    reached, at = round(spoken_s * SLOWEST), 0
    for sentence in _SENTENCE.findall(text):
        if at + len(sentence) > reached:
            break
        at += len(sentence)
    return text[at:]


class GuardedTts(tts.TTS[_Events]):
    """Several voices as one, at the rate of the first.

    Args:
        rota: who is asked; all of them stream.
        deadlines: how long each may take.
    """

    def __init__(self, rota: Rota[tts.TTS[Any]], deadlines: DeadlineSettings) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=True),
            sample_rate=rota.first.sample_rate,
            num_channels=rota.first.num_channels,
        )
        self.rota = rota
        self.deadlines = deadlines
        for voice in rota.providers:
            voice.on("metrics_collected", self._measured)

    @property
    def model(self) -> str:
        return self.rota.serving.model

    @property
    def provider(self) -> str:
        return self.rota.serving.provider

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak a whole text by whoever can."""
        return self._synthesize_with_stream(text, conn_options=conn_options)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> GuardedSpeech:
        """Speak a text as it comes."""
        return GuardedSpeech(self)

    def prewarm(self) -> None:
        """Connect to all of them: who stands in has no time for a handshake."""
        for voice in self.rota.providers:
            voice.prewarm()

    async def aclose(self) -> None:
        for voice in self.rota.providers:
            voice.off("metrics_collected", self._measured)
        await asyncio.gather(*(voice.aclose() for voice in self.rota.providers), return_exceptions=True)

    def _measured(self, *measured: Any) -> None:
        self.emit("metrics_collected", *measured)


class _Text:
    """The text of one utterance as it comes, for whoever speaks it from any place on."""

    def __init__(self) -> None:
        self.whole = ""
        self.complete = False
        self.changed = asyncio.Event()

    def add(self, token: str) -> None:
        self.whole += token
        self.changed.set()

    def end(self) -> None:
        self.complete = True
        self.changed.set()

    @property
    def speakable(self) -> bool:
        """Whether a voice has enough of it to begin."""
        return bool(self.whole.strip()) and (self.complete or bool(re.search(r"[.!?…]\s+\S", self.whole)))


class GuardedSpeech(tts.SynthesizeStream):
    """One utterance."""

    _tts_request_span_name: ClassVar[str] = "guarded_tts"
    _tts_attempt_span_name: ClassVar[str | None] = None

    def __init__(self, voice: GuardedTts) -> None:
        self._guarded = voice
        # Retries are the rota's.
        super().__init__(tts=voice, conn_options=APIConnectOptions(max_retry=0))

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid("tts_"),
            sample_rate=self._guarded.sample_rate,
            num_channels=1,
            mime_type="audio/pcm",
            stream=True,
        )
        text = _Text()
        reading = asyncio.create_task(self._read(text), name="read_text")
        try:
            while not text.whole.strip() and not text.complete:
                text.changed.clear()
                await text.changed.wait()
            if not text.whole.strip():
                return
            self._mark_started()
            output_emitter.start_segment(segment_id=utils.shortuuid("tts_"))
            await self._speak(text, output_emitter)
            output_emitter.end_segment()
        finally:
            await utils.aio.cancel_and_wait(reading)

    async def _read(self, text: _Text) -> None:
        async for item in self._input_ch:
            if isinstance(item, str):
                text.add(item)
        text.end()

    async def _speak(self, text: _Text, emitter: tts.AudioEmitter) -> None:
        rota = self._guarded.rota
        at, sounded = 0, False
        last: BaseException | None = None
        for voice in rota.order():
            if is_final(last) and len(rota.providers) == 1:
                break
            spoken_s = 0.0
            try:
                async with aclosing(self._sound(voice, text, at)) as sound:
                    async for frame in sound:
                        if not spoken_s:
                            rota.serves(voice)
                        spoken_s += frame.duration
                        sounded = True
                        emitter.push_frame(frame)
                told = text.whole[at:].strip()
                if len(told) > _SHORT and spoken_s < len(told) / FASTEST:
                    raise APIConnectionError("it broke off", retryable=False)
                rota.good(voice)
            except TimeoutError:
                last = None
                rota.bad(voice, "late", "no sound in time")
            except Exception as error:
                last = error
                rota.bad(voice, "failed", reason_of(error))
            else:
                return
            if spoken_s:
                at = len(text.whole) - len(rest_of(text.whole[at:], spoken_s))
                if text.complete and not text.whole[at:].strip():
                    return
        rota.report("exhausted", rota.first)
        if not sounded:
            raise error_of(last, "no voice has spoken")

    async def _sound(self, voice: tts.TTS[Any], text: _Text, at: int) -> AsyncGenerator[rtc.AudioFrame, None]:
        deadlines = self._guarded.deadlines
        first_s, next_s = deadlines.tts_first_audio_ms / 1000, deadlines.tts_next_audio_ms / 1000
        resampler = (
            rtc.AudioResampler(voice.sample_rate, self._guarded.sample_rate)
            if voice.sample_rate != self._guarded.sample_rate
            else None
        )
        options = APIConnectOptions(max_retry=0, timeout=max(first_s, next_s))
        async with voice.stream(conn_options=options) as stream:
            feeding = asyncio.create_task(_feed(stream, text, at), name="feed_voice")
            try:
                while not text.speakable:
                    text.changed.clear()
                    await text.changed.wait()
                heard, patience_s = False, first_s
                async with aclosing(_in_time(stream, text, lambda: patience_s)) as sound:
                    async for frame in sound:
                        heard = heard or not _is_silent(frame)
                        if not heard:
                            continue
                        patience_s = next_s
                        for piece in resampler.push(frame) if resampler else (frame,):
                            yield piece
                for frame in resampler.flush() if resampler and heard else ():
                    yield frame
            finally:
                await utils.aio.cancel_and_wait(feeding)
        if not heard:
            raise APIConnectionError("it made no sound", retryable=False)

    async def _metrics_monitor_task(self, event_aiter: AsyncIterable[tts.SynthesizedAudio]) -> None:
        """Whoever speaks is measured by itself."""
        async for _ in event_aiter:
            pass


async def _in_time(
    stream: tts.SynthesizeStream, text: _Text, patience_s: Callable[[], float]
) -> AsyncGenerator[rtc.AudioFrame, None]:
    """The sound of a stream; TimeoutError where none comes though the text is there."""
    silent_until = asyncio.get_running_loop().time() + patience_s()
    iterator = aiter(stream)
    while True:
        piece = asyncio.ensure_future(anext(iterator))
        try:
            while not piece.done():
                left_s = silent_until - asyncio.get_running_loop().time()
                if left_s <= 0:
                    raise TimeoutError
                whole = text.complete
                await asyncio.wait({piece}, timeout=left_s)
                if not whole:
                    # More of it is to come, perhaps nothing of what is there can be spoken yet.
                    silent_until = max(silent_until, asyncio.get_running_loop().time() + patience_s())
        finally:
            if not piece.done():
                await utils.aio.cancel_and_wait(piece)
            elif not piece.cancelled():
                # Read here too: whoever was cancelled just as it came to its end asks no more, and asyncio
                # would call that an error never retrieved.
                piece.exception()
        try:
            frame = piece.result().frame
        except StopAsyncIteration:
            return
        if not _is_silent(frame):
            silent_until = asyncio.get_running_loop().time() + patience_s()
        yield frame


async def _feed(stream: tts.SynthesizeStream, text: _Text, at: int) -> None:
    while True:
        text.changed.clear()
        if at < len(text.whole):
            stream.push_text(text.whole[at:])
            at = len(text.whole)
        if text.complete:
            stream.end_input()
            return
        await text.changed.wait()


def _is_silent(frame: rtc.AudioFrame) -> bool:
    return dbfs(np.frombuffer(frame.data, np.int16)) < SILENT_DBFS
