"""hibari in the speech engine, as a LiveKit voice at the line's own 8 kHz.

Sentence by sentence: ``livekit.agents.tts.StreamAdapter`` asks for each as the text arrives, and the
engine cuts a long one once more, so the first sound never waits for the whole text.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectionError,
    APIConnectOptions,
    APITimeoutError,
    tts,
    utils,
)

from telephony.errors import SpeechError
from telephony.speech.messages import MAX_TEXT
from telephony.speech.settings import PHONE_RATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import numpy as np
    from numpy.typing import NDArray

    from telephony.speech.engine_link import EngineLink
    from telephony.speech.settings import OfflineTtsSettings

_Events = Literal["metrics_collected", "error"]
_NOTHING_TO_SAY = bytes(2 * PHONE_RATE // 50)


class OfflineTts(tts.TTS[_Events]):
    """Speaks through the engine.

    Args:
        link: the connection; closed by whoever made it.
        settings: pace, seed and the longest wait for the next piece.
    """

    def __init__(self, link: EngineLink, settings: OfflineTtsSettings) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False), sample_rate=PHONE_RATE, num_channels=1
        )
        self.link = link
        self.settings = settings

    @property
    def model(self) -> str:
        return f"hibari-{self.settings.voice}"

    @property
    def provider(self) -> str:
        return "offline"

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> OfflineSpeech:
        """Speak a text of at most 5000 characters; what is longer is cut."""
        return OfflineSpeech(self, text[:MAX_TEXT], conn_options)


class OfflineSpeech(tts.ChunkedStream):
    """One text being spoken."""

    def __init__(self, voice: OfflineTts, text: str, conn_options: APIConnectOptions) -> None:
        self._voice = voice
        super().__init__(tts=voice, input_text=text, conn_options=conn_options)

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid("tts_"),
            sample_rate=PHONE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
        )
        wait_s = self._voice.settings.timeout_s
        said = False
        try:
            async for samples in _each_within(wait_s, self._speak()):
                output_emitter.push(samples.tobytes())
                said = True
        except TimeoutError as error:
            raise APITimeoutError(f"No speech within {wait_s:g} s.") from error
        except SpeechError as error:
            raise APIConnectionError(str(error), retryable=error.retryable) from error
        if not said:
            # A dash or three dots are nothing to say; to LiveKit no audio at all would be a failure.
            output_emitter.push(_NOTHING_TO_SAY)

    async def _speak(self) -> AsyncIterator[NDArray[np.int16]]:
        settings = self._voice.settings
        client = await self._voice.link.client()
        pieces = client.synthesize(
            self._input_text,
            rate=PHONE_RATE,
            speed=settings.speed,
            seed=settings.seed,
            language=settings.language or "",
        )
        async for samples in pieces:
            yield samples


async def _each_within(
    seconds: float, pieces: AsyncIterator[NDArray[np.int16]]
) -> AsyncIterator[NDArray[np.int16]]:
    """The pieces, none of which may be waited for longer than ``seconds``."""
    while True:
        try:
            yield await asyncio.wait_for(anext(pieces), seconds)
        except StopAsyncIteration:
            return
