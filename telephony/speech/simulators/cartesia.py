"""Cartesia's voice, as livekit-plugins-cartesia speaks it: ``/tts/websocket`` and ``/tts/bytes``.

Each transcript of a context is spoken in turn; the last one (``continue`` false) is answered with
``done``. What it sounds like is asked of a function, a tone as long as the text by default.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from telephony.audio.tones import sine
from telephony.speech.simulators.faults import SLOW_S, Fault, before, drop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import numpy as np
    from numpy.typing import NDArray

    Speak = Callable[[str, int], AsyncIterator[NDArray[np.int16]]]
    """From a text and a rate in Hz to the pieces of its speech."""

_S_PER_CHARACTER = 0.06
_CHUNK_S = 0.1
_CUT_S = 0.3


async def tone(text: str, rate: int) -> AsyncIterator[NDArray[np.int16]]:
    """A tone of 300 Hz that lasts about as long as the text would."""
    yield sine(300.0, len(text) * _S_PER_CHARACTER, rate=rate)


@dataclass(slots=True)
class CartesiaSimulator:
    """One simulated Cartesia.

    ``speak`` makes the sound; without ``api_key`` every key is good, without ``models`` every model;
    ``delay_s`` passes before the first chunk of each transcript. ``requests`` are all messages and bodies so
    far; ``fault`` is what it does wrong from now on.
    """

    speak: Speak = tone
    api_key: str | None = None
    models: tuple[str, ...] = ()
    delay_s: float = 0.05
    requests: list[dict[str, Any]] = field(default_factory=list)
    fault: Fault | None = None

    def app(self) -> web.Application:
        """The server, to be run by ``serving.serve``."""
        app = web.Application()
        app.router.add_get("/tts/websocket", self._websocket)
        app.router.add_post("/tts/bytes", self._bytes)
        return app

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        self._check(request, request.query.get("cartesia_version", ""))
        await before(request, self.fault)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT or self.fault == "mute":
                continue
            if self.fault is None or self.fault == "slow":
                await self._say(socket, json.loads(message.data))
            elif self.fault == "malformed":
                await socket.send_str('{"type": "chunk", "data": 7, "context_id":')
            else:
                await self._break_off(socket, json.loads(message.data))
                drop(request)
        return socket

    async def _say(self, socket: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        self.requests.append(asked)
        context = asked.get("context_id", "")
        if (reason := self._refusal(asked)) is not None:
            error = {
                "type": "error",
                "error": reason,
                "status_code": 400,
                "done": True,
                "context_id": context,
            }
            await socket.send_json(error)
            return
        text, rate = asked["transcript"].strip(), asked["output_format"]["sample_rate"]
        if text:
            await asyncio.sleep(SLOW_S if self.fault == "slow" else self.delay_s)
            spoken_s = 0.0
            async for piece in self.speak(text, rate):
                for chunk in _chunks(piece, rate):
                    await socket.send_json(_chunk(chunk, context))
                spoken_s += len(piece) / rate
            if asked.get("add_timestamps"):
                await socket.send_json(_timestamps(text, spoken_s, context))
        if not asked.get("continue", False):
            await socket.send_json({"type": "done", "done": True, "status_code": 200, "context_id": context})

    async def _break_off(self, socket: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        """Half of a chunk's time of sound, on a connection that was good before the fault as well."""
        if self.fault == "cut" and asked.get("transcript", "").strip():
            async for piece in self.speak(asked["transcript"], asked["output_format"]["sample_rate"]):
                rate = asked["output_format"]["sample_rate"]
                await socket.send_json(_chunk(piece[: round(rate * _CUT_S)], asked.get("context_id", "")))
                break
            await asyncio.sleep(0.05)

    async def _bytes(self, request: web.Request) -> web.StreamResponse:
        self._check(request, request.headers.get("Cartesia-Version", ""))
        asked = await request.json()
        self.requests.append(asked)
        await before(request, self.fault)
        if (reason := self._refusal(asked)) is not None:
            raise web.HTTPBadRequest(text=reason)
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await response.prepare(request)
        await asyncio.sleep(self.delay_s)
        async for piece in self.speak(asked["transcript"], asked["output_format"]["sample_rate"]):
            await response.write(piece.astype("<i2").tobytes())
        await response.write_eof()
        return response

    def _refusal(self, asked: dict[str, Any]) -> str | None:
        if self.models and asked.get("model_id") not in self.models:
            return f"model {asked.get('model_id')} not found"
        return _refusal(asked)

    def _check(self, request: web.Request, version: str) -> None:
        key = request.headers.get("X-API-Key", "")
        if not key or (self.api_key and not hmac.compare_digest(key, self.api_key)):
            raise web.HTTPUnauthorized(text="Invalid API key.")
        if not version:
            raise web.HTTPBadRequest(text="The API version is missing.")


def _refusal(asked: dict[str, Any]) -> str | None:
    """Why Cartesia would refuse a request, or None."""
    if not isinstance(asked.get("transcript"), str):
        return "transcript is missing"
    if not asked.get("model_id") or not asked.get("voice"):
        return "model_id and voice are needed"
    wanted = asked.get("output_format") or {}
    if wanted.get("container") != "raw" or wanted.get("encoding") != "pcm_s16le":
        return "this simulator speaks raw pcm_s16le only"
    if not isinstance(wanted.get("sample_rate"), int):
        return "output_format.sample_rate is missing"
    return None


def _chunks(piece: NDArray[np.int16], rate: int) -> list[NDArray[np.int16]]:
    step = round(rate * _CHUNK_S)
    return [piece[start : start + step] for start in range(0, len(piece), step)]


def _chunk(samples: NDArray[np.int16], context: str) -> dict[str, Any]:
    return {
        "type": "chunk",
        "data": base64.b64encode(samples.astype("<i2").tobytes()).decode(),
        "done": False,
        "status_code": 206,
        "step_time": 1.0,
        "context_id": context,
    }


def _timestamps(text: str, spoken_s: float, context: str) -> dict[str, Any]:
    words = text.split()
    each = spoken_s / len(words)
    return {
        "type": "timestamps",
        "done": False,
        "status_code": 206,
        "context_id": context,
        "word_timestamps": {
            "words": words,
            "start": [index * each for index in range(len(words))],
            "end": [(index + 1) * each for index in range(len(words))],
        },
    }
