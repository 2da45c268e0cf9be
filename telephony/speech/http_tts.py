"""A voice server of one's own, as a LiveKit voice: over HTTP, or over a WebSocket.

HTTP: ``POST url`` with JSON ``{"text", "voice", "language", "sample_rate", "speed"?}``; the answer is
``audio/wav``, or raw 16-bit little-endian mono samples at ``sample_rate`` (``audio/pcm``,
``application/octet-stream``), which may come piece by piece.

WebSocket: the same JSON as the only text message; then binary messages of raw samples, and at the end the
text ``{"type": "done"}``, or ``{"type": "error", "message": …}``. The key, if there is one, goes as
``Authorization: Bearer``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import aiohttp
from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectionError,
    APIConnectOptions,
    APIError,
    APIStatusError,
    APITimeoutError,
    tts,
    utils,
)

if TYPE_CHECKING:
    from telephony.speech.cloud_settings import HttpTtsSettings

_Events = Literal["metrics_collected", "error"]
_ENOUGH = 4096


class HttpTts(tts.TTS[_Events]):
    """Speaks through such a server.

    Args:
        settings: where it is, and what it is told.
        key: sent as a bearer token; None to send none.
        http_session: None to use the job's.
    """

    def __init__(
        self, settings: HttpTtsSettings, key: str | None, http_session: aiohttp.ClientSession | None = None
    ) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=settings.sample_rate,
            num_channels=1,
        )
        self.settings = settings
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http_session = http_session

    @property
    def model(self) -> str:
        return self.settings.voice or "default"

    @property
    def provider(self) -> str:
        return urlsplit(self.settings.url).netloc

    def http(self) -> aiohttp.ClientSession:
        """The session for its requests."""
        if self._http_session is None:
            self._http_session = utils.http_context.http_session()
        return self._http_session

    def asked(self, text: str) -> dict[str, Any]:
        """What the server is told of one text."""
        settings = self.settings
        told: dict[str, Any] = {
            "text": text,
            "voice": settings.voice,
            "language": settings.language,
            "sample_rate": settings.sample_rate,
        }
        return told if settings.speed is None else told | {"speed": settings.speed}

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> HttpSpeech:
        """Speak a text."""
        return HttpSpeech(self, text, conn_options)


class HttpSpeech(tts.ChunkedStream):
    """One text being spoken."""

    def __init__(self, voice: HttpTts, text: str, conn_options: APIConnectOptions) -> None:
        self._voice = voice
        super().__init__(tts=voice, input_text=text, conn_options=conn_options)

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        over_socket = urlsplit(self._voice.settings.url).scheme in {"ws", "wss"}
        try:
            await (self._over_socket(output_emitter) if over_socket else self._over_http(output_emitter))
        except TimeoutError:
            raise APITimeoutError("the voice server keeps silent") from None
        except aiohttp.ClientResponseError as error:
            raise APIStatusError(error.message, status_code=error.status) from None
        except APIError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise APIConnectionError(f"the voice server is away ({type(error).__name__})") from None

    def _initialize(self, emitter: tts.AudioEmitter, mime_type: str) -> None:
        emitter.initialize(
            request_id=utils.shortuuid("tts_"),
            sample_rate=self._voice.sample_rate,
            num_channels=1,
            mime_type=mime_type,
        )

    async def _over_http(self, emitter: tts.AudioEmitter) -> None:
        voice, wait_s = self._voice, self._conn_options.timeout
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=wait_s, sock_read=wait_s)
        asked = voice.asked(self.input_text)
        async with voice.http().post(
            voice.settings.url, json=asked, headers=voice.headers, timeout=timeout
        ) as answer:
            answer.raise_for_status()
            wav = answer.content_type in {"audio/wav", "audio/x-wav", "audio/wave"}
            if not wav and answer.content_type not in {"audio/pcm", "audio/l16", "application/octet-stream"}:
                raise APIConnectionError(
                    f"the voice server answers {answer.content_type}, which is no sound", retryable=False
                )
            self._initialize(emitter, "audio/wav" if wav else "audio/pcm")
            async for piece in answer.content.iter_chunked(_ENOUGH):
                emitter.push(piece)

    async def _over_socket(self, emitter: tts.AudioEmitter) -> None:
        voice, wait_s = self._voice, self._conn_options.timeout
        async with voice.http().ws_connect(
            voice.settings.url, headers=voice.headers, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)
        ) as socket:
            self._initialize(emitter, "audio/pcm")
            await socket.send_json(voice.asked(self.input_text))
            while True:
                message = await socket.receive(timeout=wait_s)
                if message.type is aiohttp.WSMsgType.BINARY:
                    emitter.push(message.data)
                elif message.type is not aiohttp.WSMsgType.TEXT:
                    raise APIConnectionError("the voice server hung up")
                elif _is_over(message.data):
                    return


def _is_over(text: str) -> bool:
    """Whether a text message says that all was spoken.

    Raises:
        APIConnectionError: it says that something failed, or is not what it should be.
    """
    try:
        told = json.loads(text)
        kind = told.get("type")
    except (ValueError, AttributeError):
        raise APIConnectionError("the voice server sends what is no JSON object") from None
    if kind == "error":
        raise APIConnectionError(f"the voice server says: {str(told.get('message', 'error'))[:200]}")
    return bool(kind == "done")
